"""Settings that mean nothing are refused, by both trainers, with the nearest valid value."""

from __future__ import annotations

import pytest
from torch import nn

from evaluators.errors import TaskError
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.plain import PlainModel
from evaluators.training.stack import Stack
from primitives.expression.expression import variable
from tests.evaluators_tests.families import Family

SETTINGS = [
    ({"optimiser": "adm"}, "task 'mlp': unknown optimiser 'adm'; did you mean 'adam'"),
    ({"optimiser": "sgdm"}, "did you mean 'sgd'"),
    ({"schedule": "cosin"}, "task 'mlp': unknown schedule 'cosin'; did you mean 'cosine'"),
    ({"schedule": "linear"}, "available: constant, cosine"),
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
