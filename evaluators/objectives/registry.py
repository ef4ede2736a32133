"""The objectives by name, and those of users' files. docs/objectives.md says how one is added."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Literal, TypeGuard

from evaluators.errors import EvaluationError
from evaluators.objectives.dead_neurons import DeadNeurons
from evaluators.objectives.formula.chi import Chi
from evaluators.objectives.formula.complexity import Complexity
from evaluators.objectives.formula.correlation_map import MapAtZero, MapCurvature, MapSlope
from evaluators.objectives.formula.cost import Cost
from evaluators.objectives.formula.deep_limit import DeepLimitClass
from evaluators.objectives.formula.information_depth import InformationDepth
from evaluators.objectives.formula.lipschitz import Lipschitz
from evaluators.objectives.formula.saved_bytes import SavedBytes
from evaluators.objectives.formula.twobit_error import TwoBitError
from evaluators.objectives.gain import Gain
from evaluators.objectives.lipschitz_bounds import LipschitzLower, LipschitzUpper
from evaluators.objectives.measured import MeasuredObjective
from evaluators.objectives.noise import Noise
from evaluators.objectives.objective import Objective, Trained
from evaluators.objectives.precision.analogue import AnalogueNoise
from evaluators.objectives.precision.bfloat16 import BFloat16
from evaluators.objectives.precision.kurtosis import Kurtosis
from evaluators.objectives.precision.quantised import Int4, Int4Percentile, Int8, Int8Percentile
from evaluators.objectives.predictions.accuracy import Accuracy
from evaluators.objectives.predictions.calibration import Brier, Ece
from evaluators.objectives.predictions.churn import Churn
from evaluators.objectives.predictions.relative_difference import RelativeDifference
from evaluators.objectives.predictions.reproducibility import Reproducibility
from evaluators.objectives.robustness import Robustness
from evaluators.objectives.sparse.cett import CettSparsity
from evaluators.objectives.sparse.predictivity import Predictivity
from evaluators.objectives.sparse.reuse import Reuse
from evaluators.objectives.sparse.top_k import TopK
from evaluators.objectives.sparsity import Sparsity
from evaluators.objectives.worst_gain import WorstGain
from primitives.errors import UserFileError, nearest
from primitives.expression.expression import Expression
from primitives.quoting import quoted
from primitives.user_file import CONSENT, FileNotRun, Wanted, is_reference, load, made, parts_of

DEFAULT = ("gain", "cost")

OBJECTIVES: dict[str, Objective] = {
    each.name: each
    for each in (
        Gain(),
        Cost(),
        WorstGain(),
        Complexity(),
        SavedBytes(),
        TwoBitError(),
        Lipschitz(),
        Chi(),
        MapAtZero(),
        MapSlope(),
        MapCurvature(),
        InformationDepth(),
        DeepLimitClass(),
        Reproducibility(),
        Churn(),
        RelativeDifference(),
        Sparsity(),
        CettSparsity(),
        Predictivity(),
        Reuse(),
        TopK(),
        Robustness(),
        Noise(),
        Int8(),
        Int8Percentile(),
        Int4(),
        Int4Percentile(),
        BFloat16(),
        AnalogueNoise(),
        Kurtosis(),
        DeadNeurons(),
        Accuracy(),
        LipschitzLower(),
        LipschitzUpper(),
        Ece(),
        Brier(),
    )
}
#: Those of users' files that this process has loaded, by name; results have the name, not the file.
_LOADED: dict[str, tuple[str, Objective]] = {}
#: Those of files that are not run, by reference and by name.
_UNREAD: dict[str, Objective] = {}


class _Unread(Objective):
    unit = "units of its own"
    formula: ClassVar[str] = ""
    source: ClassVar[str] = ""
    kind = "formula"

    def value(self, trained: Trained) -> float:
        raise FileNotRun(
            f"the objective {quoted(self.name)} is of a file, which is not run to look at a run; {CONSENT}"
        )


def stand_in(reference: str, name: str, direction: Literal["maximize", "minimize"]) -> None:
    """Let :func:`objective` know by name and direction, as a run recorded them, one whose file it may not run."""
    own = type("Unread", (_Unread,), {"name": name, "direction": direction})()
    _UNREAD.update({reference: own, name: own})


def objective(name: str) -> Objective:
    """An objective by name, or by reference to a class in a file, ``path/to/file.py:Name``; once loaded by name, too.

    Raises:
        EvaluationError: there is none of that name; the message has the nearest one.
        UserFileError: see :func:`primitives.user_file.load`; or another objective has the same name.
    """
    if is_reference(name):
        return _of_file(name)
    if name in OBJECTIVES:
        return OBJECTIVES[name]
    if name in _LOADED:
        return _LOADED[name][1]
    if name in _UNREAD:
        return _UNREAD[name]
    raise EvaluationError(
        f"unknown objective {quoted(name)}{nearest(name, OBJECTIVES)}; available: {', '.join(OBJECTIVES)}"
    )


def _is_objective(found: object) -> TypeGuard[type[Objective]]:
    return isinstance(found, type) and issubclass(found, Objective)


_WANTED = Wanted("objective", "a subclass of FormulaObjective or MeasuredObjective", _is_objective)


def _of_file(reference: str) -> Objective:
    try:
        kind = load(reference, _WANTED)
    except FileNotRun:
        if reference in _UNREAD:
            return _UNREAD[reference]
        raise
    own = made(reference, "objective", kind)
    path, wanted, _ = parts_of(reference)
    for attribute in ("name", "unit", "direction", "formula", "source", "kind"):
        if not isinstance(getattr(own, attribute, None), str):
            raise UserFileError(f"{path}: {wanted} has no {attribute}, which must be a text")
    if own.direction not in ("maximize", "minimize"):
        raise UserFileError(f"{path}: {wanted}: direction: expected maximize or minimize, got {quoted(own.direction)}")
    place = f"{Path(path).resolve()}:{wanted}"
    holder = "the package" if own.name in OBJECTIVES else _LOADED.get(own.name, (place,))[0]
    if holder != place:
        raise UserFileError(f"{place}: {holder} has an objective of the name {quoted(own.name)}; choose another one")
    _LOADED[own.name] = place, own
    return own


def check_names(names: Iterable[str]) -> None:
    """Refuse names that are no objectives; those of files are loaded.

    Raises:
        EvaluationError, UserFileError: see :func:`objective`.
    """
    for name in names:
        objective(name)


def check_kinds(names: Iterable[str], expressions: Iterable[Expression]) -> None:
    """Refuse objectives that have no number for some function, before anything is trained.

    Raises:
        EvaluationError: names the objective, the function and its kind.
    """
    known = list(expressions)
    for own in map(objective, names):
        for expression in known:
            if why := own.lacks(expression):
                raise EvaluationError(f"the objective {quoted(own.name)}: {why}")


def measured_objectives(names: Iterable[str]) -> tuple[MeasuredObjective, ...]:
    """Those of the objectives that a cohort must measure on its trained models."""
    found = map(objective, names)
    return tuple(each for each in found if isinstance(each, MeasuredObjective))


def measured_names(names: Iterable[str]) -> tuple[str, ...]:
    """Those of the names that :func:`measured_objectives` has, references as they are."""
    return tuple(name for name in names if measured_objectives([name]))
