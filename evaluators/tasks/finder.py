"""Tasks by name: the shipped ones, groups of them, and classes in files of the user's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeGuard

from evaluators.errors import TaskError
from evaluators.tasks.base import Task
from evaluators.tasks.shipped.bandit import Bandit
from evaluators.tasks.shipped.digits import (
    DeepDigits,
    DeepNarrowDigits,
    DigitImages,
    Digits,
    ResidualDigits,
    ResidualPerceptronDigits,
)
from evaluators.tasks.shipped.extrapolation import PeriodicExtrapolation
from evaluators.tasks.shipped.fields.chirp import Chirp
from evaluators.tasks.shipped.fields.denoising_score import DenoisingScore
from evaluators.tasks.shipped.fields.formulas import FORMULAS, FormulaFit
from evaluators.tasks.shipped.fields.photograph_fields import Inpainting, Superresolution
from evaluators.tasks.shipped.forgetting import SplitDigits, SplitSignals
from evaluators.tasks.shipped.graphs import BlockModel
from evaluators.tasks.shipped.image_sets import SOURCES, ImageSet, ResidualImages
from evaluators.tasks.shipped.mnist1d import (
    ResidualSignals,
    SignalCNN,
    SignalGRU,
    SignalPatches,
    SignalPerceptron,
)
from evaluators.tasks.shipped.modular_addition import ModularAddition
from evaluators.tasks.shipped.optional.cartpole import CartPole
from evaluators.tasks.shipped.optional.private_digits import PrivateDigits
from evaluators.tasks.shipped.out_of_distribution import FalsePositives, OutOfDistribution
from evaluators.tasks.shipped.photographs import ImageField, NoisyPatches
from evaluators.tasks.shipped.physics.bound_states import Barrier, FiniteWell, InfiniteWell
from evaluators.tasks.shipped.physics.burgers import Burgers
from evaluators.tasks.shipped.physics.multi_stage import MultiStage
from evaluators.tasks.shipped.physics.waves import Helmholtz, Poisson
from evaluators.tasks.shipped.pruned import Pruned, PrunedDigits, PrunedSignals
from evaluators.tasks.shipped.published import FAMILIES, PUBLISHED, PUBLISHED_WITH_DATA, PublishedNetwork
from evaluators.tasks.shipped.sized import SizedTask
from evaluators.tasks.shipped.source_text import GatedSourceText, SourceText
from evaluators.tasks.shipped.tabular import Table
from primitives.errors import nearest
from primitives.quoting import quoted
from primitives.user_file import Wanted, is_reference, load, made, parts_of

_TASKS: dict[str, Callable[[], Task]] = {
    "digits": Digits,
    "digits-10x32": lambda: Digits(10, 32),
    "digits-deep": DeepDigits,
    "digits-deep-narrow": DeepNarrowDigits,
    "digits-residual": ResidualPerceptronDigits,
    "digits-cnn": DigitImages,
    "digits-resnet": ResidualDigits,
    "image-inr": ImageField,
    "image-denoise": NoisyPatches,
    "periodic-extrapolation": PeriodicExtrapolation,
    "image-superres": Superresolution,
    "image-inpaint": Inpainting,
    "audio-inr": Chirp,
    "denoising-score": DenoisingScore,
    **{f"kan-{formula}": partial(FormulaFit, formula) for formula in FORMULAS},
    "pinn-infinite-well": InfiniteWell,
    "pinn-finite-well": FiniteWell,
    "pinn-barrier": Barrier,
    "pinn-poisson": Poisson,
    "pinn-helmholtz": Helmholtz,
    "pinn-burgers": Burgers,
    "multi-stage": MultiStage,
    "split-digits": SplitDigits,
    "split-mnist1d": SplitSignals,
    "modular-addition": ModularAddition,
    "gcn-sbm": BlockModel,
    "bandit": Bandit,
    "ood-digits": OutOfDistribution,
    "ood-digits-fpr95": FalsePositives,
    "bytes-lm": SourceText,
    "bytes-lm-gated": GatedSourceText,
    "tabular-cancer": lambda: Table("cancer"),
    "tabular-wine": lambda: Table("wine"),
    "tabular-diabetes": lambda: Table("diabetes"),
    "mnist1d-mlp": SignalPerceptron,
    "mnist1d-cnn": SignalCNN,
    "mnist1d-gru": SignalGRU,
    "mnist1d-vit": SignalPatches,
    "mnist1d-resnet": ResidualSignals,
    "digits-pruned": PrunedDigits,
    "mnist1d-pruned": PrunedSignals,
    **{f"{source}-{family}": partial(PublishedNetwork, source, family) for source in PUBLISHED for family in FAMILIES},
}
#: Their data does not come with an installed package.
_WITH_DATA: dict[str, Callable[[], Task]] = {
    **{kind: partial(ImageSet, kind) for kind in SOURCES},
    **{f"{kind}{ResidualImages.suffix}": partial(ResidualImages, kind) for kind in SOURCES},
    **{f"{source}-{f}": partial(PublishedNetwork, source, f) for source in PUBLISHED_WITH_DATA for f in FAMILIES},
}
#: They need a library of an extra, and say so where it is missing.
_WITH_LIBRARY: dict[str, Callable[[], Task]] = {"dp-sgd": PrivateDigits, "cartpole": CartPole}
_MORE = _WITH_LIBRARY | _WITH_DATA
#: A config may name a group; it stands for its tasks.
_GROUPS = {
    "tabular": ("tabular-cancer", "tabular-wine", "tabular-diabetes"),
    "mnist1d": ("mnist1d-mlp", "mnist1d-cnn", "mnist1d-gru", "mnist1d-vit"),
    "kan": tuple(f"kan-{formula}" for formula in FORMULAS),
}


def task_names() -> tuple[str, ...]:
    """Names of the shipped tasks whose data is there with every installation."""
    return tuple(_TASKS)


def task_names_with_extras() -> tuple[str, ...]:
    """The same, and those that need a library out of an extra, which may be missing."""
    return (*_TASKS, *_WITH_LIBRARY)


def expanded(names: Iterable[str]) -> tuple[str, ...]:
    """Names with each group replaced by its tasks."""
    return tuple(each for name in names for each in _GROUPS.get(name, (name,)))


def task(name: str | Task) -> Task:
    """A task by name, or by reference to a class in a file, ``path/to/my_task.py:MyTask``; a task as it is.

    A shipped task with a network of its own takes a size, depth x width, behind its name: ``digits-5x32``. One with
    a pruned network takes the share of masked weights, before a size: ``digits-pruned-0.99-5x64``.

    Raises:
        TaskError: the name is unknown, the message names the nearest one.
        UserFileError: see :func:`primitives.user_file.load`.
    """
    if isinstance(name, Task):
        return name
    if is_reference(name):
        return _of_file(name)
    if name in _GROUPS:
        raise TaskError(f"{quoted(name)} is a group of tasks, here one is needed: {', '.join(_GROUPS[name])}")
    tasks = _TASKS | _MORE
    if name in tasks:
        return tasks[name]()
    if sized := _sized(name):
        return sized
    known = (*tasks, *_GROUPS)
    raise TaskError(
        f"unknown task {quoted(name)}{nearest(name, known)}; available: {', '.join(known)}, those with a network of "
        "another depth and width, as in digits-5x32, pruned ones of another sparsity, as in digits-pruned-0.99, and "
        "classes in files, as in path/to/my_task.py:MyTask"
    )


def _is_task(found: object) -> TypeGuard[type[Task]]:
    return isinstance(found, type) and issubclass(found, Task)


_WANTED = Wanted("task", "a subclass of evaluators.Task", _is_task)


def _of_file(reference: str) -> Task:
    """A task of a class in a file, made without arguments. A task without a name gets the class's."""
    own = made(reference, "task", load(reference, _WANTED))
    own.name = own.name or parts_of(reference)[1]
    return own


def _sized(name: str) -> Task | None:
    """A shipped task with a network of another depth and width, sparsity, or both; None if it is no such name."""
    match = re.fullmatch(r"(.+)-([1-9]\d{0,2})x([1-9]\d{0,3})", name)
    if match is None:
        return _sparse(name)
    tasks = _TASKS | _MORE
    usual = tasks[match[1]]() if match[1] in tasks else _sparse(match[1])
    return usual.resized(int(match[2]), int(match[3])) if isinstance(usual, SizedTask) else None


def _sparse(name: str) -> Task | None:
    """A shipped task with a pruned network of another sparsity, as its name says; None if it is no such name."""
    match = re.fullmatch(r"(.+)-(0(?:\.\d{0,3}[1-9])?)", name)
    usual = _TASKS[match[1]]() if match and match[1] in _TASKS else None
    return usual.sparse(float(match[2])) if match and isinstance(usual, Pruned) else None
