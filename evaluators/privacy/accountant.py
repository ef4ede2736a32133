"""How much a training gives away: epsilon at a delta, counted by the library opacus."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from evaluators.errors import EvaluationError
from evaluators.privacy.settings import Privacy

INSTALL = "pip install 'actsearch[privacy]'"


def epsilon(privacy: Privacy, steps: int, delta: float) -> float:
    """Epsilon of a training, by the Renyi accountant of Mironov 2017 (arXiv:1702.07476) with Poisson sampling.

    It is about two sets that differ by one training example. Numbers that are chosen on validation, such as the
    learning rate, are not counted.

    Args:
        privacy: clip, noise and sampling.
        steps: of the training.
        delta: the probability with which the bound may fail; below 1 / training examples.

    Raises:
        EvaluationError: the library is not installed.
    """
    with _library():
        from opacus.accountants import RDPAccountant

        accountant = RDPAccountant()
        accountant.history = [(privacy.noise, privacy.sampling, steps)]
        return float(accountant.get_epsilon(delta=delta))


@cache
def noise_for(target: float, *, delta: float, sampling: float, steps: int) -> float:
    """The noise that makes a training's :func:`epsilon` ``target``, at most .01 below it.

    Raises:
        EvaluationError: the library is not installed.
    """
    with _library():
        from opacus.accountants.utils import get_noise_multiplier

        asked = {"target_epsilon": target, "target_delta": delta, "sample_rate": sampling, "steps": steps}
        return float(get_noise_multiplier(**asked, accountant="rdp"))


@contextmanager
def _library() -> Iterator[None]:
    """A context in which opacus may be missing, and says nothing of orders that its bisection leaves again."""
    with warnings.catch_warnings(action="ignore"):
        try:
            yield
        except ImportError as error:
            raise EvaluationError(
                f"private training needs the library opacus, which counts epsilon: {INSTALL}"
            ) from error
