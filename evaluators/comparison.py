"""How the values of a task are judged: one function turns them into costs, one compares them with the reference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evaluators.tasks.base import Compare, Direction, Task
from evaluators.tasks.examples import tensors
from evaluators.tasks.loop_task import LoopTask


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a task's values mean; no other code takes a logarithm of them, or takes smaller ones for better.

    Args:
        direction: which values are better.
        compare: ``"ratio"``: gains are logarithms of ratios, in nats; ``"difference"``: in the metric's own unit.
        unit: of the metric.
        scale: the difference that counts as 1, or None for the unit itself.
        floor: of a ratio: smaller values count as this one.
        zero_counts: of a ratio: 0 counts as the floor. A loss may become exactly 0 in float32; a metric that does is
            no measure of ratios.
    """

    direction: Direction = "minimise"
    compare: Compare = "ratio"
    unit: str = ""
    scale: float | None = None
    floor: float = 0.0
    zero_counts: bool = True

    @property
    def is_ratio(self) -> bool:
        """Gains are in nats."""
        return self.compare == "ratio"

    @property
    def unit_of_gain(self) -> str:
        """``"nats"``, or the unit of differences, after the scale where there is one."""
        if self.is_ratio:
            return "nats"
        unit = self.unit or "units of the metric"
        return unit if self.scale is None else f"{self.scale:g} {unit}"

    @property
    def averages(self) -> bool:
        """Its gains may be averaged with nats: they are nats, or the user gave a scale."""
        return self.is_ratio or self.scale is not None

    def costs(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Smaller is better; NaN where a value cannot be compared: below 0 in a ratio, or 0 where that does not count.

        Not raised to the floor, so that a worst learning rate below it is still the worst.
        """
        if not self.is_ratio:
            return -values if self.direction == "maximise" else values
        return np.where(values < 0 if self.zero_counts else values <= 0, np.nan, values)

    def counted(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values as they were measured, a ratio's raised to the floor; NaN where one is not finite or has no cost."""
        finite = np.isfinite(values) & ~np.isnan(self.costs(values))
        return np.where(finite, np.maximum(values, self.floor) if self.is_ratio else values, np.nan)

    def gain(self, values: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
        """By how much values are better than the reference's: log(reference / value), or the difference of costs."""
        if self.is_ratio:
            return np.asarray(np.log(reference / values))
        return (self.costs(reference) - self.costs(values)) / (self.scale or 1.0)

    def excess(self, values: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
        """The gain's negative, for a ratio as log(value / reference), whose rounding old runs have."""
        return np.asarray(np.log(values / reference)) if self.is_ratio else -self.gain(values, reference)

    def mean_of_seeds(self, values: Tensor) -> Tensor:
        """Mean of one loss a seed, float64, such that gains of means are means of gains: geometric for a ratio."""
        return values.clamp_min(self.floor).log().mean().exp() if self.is_ratio else values.mean()

    @property
    def of_losses(self) -> Comparison:
        """The same for the task's losses, which are smaller where better, in the losses' own unit."""
        return self if self.is_ratio else Comparison(compare="difference")


#: Of every shipped task.
NATS = Comparison()


def averages(comparisons: Sequence[Comparison]) -> bool:
    """True if the gains have a mean over the tasks: they have one unit, or each is nats or scaled."""
    return len({each.unit_of_gain for each in comparisons}) == 1 or all(each.averages for each in comparisons)


def comparison_of(task: Task) -> Comparison:
    """How a task's values are compared."""
    return Comparison(
        task.direction, task.compare, task.unit, task.gain_scale, task.loss_floor, zero_counts=not has_metric(task)
    )


def has_metric(task: Task) -> bool:
    """True if something else than the loss is judged."""
    return type(task).metric is not Task.metric


def metric_value(task: Task, output: Any, target: Any) -> Tensor:
    """The metric of one model on a whole held-out set, without a dimension, float64; the mean of what each example has.

    NaN where an output is: a candidate whose outputs are no numbers must not have an accuracy.
    """
    return _counted(task.metric(output, target), output).mean()


def readings_of(task: Task, output: Any, target: Any) -> dict[str, Tensor]:
    """The task's readings of one model by name, float64; NaN where an output is."""
    return {name: _counted(value, output) for name, value in task.readings(output, target).items()}


def reads_parts(task: Task) -> bool:
    """True if the readings of a set's parts have the set's for a mean: the default's, an accuracy.

    Then outputs of a whole set, which are large where classes are many, are never in memory together.
    """
    return type(task).readings is Task.readings


def name_of_judged(task: Task) -> str:
    """The name by which what is judged is read; "" of a loss, and of what a loop yields without a unit."""
    return task.unit or "metric" if has_metric(task) else task.unit if isinstance(task, LoopTask) else ""


def _counted(value: Tensor, output: Any) -> Tensor:
    device = value.device if isinstance(value, Tensor) else "cpu"  # torch's default device may be another one
    value = torch.as_tensor(value, device=device).to(torch.float64)
    finite = all(bool(tensor.isfinite().all()) for tensor in tensors(output))
    return value if finite else torch.full_like(value, math.nan)
