"""Settings: the config in words."""

from __future__ import annotations

from evaluators.objectives import objective
from evaluators.rejection import rung_rule
from primitives.user_file import is_reference, label
from search.config import Config, Training
from search.engine.rejection import failures_in_words, target_of

_WAYS = {"maximize": "largest", "minimize": "smallest"}


def settings(config: Config) -> list[tuple[str, str]]:
    """Names and values; what the job does not have is left out."""
    name = config.strategy_label
    options = ", ".join(f"{key} {value}" for key, value in config.strategy.items() if key != "name")
    confirmation = config.confirmation
    rows = [
        ("tasks", ", ".join(map(label, config.tasks))),
        ("grammar", config.grammar),
        ("objectives", ", ".join(map(_objective, config.objectives))),
        ("gain over the tasks", config.aggregate if len(config.tasks) > 1 else ""),
        ("strategy", f"{name} ({options})" if options else name),
        ("more controls", ", ".join(config.controls)),
        ("start list", f"{len(config.start)} functions" if config.start else ""),
        ("budget", f"{config.budget:,} classes in cohorts of {config.cohorts.size}"),
        ("training", _training(config.training)),
        ("conditions", config.conditions_in_words),
        ("early rejection", _rejection(config)),
        (
            "confirmation",
            f"{confirmation.finalists} finalists on {confirmation.seeds} fresh seeds"
            if confirmation.finalists
            else "none",
        ),
        ("seed", str(config.seed)),
    ]
    return [(name, value) for name, value in rows if value]


def _objective(name: str) -> str:
    own = objective(name)
    return f"{_WAYS[own.direction]} {own.name.replace('_', ' ')} ({own.unit})"


def _training(training: Training) -> str:
    rates = ", ".join(f"{rate:g}" for rate in training.learning_rates) or "each task's own"
    rungs = f", rungs at {', '.join(map(str, training.rungs))}" if training.rungs else ""
    return f"{training.steps} steps{rungs}; {training.seeds_in_words}; learning rates {rates}"


def _rejection(config: Config) -> str:
    rejection = config.rejection
    own = is_reference(rejection.rule)  # a page is written without the file, too
    thresholds = label(rejection.rule) if own else rung_rule(rejection.rule).describe(target_of(config))
    if not thresholds or rejection.audit == 1 or config.budget <= rejection.warmup:
        return f"{failures_in_words(config)} only"
    return (
        f"{failures_in_words(config)} only for {rejection.warmup} classes, then {thresholds}; "
        f"{rejection.audit:.0%} audited"
    )
