"""Optuna's samplers by name: which can be used here, and how one is made of a config's settings."""

from __future__ import annotations

import importlib.util
import inspect
import warnings
from collections.abc import Mapping

import optuna
from optuna.samplers import BaseSampler

from primitives.errors import nearest
from primitives.quoting import quoted
from search.errors import ConfigError

#: Sampler -> why it is refused.
REFUSED = {
    "BaseGASampler": "it is a base class",
    "BaseSampler": "it is a base class",
    "BruteForceSampler": "it has to see all trials; the strategy 'exhaustive' walks a grammar",
    "GridSampler": "it has to see all trials; the strategy 'exhaustive' walks a grammar",
    "PartialFixedSampler": "it needs another sampler, which a config cannot name",
}
#: Samplers that know no categories: a decision is the number of its choice.
NUMERIC = frozenset({"CmaEsSampler"})
#: Samplers that know one objective only: the gain.
SINGLE = frozenset({"CmaEsSampler"})
GP_LARGEST = 500  # its cost grows with the cube of the trials
_WARNING = frozenset({"CmaEsSampler", "GPSampler", "QMCSampler"})  # a line for each decision of the first trial
_KINDS = {"bool": bool, "int": int, "float": float, "str": str, "None": type(None)}


def sampler_names() -> list[str]:
    """The samplers of the installed Optuna that can be used here."""
    names = [name for name in optuna.samplers.__all__ if name.endswith("Sampler")]
    return sorted(name for name in names if name not in REFUSED)


def make_sampler(name: str, arguments: Mapping[str, object], seed: int) -> BaseSampler:
    """A sampler of Optuna.

    Args:
        name: of its class in :mod:`optuna.samplers`.
        arguments: keyword arguments of the class; plain values, the seed is not among them.
        seed: from 0 to 2**32 - 1.

    Raises:
        ConfigError: the sampler or an argument is unknown or cannot be used; names the nearest.
    """
    if name in REFUSED:
        raise ConfigError(f"sampler {quoted(name)} cannot be used: {REFUSED[name]}")
    if name not in (names := sampler_names()):
        raise ConfigError(f"unknown sampler {quoted(name)}{nearest(name, names)}; available: {', '.join(names)}")
    if name == "CmaEsSampler" and importlib.util.find_spec("cmaes") is None:
        raise ConfigError(f"sampler {quoted(name)} needs the package 'cmaes': pip install cmaes")
    kind = getattr(optuna.samplers, name)
    _check(name, kind, arguments)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # QMC, NSGA-III: their interface
            quiet = {"warn_independent_sampling": False} if name in _WARNING else {}
            sampler: BaseSampler = kind(**quiet | dict(arguments), seed=seed)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"sampler {quoted(name)}: {error}") from None
    return sampler


def _check(name: str, kind: type, arguments: Mapping[str, object]) -> None:
    """Each argument is one of the sampler's and of a kind that its annotation names."""
    parameters = inspect.signature(kind).parameters
    kinds = {key: _plain_kinds(parameter.annotation) for key, parameter in parameters.items() if key != "seed"}
    plain = {key: accepted for key, accepted in kinds.items() if set(accepted) - {"None"}}
    for key, value in arguments.items():
        if key == "seed":
            raise ConfigError(f"sampler {quoted(name)}: the seed comes from the run's seed and the cohort")
        if key not in plain:
            raise ConfigError(f"sampler {quoted(name)}: unknown argument {quoted(key)}{nearest(key, plain)}")
        expected = [_KINDS[word] for word in plain[key]]
        if type(value) not in expected and not (type(value) is int and float in expected):
            raise ConfigError(f"sampler {quoted(name)}: {key}: expected {' or '.join(plain[key])}, got {quoted(value)}")


def _plain_kinds(annotation: object) -> list[str]:
    """The kinds of plain values that an annotation such as ``"int | None"`` names."""
    return [word for word in str(annotation).split(" | ") if word in _KINDS]
