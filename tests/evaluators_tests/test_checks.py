"""Settings that mean nothing are refused, by both trainers, with the nearest valid value."""

from __future__ import annotations

import pytest
from torch import nn

from evaluators.errors import TaskError
from evaluators.tasks.optimisers import SGD, Adam, AdamW
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.plain import PlainModel
from evaluators.training.schedules import Constant, Cosine, OneCycle
from evaluators.training.stacking.stack import Stack
from primitives.expression.expression import variable
from tests.evaluators_tests.families import Family

SETTINGS = [
    ({"optimiser": "adm"}, "task 'mlp': unknown optimiser 'adm'; did you mean 'adam'"),
    ({"optimiser": "sgdm"}, "did you mean 'sgd'"),
    ({"schedule": "cosin"}, "task 'mlp': unknown schedule 'cosin'; did you mean 'cosine'"),
    ({"schedule": "linear"}, "available: constant, cosine, one-cycle"),
    ({"optimiser": AdamW}, "optimiser: expected a name .adam, adamw, sgd. or settings out of evaluators"),
    ({"optimiser": AdamW(weight_decay=-0.1)}, "optimiser: weight_decay: expected a number from 0 on, got -0.1"),
    ({"optimiser": Adam(betas=(0.9, 1.0))}, "betas: expected two numbers from 0 to below 1"),
    ({"optimiser": Adam(eps=float("nan"))}, "eps: expected a number from 0 on, got nan"),
    ({"optimiser": SGD(momentum=1.0)}, "momentum: expected a number from 0 to below 1, got 1.0"),
    ({"optimiser": SGD(momentum=0.0, nesterov=True)}, "nesterov: expected a momentum above 0 with it"),
    ({"schedule": 0.5}, "schedule: expected a name .constant, cosine, one-cycle. or settings"),
    ({"schedule": Constant(warmup=-1)}, "schedule: warmup: expected a whole number of steps.*got -1"),
    ({"schedule": Cosine(warmup=2.6)}, "got 2.6; the nearest is 3"),
    ({"schedule": Cosine(final=1.5)}, "final: expected a factor from 0 to 1, got 1.5"),
    ({"schedule": OneCycle(peak_at=0.0)}, "peak_at: expected a share of the steps between 0 and 1, got 0.0"),
    ({"schedule": OneCycle(start_divisor=0.0)}, "start_divisor: expected a number from 1 on, got 0.0"),
    ({"accumulate": 0}, "accumulate: expected a whole number of batches per step, got 0; the nearest is 1"),
    ({"accumulate": 2.4}, "got 2.4; the nearest is 2"),
    ({"label_smoothing": 1.0}, "label_smoothing: expected a number from 0 to below 1, got 1.0"),
    ({"class_weights": [1.0, -1.0]}, "class_weights: expected numbers from 0 on"),
    ({"class_weights": [1.0, 2.0]}, "task 'mlp': class_weights: expected one for each of 5 classes.*got 2"),
    ({"clip": 0.0}, "clip: expected a positive number, or None for no clip, got 0.0"),
    ({"clip": float("nan")}, "clip: expected a positive number"),
    ({"batch_size": 50}, "batch_size: expected a multiple of 32, got 50; the nearest is 64"),
    ({"batch_size": 0}, "the nearest is 32"),
]
HARMLESS = [
    nn.BatchNorm1d(8),
    nn.Dropout(0.1),
    nn.BatchNorm1d(8, track_running_stats=False),
    nn.Dropout(0.0),
    nn.LayerNorm(8),
]


def check(chosen: Family) -> None:
    Stack(chosen, "search", [CohortMember(variable(), (1,))], Schedule(2, (), (1e-3,))).advance(2)


def check_plain(chosen: Family) -> None:
    PlainModel(chosen, "search", variable(), seed=1, rate=1e-3, steps=2).advance(2)


class With(Family):
    """A network with one more module inside."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__("mlp")
        self.module = module

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Sequential(nn.Linear(12, 8), self.module, nn.ReLU()), nn.Linear(8, 5))


@pytest.mark.parametrize("trainer", [check, check_plain])
@pytest.mark.parametrize(("settings", "message"), SETTINGS)
def test_settings(settings: dict[str, object], message: str, trainer: object) -> None:
    with pytest.raises(TaskError, match=message):
        trainer(Family("mlp", **settings))  # type: ignore[operator]


@pytest.mark.parametrize("module", HARMLESS)
def test_harmless_modules_train(module: nn.Module) -> None:
    check(With(module))
    check_plain(With(module))
