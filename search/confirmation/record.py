"""Records of a confirmation: the finalists on fresh seeds, and how they were trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evaluators.results.control_labels import CURRENT, family_of
from evaluators.results.reasons import Reason, code_of
from evaluators.results.records import MemberResult, reference_name
from evaluators.statistics import interval
from evaluators.tasks.fresh_data import FreshData
from search.tuning.record import Space, Tuned

#: Numbers that readers know, by label of the task and name.
Readings = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean gain with its 95 % interval, in the unit of the gain; without the ends where it was not computed."""

    mean: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, gains: Sequence[float], ratio: float = 0.0) -> Estimate:
        """The mean over the seeds with its interval; of one seed there is no interval.

        Args:
            gains: one for each seed.
            ratio: see :func:`evaluators.statistics.standard_error`.
        """
        return cls(sum(gains) / len(gains), *(interval(gains, ratio=ratio) or ()))


@dataclass(frozen=True, slots=True)
class Over:
    """The smallest of the gains over the controls.

    Args:
        control: which one that is; "" in files of older versions, where it is the reference.
        gain: over it.
    """

    control: str
    gain: Estimate


@dataclass(frozen=True, slots=True)
class Setting:
    """How the finalists were trained.

    Args:
        seeds, steps: of each training.
        tasks: labels of the tasks that were searched.
        unseen: labels of those that were not.
        networks: by label of the task.
        alpha: below which a corrected p confirms.
        draw: what the seeds were derived from besides the run's seed; "" in files of older versions.
        tested: what each task that was searched was tested on, by label; empty in files of older versions, whose
            intervals and p do not allow for overlapping test sets.
        tuning: what was searched for each function before; None: nothing, each was trained as its task says.
    """

    seeds: int
    steps: int
    tasks: tuple[str, ...]
    unseen: tuple[str, ...]
    networks: Mapping[str, str]
    alpha: float
    draw: str = ""
    tested: Mapping[str, FreshData] = field(default_factory=dict)
    tuning: Space | None = None

    @property
    def ratio(self) -> float:
        """Of a mean over the tasks: the largest of theirs. See :func:`evaluators.statistics.standard_error`."""
        return max((each.ratio for each in self.tested.values()), default=0.0)


@dataclass(frozen=True, slots=True)
class Finalist:
    """A function that is confirmed, as the search saw it.

    Args:
        id: of the candidate; a short form's ends with ``-short``.
        expression: its text.
        cost: in ReLUs.
        search_gain: gain over the reference in the search, mean over the tasks; None for a short form.
        expected: what that gain leads to expect without the winner's curse, without ends in files of older versions;
            None for a short form, and where one seed says nothing of the noise.
        of: the id of the finalist whose short form this is, or None.
        short: text of its own short form; "" where none was looked for.
    """

    id: str
    expression: str
    cost: float
    search_gain: float | None
    expected: Estimate | None
    of: str | None = None
    short: str = ""

    @property
    def original(self) -> str:
        """The id of the candidate that it is, or is a short form of."""
        return self.of or self.id


