"""Files of a user's whose code ends the process: named by tests as a user names a file."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import numpy as np
from torch import Tensor, nn

from evaluators import Task
from evaluators.objectives.formula import FormulaObjective
from evaluators.rejection.base import CalibrationSet, RungRule
from evaluators.rejection.target import RecallTarget
from primitives import Operator
from primitives.expression.expression import Expression
from primitives.grammars import Grammar
from primitives.lowering.target import Target
from search.strategies.base import Proposal, Result, Strategy
from tests.search_tests.users_files.faulty_tasks import Quiet


def interrupt() -> NoReturn:
    raise KeyboardInterrupt


WAYS: dict[str, Callable[[], object]] = {
    "exit": lambda: sys.exit(3),
    "interrupt": interrupt,
    "leave": lambda: os._exit(1),
    "abort": os.abort,
    "leave in C": lambda: ctypes.CDLL(None)._exit(1),
}


def end(*_: object, way: str = "") -> NoReturn:
    WAYS[way or os.environ["ACTSEARCH_TEST_WAY"]]()
    raise AssertionError


class InNetwork(Quiet):
    """Ends when its network is made."""

    def network(self) -> nn.Module:
        end()


class InData(Quiet):
    """Ends when its data are made."""

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        end()


class InLoop(Quiet):
    """Ends in the training of the offender."""

    way = ""

    def harm(self) -> None:
        end(way=self.way)


class Exits(InLoop):
    """..."""

    way = "exit"


class Leaves(InLoop):
    """..."""

    way = "leave"


class Aborts(InLoop):
    """..."""

    way = "abort"


class LeavesInC(InLoop):
    """..."""

    way = "leave in C"


class InLoss(Task):
    """Ends when its loss is asked for."""

    learning_rates = (0.01,)
    chance = None

    def network(self) -> nn.Module:
        return Quiet().network()

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        return Quiet().data(part)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        end()


class AnObjective(FormulaObjective):
    """Ends when it is asked for."""

    name = "ending"
    unit = "ends"
    direction = "minimize"
    formula = "none"
    source = "our own"

    def of(self, expression: Expression) -> float:
        end()


class ARule(RungRule):
    """Ends when it learns."""

    name = "ending"

    def thresholds(self, known: CalibrationSet, target: RecallTarget) -> Sequence[float]:
        end()

    def describe(self, target: RecallTarget) -> str:
        return "none"


class AStrategy(Strategy):
    """Ends when it is asked: in the job, as none is tried out."""

    def __init__(self, grammar: Grammar) -> None:
        super().__init__(grammar)

    def ask(
        self, history: Sequence[Result], pending: Sequence[Proposal], n: int, rng: np.random.Generator
    ) -> list[Proposal]:
        end()


operator = Operator(name="ending", arity=1, forward=end, tangent="da", cost=1.0)
target = Target(".txt", end)
