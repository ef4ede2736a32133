"""The config of a job: YAML, checked when it is loaded, written back as it was used."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import ErrorDetails

from evaluators.controls import Named, builtin_controls, function_of, more_controls
from evaluators.errors import EvaluationError, TaskError
from evaluators.objectives import DEFAULT, Aggregate, check_names, constraint, measured_objectives, objective
from evaluators.objectives.tryout import try_out_objective
from evaluators.places.each_place import kinds_of
from evaluators.places.fitting import Fitting
from evaluators.rejection import RecallTarget, check_accuracy, rung_rule
from evaluators.rejection.tryout import try_out_rule
from evaluators.results.json_codec import JsonObject
from evaluators.seeds import numpy_generator
from evaluators.statistics import FEWEST_SEEDS
from evaluators.tasks import expanded, task
from evaluators.tasks.conditions import INITIALS, SCALES, Conditions, common_scale, under
from evaluators.tasks.loop_task import LoopTask
from evaluators.tasks.optimisers import OPTIMISERS
from evaluators.tasks.place import PlaceKind
from evaluators.tasks.recipe import Recipe, trained_by
from evaluators.tasks.tryout import try_out
from evaluators.training.schedules import SCHEDULES
from evaluators.training.train import WIDTH
from primitives.equivalence.signs import SIGNS
from primitives.errors import ActsearchError, nearest
from primitives.expression.parsing import parse
from primitives.grammars import grammar, is_pinned, pinned_grammar
from primitives.operators.of_files import register_of_files
from primitives.plain_file import read_text
from primitives.quoting import quoted
from primitives.user_file import is_reference, label, parts_of, pinned, running_none, withheld
from primitives.yaml_text import DEEPEST, LONGEST, YamlError, loaded
from search.baseline.functions import checked_functions
from search.conditions import Setting, asked_of, checked_setting, in_words, resolved
from search.engine.scoring import Scoring
from search.errors import ConfigError
from search.measurable import check_measurable
from search.strategies import settings_of, strategy
from search.trust import check_address, check_references, in_run_folder
from search.tuning.record import Space
from search.units import check_losses_units, check_units

SHOWN = 20  #: problems of a config in a message
DRAWS = 100  #: of a grammar, to see whether any function fits the tasks' places
FEW = 100  #: entries of a list of tasks, objectives, operators or controls


class Section(BaseModel):
    """A part of a config: frozen, and no key beyond those declared."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_switch(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic takes true for 1."""
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError(f"expected neither true nor false, got {str(value).lower()}")
        return value


#: Of ``lag: auto``: cohorts under way for each worker, so that one that takes three times as long holds nobody up; and
#: the share of a job's cohorts that they are at most, as they are proposed without knowing of each other.
AHEAD, UNDER_WAY = 3, 0.1


def automatic_lag(workers: int, cohorts: int) -> int:
    """What ``lag: auto`` stands for, see docs/scaling.md; never less than gives every worker a cohort."""
    return min(4096, max(workers - 1, min(AHEAD * workers, int(UNDER_WAY * cohorts)) - 1, 1))


class Cohorts(Section):
    """Candidates trained together, and how far proposals run ahead of results.

    In a file ``lag`` may be ``auto``; the config of a run has the number, see :func:`automatic_lag`.
    """

    size: int = Field(24, ge=1, le=4096)
    lag: int = Field(1, ge=0, le=4096)