@dataclass(frozen=True, slots=True)
class OnTask:
    """What the fresh seeds say of a finalist on one task alone.

    Args:
        over_best: the smallest gain over the controls.
        p: the largest over the controls.
        p_holm: p, corrected for all that were tried, not for the number of tasks.
        confirmed: it is better than each control there.
    """

    over_best: Over
    p: float
    p_holm: float
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the fresh seeds say of a finalist.

    Args:
        gains: over each control, each function at its own learning rate; empty if it failed.
        by_seed: the numbers that these and ``p`` are made of.
        drop_in: as ``gains``, with both at the control's learning rate; None where it has no finite loss there.
        best_control: over which the gain is least; None if it failed.
        gain_over_best_control: that gain.
        p: the largest over the controls.
        reasons: why it failed; none if it did not.
        by_task: gain over the reference by label of the task; None where it failed.
        p_holm: p, corrected for all that were tried.
        confirmed: it is better than each control.
        on_task: the same of each task alone, by label; None where it failed. Empty in files of older versions.
        readings: by label of the task and name, such as the accuracy on its test examples, mean over the seeds; none
            where it failed. See :meth:`evaluators.tasks.base.Task.readings`.
    """

    gains: Mapping[str, Estimate] = field(default_factory=dict)
    by_seed: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    drop_in: Mapping[str, Estimate | None] = field(default_factory=dict)
    best_control: str | None = None
    gain_over_best_control: float | None = None
    p: float = 1.0
    reasons: tuple[Reason, ...] = ()
    by_task: Mapping[str, Estimate | None] = field(default_factory=dict)
    p_holm: float = 1.0
    confirmed: bool = False
    on_task: Mapping[str, OnTask | None] = field(default_factory=dict)
    readings: Readings = field(default_factory=dict)

    @property
    def confirmed_on(self) -> int:
        """The number of tasks on which it is confirmed."""
        return sum(1 for each in self.on_task.values() if each and each.confirmed)

    @property
    def reason(self) -> str:
        """The codes, one after the other."""
        return " ".join(sorted(map(code_of, self.reasons)))


@dataclass(frozen=True, slots=True)
class Compared:
    """A finalist with its verdict.

    Args:
        finalist: as the search saw it.
        verdict: what the fresh seeds say.
        unseen: gain over the best control on tasks that were not searched, by label; None where it failed.
    """

    finalist: Finalist
    verdict: Verdict
    unseen: Mapping[str, Over | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Carried:
    """A known function on the fresh seeds: a control beside the reference.

    Args:
        name: of the control.
        expression: its text.
        cost: in ReLUs.
        gain: over the reference, mean over the tasks; None where it failed, so that nothing is compared with it.
        by_seed: the numbers that the gain is made of.
        p_holm: two-sided, that the gain is 0, corrected for all known functions that are carried.
        readings: as a verdict's.
    """

    name: str
    expression: str
    cost: float
    gain: Estimate | None = None
    by_seed: tuple[float, ...] = ()
    p_holm: float = 1.0
    readings: Readings = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tried:
    """A function that an earlier confirmation tried: it stays in the family."""

    expression: str
    p: float


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A confirmation.

    Args:
        trained: classes trained at the time.
        setting: how the finalists were trained.
        finalists: the best in the search first; short forms behind all of them.
        nulls: gains of the null controls over the reference, NaN where one is not finite.
        earlier: what was tried before.
        smallest_effect: the gain over the best control that so many seeds show in four of five confirmations of such
            a family, see :func:`evaluators.statistics.smallest_effect`; None where nothing tells the noise.
        carried: the known functions that the finalists were compared with, the best in the search first.
        known_tried: how many known functions the job has trained, the controls included; 0 without a baseline.
        reference_readings: of the reference; empty in files of older versions, and where no task has any.
        tuned: the recipes of the finalists, then of the controls; none without a tuning.
    """

    trained: int
    setting: Setting
    finalists: tuple[Compared, ...]
    nulls: tuple[float, ...] = ()
    earlier: tuple[Tried, ...] = ()
    smallest_effect: float | None = None
    carried: tuple[Carried, ...] = ()
    known_tried: int = 0
    reference_readings: Readings = field(default_factory=dict)
    tuned: tuple[Tuned, ...] = ()

    @property
    def ordered(self) -> list[Compared]:
        """The finalists for a reader: each short form behind the function that it is short for."""
        places = {row.finalist.id: place for place, row in enumerate(self.finalists)}
        return sorted(self.finalists, key=lambda row: places.get(row.finalist.original, len(places)))

    @property
    def family(self) -> int:
        """How many functions were tried, with earlier looks."""
        return len(self.finalists) + len(self.earlier)

    @property
    def reference(self) -> str:
        """The name of the control that gains are over; where all failed, the first."""
        names = [name for row in self.finalists for name in row.verdict.gains]
        beside = {row.name for row in self.carried}
        return reference_name(names) if names or family_of(beside)[0] not in beside else CURRENT

    @property
    def reading(self) -> tuple[str, str] | None:
        """Task and name of the reading that tables have room for: the first, of a confirmation on one task."""
        names = [(task, name) for task, by_name in self.reference_readings.items() for name in by_name]
        return names[0] if names and len(self.setting.tasks) == 1 else None

    @property
    def several_rates(self) -> bool:
        """Some finalist and its reference were best at different learning rates: drop-in gains differ."""
        return any(each != v.gains.get(name) for v in self._verdicts for name, each in v.drop_in.items())

    @property
    def _verdicts(self) -> list[Verdict]:
        return [row.verdict for row in self.finalists]

    @property
    def confirmed(self) -> set[str]:
        """Ids of the finalists that were confirmed, they or their short forms."""
        return {row.finalist.original for row in self.finalists if row.verdict.confirmed}


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """The members of a comparison on one task, with all their seeds.

    Args:
        task: its name.
        candidates: in the order of the request.
        controls: by name.
        nulls: the null controls.
        tested: what the test losses are of; None where there are none.
    """

    task: str
    candidates: tuple[MemberResult, ...]
    controls: Mapping[str, MemberResult]
    nulls: tuple[MemberResult, ...] = ()
    tested: FreshData | None = None

    @property
    def ratio(self) -> float:
        """See :func:`evaluators.statistics.standard_error`."""
        return self.tested.ratio if self.tested else 0.0
