"""Early rejection at a rung, by a rule that is calibrated on candidates that were trained to the end."""

from evaluators.rejection.accuracy import READING, check_accuracy
from evaluators.rejection.base import SMALLEST_SET, CalibrationSet, Rung, RungRule, Thresholds
from evaluators.rejection.failure_checks import failure
from evaluators.rejection.judge import FAILURES_ONLY, Judge
from evaluators.rejection.registry import RULES, rung_rule
from evaluators.rejection.relative_loss import relative_loss
from evaluators.rejection.target import RecallTarget, best_rows

__all__ = [
    "FAILURES_ONLY",
    "READING",
    "RULES",
    "SMALLEST_SET",
    "CalibrationSet",
    "Judge",
    "RecallTarget",
    "Rung",
    "RungRule",
    "Thresholds",
    "best_rows",
    "check_accuracy",
    "failure",
    "relative_loss",
    "rung_rule",
]