class Training(Section):
    """How a candidate is trained in the search."""

    seeds: int = Field(1, ge=1, le=1024)  # of every candidate
    race: tuple[tuple[float, int], ...] = ((0.4, 1), (0.2, 1), (0.1, 2), (0.05, 4))  # share of the best, more seeds
    steps: int = Field(100, ge=1)
    rungs: tuple[int, ...] = ()
    learning_rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2)  # empty: each task's own
    drop_worst_rate: bool = True  # of three or more, at the first rung, for each candidate and control
    width: int | None = Field(WIDTH, ge=1)  # None: each worker probes for the fastest
    device: str = Field("cpu", pattern=r"^(cpu|cuda(:\d+)?)$")
    autocast: Literal["bfloat16", "float16"] | None = None
    initial: Setting = None  # of the weights, own or drawn; None: each task's own setting, a list: one for each task
    scale: Setting = None  # of a candidate, none or unit; likewise
    signs: tuple[Literal["mirrored", "negated", "point-reflected"], ...] | None = None  # None: found out at launch

    @field_validator("initial", "scale", mode="before")
    @classmethod
    def _condition(cls, value: Any, info: ValidationInfo) -> Setting:
        return checked_setting(value, INITIALS if info.field_name == "initial" else SCALES)

    @field_validator("race")
    @classmethod
    def _narrowing(cls, race: tuple[tuple[float, int], ...]) -> tuple[tuple[float, int], ...]:
        shares = [1.0, *(share for share, _ in race)]
        if any(not 0 < b <= a for a, b in pairwise(shares)):
            raise ValueError(f"shares must not grow from lap to lap, above 0 and at most 1, got {shares[1:]}")
        if any(not 1 <= seeds <= 1024 for _, seeds in race):
            raise ValueError(f"each lap has 1 to 1024 more seeds, got {[seeds for _, seeds in race]}")
        return race

    @field_validator("learning_rates")
    @classmethod
    def _positive(cls, rates: tuple[float, ...]) -> tuple[float, ...]:
        if any(rate <= 0 for rate in rates):
            raise ValueError("learning rates must be above 0")
        return rates

    @field_validator("signs")
    @classmethod
    def _group(cls, signs: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if signs is not None and len(set(signs)) == 2:
            raise ValueError(
                f"{' and '.join(signs)} functions being one class, so are all three: name one, three or none"
            )
        return None if signs is None else tuple(each for each in SIGNS if each in signs)

    @model_validator(mode="after")
    def _increasing(self) -> Training:
        bounds = (0, *self.rungs, self.steps)
        if any(a >= b for a, b in pairwise(bounds)):
            raise ValueError(f"rungs must increase from above 0 to below steps ({self.steps}), got {list(self.rungs)}")
        return self

    @property
    def seeds_in_words(self) -> str:
        """As ``1 seed, up to 9 for the best``."""
        words = f"{self.seeds} seed{'s' * (self.seeds > 1)}"
        return f"{words}, up to {self.seeds + sum(more for _, more in self.race)} for the best" if self.race else words


class Rejection(Section):
    """Early rejection: the rule, what it has to hold, and who is trained to the end to calibrate and to audit it.

    ``rule`` names a rung rule, see :mod:`evaluators.rejection`. ``recall`` of the best ``top`` of all candidates is
    kept. The first ``warmup`` candidates and then the share ``audit``, by lot, are trained to the end but for failures;
    ``audit: 1`` turns thresholds off. The share ``screened`` of the candidates that a soft screen stops is passed on,
    to see what the screens cost. What is less accurate than ``accuracy`` at a rung goes, warm-up and audit or not: it
    takes the place of the failures that compare with the reference. With ``stability`` what fails the gradient-ascent
    test of :mod:`evaluators.rejection.stability` is not trained.
    """

    rule: str = "recall"
    recall: float = Field(0.95, gt=0, le=1)
    top: float = Field(0.01, gt=0, le=1)
    warmup: int = Field(256, ge=0)
    audit: float = Field(0.05, ge=0, le=1)
    screened: float = Field(0.0, ge=0, le=1)
    accuracy: float | None = Field(None, gt=0, lt=1)
    stability: bool = False

    @field_validator("rule")
    @classmethod
    def _rule(cls, name: str) -> str:
        return _known(name, lambda: parts_of(name) if is_reference(name) else rung_rule(name))


class Baseline(Section):
    """Known functions, trained before the search and outside its budget, as a find has to beat the best of them.

    ``functions`` is ``catalogue``; ``panel``, 24 that stand for it; ``auto``, the catalogue where it is at most a
    quarter of the budget, else the panel; ``none``; or a list of expressions and names of the catalogue.
    """

    functions: str | tuple[str, ...] = "auto"

    @field_validator("functions", mode="before")
    @classmethod
    def _functions(cls, value: Any) -> Any:
        try:
            return checked_functions(value)
        except ActsearchError as error:
            if withheld():
                return value
            raise ValueError(str(error)) from None


class Hpo(Section):
    """Tuning before the confirmation: of each finalist and each control, with the same trials in the same space.

    What is tried for a function on a task are ``trials`` recipes by Optuna's TPE, on ``seeds`` seeds of the search's
    part of the data: optimiser, rate, weight decay, schedule; for ``sgd`` the momentum, too.
    """

    trials: int = Field(20, ge=1, le=1000)
    seeds: int = Field(2, ge=1, le=64)
    optimisers: tuple[str, ...] = Field(tuple(OPTIMISERS), min_length=1, max_length=FEW)
    schedules: tuple[str, ...] = Field(tuple(SCHEDULES), min_length=1, max_length=FEW)
    learning_rates: tuple[float, float] = (1e-4, 1e-1)
    weight_decay: tuple[float, float] = (1e-5, 1e-1)

    @field_validator("optimisers", "schedules")
    @classmethod
    def _named(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        known = OPTIMISERS if info.field_name == "optimisers" else SCHEDULES
        for name in names:
            if name not in known:
                raise ValueError(f"expected some of {', '.join(known)}, got {quoted(name)}{nearest(name, known)}")
        if len(set(names)) < len(names):
            raise ValueError("one is named twice")
        return names

    @field_validator("learning_rates", "weight_decay")
    @classmethod
    def _range(cls, ends: tuple[float, float]) -> tuple[float, float]:
        if not 0 < ends[0] < ends[1]:
            raise ValueError(f"expected the smallest and the largest, above 0 and increasing, got {list(ends)}")
        return ends


class Confirmation(Section):
    """Finalists on seeds, data and a network that the search never saw; ``finalists: 0`` leaves it out.

    In ``rounds`` of training on the search's tasks each finalist is shortened and its constants are refined; its short
    form is confirmed beside it. ``unseen`` names a task that was not
    searched: ``auto`` takes a shipped one if the job has a shipped one, null none. ``stability: true`` refuses
    finalists that fail the gradient-ascent test of :mod:`evaluators.rejection.stability`. With ``hpo`` each finalist
    and each control is tuned before.
    """

    finalists: int = Field(5, ge=0, le=100)
    seeds: int = Field(32, ge=2, le=1024)
    steps: int | None = Field(None, ge=1)
    rounds: int = Field(2, ge=0, le=20)
    unseen: str | None = "auto"
    stability: bool = False
    hpo: Hpo | None = None

    @property
    def space(self) -> Space | None:
        """What is searched for each function before it is confirmed; None where nothing is tuned."""
        return None if self.hpo is None else Space(**self.hpo.model_dump())

    @field_validator("unseen")
    @classmethod
    def _task(cls, name: str | None) -> str | None:
        return name if name in (None, "auto") else _known_task(name)

    @model_validator(mode="after")
    def _enough(self) -> Confirmation:
        if self.finalists and self.seeds < FEWEST_SEEDS:
            raise ValueError(
                f"seeds: expected at least {FEWEST_SEEDS}, as fewer say too little of the noise, got {self.seeds}"
            )
        return self


class Workers(Section):
    """Ray actors; ``count: 0`` trains in this process."""

    count: int = Field(2, ge=0, le=100_000)
    gpus: float = Field(0.0, ge=0.0, le=64.0)  # of each; with 0 they see all that are there
    address: str | None = None
    temp_dir: str | None = None  # for the files of a Ray on this machine
    checkpoint_seconds: float = Field(60.0, ge=0.0)  # a cohort under way saves its state at a rung this often


class Config(Section):
    """All that decides a job's results, and where it runs."""

    operators: tuple[str, ...] = Field((), max_length=FEW)  # of files; first, as all below may be written with them
    grammar: str = "default"
    tasks: tuple[str, ...] = Field(default=("digits",), min_length=1, max_length=FEW)
    objectives: tuple[str, ...] = Field(DEFAULT, max_length=FEW)
    constraints: tuple[str, ...] = Field((), max_length=FEW)  # as in ["churn <= 0.05"]
    aggregate: Aggregate = "mean"
    strategy: dict[str, object] = Field(default_factory=lambda: dict[str, object](name="evolution"))
    start: tuple[str, ...] = ()
    controls: tuple[str, ...] = Field(
        (), max_length=FEW
    )  # beside those that every job has; expressions, or names of the catalogue
    budget: int = Field(..., ge=1)
    seed: int = Field(0, ge=0)
    cohorts: Cohorts = Field(default_factory=lambda: Cohorts.model_validate({}))
    baseline: Baseline = Field(default_factory=lambda: Baseline.model_validate({}))
    training: Training = Field(default_factory=lambda: Training.model_validate({}))
    rejection: Rejection = Field(default_factory=lambda: Rejection.model_validate({}))
    confirmation: Confirmation = Field(default_factory=lambda: Confirmation.model_validate({}))
    workers: Workers = Field(default_factory=lambda: Workers.model_validate({}))

    @field_validator("operators")
    @classmethod
    def _operators(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            _known(name, lambda name=name: register_of_files([name]))
        return names

    @field_validator("grammar")
    @classmethod
    def _grammar(cls, name: str) -> str:
        return _known(
            name, lambda: None if is_pinned(name) else grammar(name)
        )  # an old run can be looked at without it

    @field_validator("tasks")
    @classmethod
    def _tasks(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        names = expanded(names)
        for name in names:
            _known_task(name)
        labels = [label(name) for name in names]
        if twice := sorted({each for each in labels if labels.count(each) > 1}):
            raise ValueError(f"{twice[0]} is named twice")
        return names

    @field_validator("objectives")
    @classmethod
    def _objectives(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        try:
            check_names(name for name in names if not is_reference(name))
            for name in filter(is_reference, names):
                parts_of(name)
        except ActsearchError as error:
            raise ValueError(str(error)) from None
        if "gain" not in names:
            raise ValueError(f"expected 'gain' among the objectives, got {', '.join(names) or 'none'}")
        if len(set(names)) < len(names):
            raise ValueError("an objective is named twice")
        return ("gain", *(name for name in names if name != "gain"))

    @field_validator("constraints")
    @classmethod
    def _constraints(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            _known(text, lambda text=text: constraint(text))
        return texts

    @model_validator(mode="after")
    def _differences(self) -> Config:
        seeds = self.training.seeds
        shipped = [name for name in self.scored if not is_reference(name)]
        for each in measured_objectives(shipped):
            if seeds < (fewest := each.fewest_seeds):
                raise ValueError(f"training.seeds: {each.name} needs at least {fewest} seeds, got {seeds}")
        by = self.strategy.get("by")
        if self.strategy["name"] == "late_acceptance" and by not in (None, *self.objectives):
            names = ", ".join(self.objectives)
            raise ValueError(f"strategy.by: {quoted(by)} is none of the objectives, {names}; name it there")
        if self.confirmation.unseen in self.tasks:
            raise ValueError(f"confirmation.unseen: {label(str(self.confirmation.unseen))} is searched; name another")
        for name in ("initial", "scale"):
            setting = getattr(self.training, name)
            if isinstance(setting, tuple) and len(setting) != len(self.tasks):
                raise ValueError(
                    f"training.{name}: expected one for each of {len(self.tasks)} tasks, or one for all without a "
                    f"list, got {len(setting)}"
                )
        return self

    def asked(self, *names: str) -> tuple[Conditions, ...]:
        """What the job asks of the weights and the scale on some tasks, searched or not."""
        numbers = [self.tasks.index(name) if name in self.tasks else None for name in names]
        return tuple(asked_of(self.training.initial, self.training.scale, number) for number in numbers)

    @property
    def all_controls(self) -> Named:
        """The controls of a job, names with texts, the built-in ones first; files of tasks are read."""
        builtin = builtin_controls(map(task, self.tasks))
        return (*builtin.items(), *more_controls(self.controls, builtin))

    @property
    def kinds(self) -> tuple[PlaceKind, ...]:
        """The kinds of all tasks' places, each once; files of tasks are read."""
        return tuple(dict.fromkeys(kind for name in self.tasks for kind in kinds_of(task(name))))

    @property
    def fitting(self) -> Fitting:
        """Whether candidates fit the places of the tasks; files of tasks are read."""
        return Fitting(map(task, self.tasks))

    @property
    def conditions(self) -> tuple[Conditions, ...]:
        """The conditions on each task; the file of a task is read where the config leaves them to it."""
        return resolved(self.tasks, self.asked(*self.tasks))

    @property
    def conditions_in_words(self) -> str:
        """Both settings for people."""
        return in_words(self.tasks, self.conditions)

    @property
    def exact(self) -> bool:
        """A class of the job holds equal functions: on a task at least they are applied as they are.

        Otherwise functions that are equal up to a positive factor are one class.
        """
        return self.scale == "none"

    @property
    def scale(self) -> str:
        """The scale of a function over all tasks."""
        return common_scale(each.scale for each in self.conditions)

    @property
    def scored(self) -> tuple[str, ...]:
        """The objectives, and those that have a bound, as the config names them."""
        return tuple(dict.fromkeys((*self.objectives, *(constraint(text).objective for text in self.constraints))))

    @property
    def scoring(self) -> Scoring:
        """The job's objectives by their names, and its constraints; those of files are loaded."""
        names = tuple(objective(name).name for name in self.objectives)
        bounds = tuple(map(constraint, self.constraints))
        return Scoring(names, self.aggregate, self.scale, self.training.signs or (), bounds)

    @property
    def strategy_label(self) -> str:
        """What the strategy is called in tables."""
        return label(str(self.strategy["name"]))

    @field_validator("start")
    @classmethod
    def _start(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            _known(text, lambda text=text: parse(text))
        return texts

    @field_validator("controls")
    @classmethod
    def _controls(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        try:
            more_controls(entries)
        except ActsearchError as error:
            if not withheld():
                raise ValueError(str(error)) from None
        return entries

    @field_validator("strategy", mode="before")
    @classmethod
    def _strategy(cls, value: Any) -> Any:
        try:
            settings = settings_of(value)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        name = str(settings["name"])
        _known(name, lambda: parts_of(name) if is_reference(name) else strategy(settings))
        return settings


def with_pinned_files(config: Config) -> tuple[Config, tuple[str, ...]]:
    """The config with absolute paths of the user's files and their hashes; what they have is tried out.

    Returns:
        The config, and notes for people on the tasks of the user's files.

    Raises:
        UserFileError: a file is missing, is not the one that was pinned, or has not what it was named for.
        GrammarError: likewise, of a grammar.
        TaskError: a task of a file does not work, or has no accuracy where ``rejection.accuracy`` asks for one.
        ConfigError: a strategy of a file has other settings or cannot search the grammar, the gains of the tasks
            have no common unit, or an objective has no number for a kind of function that the job has.
    """
    chosen = config.model_copy(update=_pinned(config))
    notes: list[str] = []
    for name in filter(is_reference, [*chosen.tasks, chosen.confirmation.unseen or ""]):
        notes += try_out(task(name), *chosen.asked(name), steps=chosen.training.steps)
    chosen = chosen.model_copy(update=_settled(chosen))
    _check_functions(chosen)
    averaged = "mean" if chosen.strategy.get("winner") == "average" else chosen.aggregate
    check_units(chosen.tasks, averaged, chosen.confirmation.finalists)
    _check_tunable(chosen)
    for name in chosen.tasks if chosen.rejection.accuracy else ():
        check_accuracy(task(name))
    check_losses_units(chosen.tasks, [name for name in chosen.scored if not is_reference(name)])
    for name in filter(is_reference, chosen.objectives):
        first = under(task(chosen.tasks[0]), *chosen.asked(chosen.tasks[0]))
        try_out_objective(name, first, chosen.training.seeds)
    check_measurable(chosen.scored, chosen.start, chosen.grammar)
    rejection = chosen.rejection
    if is_reference(rejection.rule):
        try_out_rule(rejection.rule, RecallTarget(rejection.recall, rejection.top))
    _check_strategy(chosen)
    return chosen, tuple(notes)


def _check_strategy(config: Config) -> None:
    """Refuse a strategy that cannot search the grammar, or that orders mixtures where none can be trained."""
    chosen = strategy(config.strategy, grammar(config.grammar))
    if why := chosen.misfit():
        raise ConfigError(f"strategy {config.strategy_label!r}: {why}")
    if not chosen.mixes:
        return
    for name in config.tasks:
        each = task(name)
        kinds = [kind for kind in kinds_of(each) if kind not in ("pointwise", "layer")]
        why = f"has places of kind {kinds[0]!r}" if kinds else "has a loop of its own"
        if kinds or isinstance(each, LoopTask):
            raise ConfigError(
                f"strategy {config.strategy_label!r}: expected tasks whose networks it can train with a function of "
                f"one number in their places, but {label(name)} {why}"
            )


def _check_functions(config: Config) -> None:
    """Refuse functions that the config names and that do not fit a place of a task's network."""
    listed = config.baseline.functions
    named = () if isinstance(listed, str) else tuple(function_of(entry) for entry in listed)
    try:
        config.fitting.check([*map(parse, (*dict(config.all_controls).values(), *config.start)), *named])
    except EvaluationError as error:
        raise ConfigError(str(error)) from None
    if len(config.start) < config.budget:  # else the start list may be all that is trained
        _check_grammar(config)


def _check_tunable(config: Config) -> None:
    """Refuse to tune a task whose optimiser is not ours, or takes no other settings."""
    for name in config.tasks if config.confirmation.hpo else ():
        searched = task(name)
        if isinstance(searched, LoopTask):
            raise ConfigError(
                f"confirmation.hpo: expected tasks that are trained by an optimiser of ours, but {label(name)} has a "
                "loop of its own; leave hpo out"
            )
        try:
            for each in filter(None, (searched, searched.larger())):
                trained_by(each, Recipe(OPTIMISERS["adam"], 1e-3, SCHEDULES["constant"]))
        except TaskError as error:
            raise ConfigError(f"confirmation.hpo: {error}") from None


def _check_grammar(config: Config) -> None:
    """Refuse a grammar of which no function fits the places, as far as a few draws show."""
    declared, fitting, rng = grammar(config.grammar), config.fitting, numpy_generator(config.seed, "fitting")
    why = ""
    for _ in range(DRAWS):
        if not (why := fitting.misfit(declared.sample(rng))):
            return
    raise ConfigError(f"grammar: expected functions that fit the tasks' places, but none of {DRAWS} drawn does: {why}")


def _settled(config: Config) -> dict[str, object]:
    """The conditions of a job with tasks of files, written out: a run can be looked at without them."""
    if not any(map(is_reference, config.tasks)):
        return {}
    asked, found = config.training, config.conditions
    settled = {
        "initial": asked.initial or tuple(str(each.initial) for each in found),
        "scale": asked.scale or tuple(str(each.scale) for each in found),
    }
    return {"training": asked.model_copy(update=settled)}


def _pinned(config: Config) -> dict[str, object]:
    """The keys that may name files, with pins."""
    unseen = config.confirmation.unseen
    return {
        "operators": tuple(map(pinned, config.operators)),
        "grammar": pinned_grammar(config.grammar),
        "tasks": tuple(map(pinned, config.tasks)),
        # a path can be written in several ways
        "objectives": tuple(dict.fromkeys(map(pinned, config.objectives))),
        "strategy": {
            key: pinned(str(value)) if key in ("name", "by") else value for key, value in config.strategy.items()
        },
        "rejection": config.rejection.model_copy(update={"rule": pinned(config.rejection.rule)}),
        "confirmation": config.confirmation.model_copy(update={"unseen": None if unseen is None else pinned(unseen)}),
    }


def _known_task(name: str) -> str:
    """A task's name; a file is read when the job begins: an old run can be looked at without it."""
    return _known(name, lambda: parts_of(name) if is_reference(name) else task(name))


def _known(value: str, look: Any) -> str:
    """Let a look-up fail as a validation error, with its own message; where a file is not run, it may fail."""
    try:
        look()
    except ActsearchError as error:
        if withheld():
            return value
        said = str(error)
        raise ValueError(said if quoted(value)[1:-1] in said else f"{quoted(value)}: {said}") from None
    return value


def shipped_configs() -> dict[str, Path]:
    """The configs that come with the project, by name."""
    here = Path(__file__).resolve().parent
    folder = next((f for f in (here / "configs", here.parent / "configs") if f.is_dir()), None)
    return {} if folder is None else {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_config(source: str | Path, changes: Iterable[str] = (), *, trust: bool = False) -> Config:
    """Read a config.

    Args:
        source: a path, or the name of a shipped config.
        changes: ``key=value`` with dots for sections, as in ``training.steps=200``; values are YAML.
        trust: files that a config in a run folder names may be run, wherever they lie.

    Raises:
        ConfigError: names the file, the key, what was expected and the nearest valid key.
        UserFileError: a config in a run folder names a file that is not pinned or not the user's own.
    """
    path, changes = _find(str(source)), list(changes)
    data = read_yaml(path)
    if in_run_folder(path):
        named = next((change for change in changes if change.startswith("workers.address=")), None)
        check_trust(looked_at(data, str(path)), path, trust=trust, address=named)
    for change in changes:
        _change(data, change)
    return checked(data, str(path))


def _find(source: str) -> Path:
    shipped = shipped_configs()
    if source in shipped:
        return shipped[source]
    if os.path.exists(source):
        return Path(source)
    raise ConfigError(
        f"no config file {quoted(source)} and no shipped config of that name{nearest(source, shipped)}; "
        f"available: {', '.join(shipped)}"
    )


def read_yaml(path: Path) -> JsonObject:
    """The mapping in a YAML file; a ConfigError names file and line where there is none."""
    try:
        data = loaded(read_text(path), str(path))
    except YamlError as error:
        raise ConfigError(str(error)) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not YAML: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected a mapping of keys to values, got {type(data).__name__}")
    return data


def _change(data: JsonObject, change: str) -> None:
    key, equals, value = change.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {quoted(change)}: expected key=value, as in training.steps=200")
    *sections, last = key.strip().split(".")
    if len(sections) > DEEPEST:
        raise ConfigError(f"--set {quoted(change)}: expected at most {DEEPEST} dots in a key, got {len(sections)}")
    for section in sections:
        inner = data.setdefault(section, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {quoted(change)}: {quoted(section)} is not a section")
        data = inner
    try:
        data[last] = loaded(value, "value")
    except YamlError:
        raise ConfigError(f"--set {quoted(change)}: {quoted(value)} is not a YAML value") from None


def looked_at(data: Mapping[str, object], place: str, paths: set[str] | None = None) -> Config:
    """:func:`checked` without running a file; ``paths`` gets those that would have been run."""
    with running_none(set() if paths is None else paths):
        return checked(data, place)


def check_trust(config: Config, place: Path, *, trust: bool, address: str | None = None) -> None:
    """Refuse to run what a config in a run folder names and the user has not said yes to; see :mod:`search.trust`.

    Args:
        config: as it is looked at.
        place: of the config.
        trust: the user's word.
        address: of a Ray cluster, by the user.
    """
    check_references(config.model_dump(exclude={"workers"}), place, trust=trust)
    if not (trust or address):
        check_address(config.workers.address, place)


def checked(data: Mapping[str, object], place: str) -> Config:
    """Validate the values of a config; ``place`` begins the message of a ConfigError."""
    given, automatic = _without_lag(data)
    try:
        config = Config.model_validate(given)
    except ValidationError as error:
        found = error.errors(include_url=False)
        problems = [f"{place}: {_explain(problem)}" for problem in found[:SHOWN]]
        if len(found) > SHOWN:
            problems.append(f"{place}: and {len(found) - SHOWN} more")
        raise ConfigError("\n".join(problems)) from None
    return _with_lag(config) if automatic else config


def _without_lag(data: Mapping[str, object]) -> tuple[dict[str, object], bool]:
    """The values of a config, and whether its lag is ``auto``, which is left out: it follows from the others."""
    cohorts = data.get("cohorts")
    if not isinstance(cohorts, Mapping) or cohorts.get("lag") != "auto":
        return dict(data), False
    return {**data, "cohorts": {key: value for key, value in cohorts.items() if key != "lag"}}, True


def _with_lag(config: Config) -> Config:
    lag = automatic_lag(config.workers.count, -(-config.budget // config.cohorts.size))
    return config.model_copy(update={"cohorts": config.cohorts.model_copy(update={"lag": lag})})


def _explain(problem: ErrorDetails) -> str:
    """One problem in one line: the key, what was expected, what came, the nearest key."""
    keys = [str(part) for part in problem["loc"]]
    key = ".".join(keys)
    if problem["type"] == "extra_forbidden":
        options = _keys_of(keys[:-1])
        return f"unknown key {quoted(key)}{nearest(keys[-1], options)}; available: {', '.join(options)}"
    if problem["type"] == "missing":
        return f"{key}: required, but missing"
    given = problem["input"]
    got = given if isinstance(given, str) else quoted(given)
    shown = "" if problem["type"] == "value_error" else f", got {quoted(got)}"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "tuple_type":
        message = f"expected a list, as in [{quoted(got)[1:-1]}]" if got else "expected a list"
    if problem["type"] == "model_type":
        message = f"expected a section with keys of {', '.join(_keys_of(keys))}"
    key = quoted(key)[1:-1]
    return f"{key}: {message}{shown}" if key else f"{message}{shown}"


def _keys_of(sections: list[str]) -> list[str]:
    model: type[BaseModel] = Config
    for section in sections:
        annotation = model.model_fields[section].annotation
        kinds = get_args(annotation) or (annotation,)  # a section that may be null is one of two
        found = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not found:
            return []
        model = found[0]
    return list(model.model_fields)


def plain(config: Config) -> JsonObject:
    """The config in JSON's types, every value written out; ``controls`` where there are some."""
    absent = {name for name in ("controls", "constraints") if not getattr(config, name)}
    return config.model_dump(mode="json", exclude=absent)


def to_yaml(config: Config) -> str:
    """The config as YAML, every value written out.

    Raises:
        ConfigError: the text is too long to be read again.
    """
    return yaml_text(plain(config))


def yaml_text(settings: JsonObject) -> str:
    """Settings as YAML.

    Raises:
        ConfigError: the text is too long to be read again.
    """
    text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
    if len(text) > LONGEST:
        raise ConfigError(
            f"the config: expected at most {LONGEST:,} characters when it is written out, got {len(text):,}"
        )
    return text
