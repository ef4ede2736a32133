"""The gain where it is smallest: for a function that is to be good everywhere."""

from __future__ import annotations

from evaluators.objectives.gain import gains
from evaluators.objectives.objective import Objective, Trained


class WorstGain(Objective):
    """By how much a candidate's loss is below the reference's on the task where it is least."""

    name = "worst_gain"
    unit = "nats"
    direction = "maximize"
    formula = "smallest over the tasks of the mean over seeds of log(loss of the reference / loss of the candidate)"
    source = "the gain's, over several tasks"
    kind = "training"

    def value(self, trained: Trained) -> float:
        return float(gains(trained.row, trained.reference, trained.tasks).mean(axis=1).min())
