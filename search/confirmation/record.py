"""Records of a confirmation: the finalists on fresh seeds, and how they were trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evaluators.results.reasons import Reason, code_of
from evaluators.results.records import MemberResult, reference_name
from evaluators.statistics import interval


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean gain with its 95 % interval, in the unit of the gain; without the ends where it was not computed."""

    mean: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, gains: Sequence[float]) -> Estimate:
        """The mean over the seeds with its interval; of one seed there is no interval."""
        return cls(sum(gains) / len(gains), *(interval(gains) or ()))


@dataclass(frozen=True, slots=True)
class Setting:
    """How the finalists were trained.

    Args:
        seeds, steps: of each training.
        tasks: labels of the tasks that were searched.
        unseen: labels of those that were not.
        networks: by label of the task.
        alpha: below which a corrected p confirms.
    """

    seeds: int
    steps: int
    tasks: tuple[str, ...]
    unseen: tuple[str, ...]
    networks: Mapping[str, str]
    alpha: float


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
        unseen: gain over the reference on tasks that were not searched, by label; None where it failed.
    """

    finalist: Finalist
    verdict: Verdict
    unseen: Mapping[str, Estimate | None] = field(default_factory=dict)


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
    """

    trained: int
    setting: Setting
    finalists: tuple[Compared, ...]
    nulls: tuple[float, ...] = ()
    earlier: tuple[Tried, ...] = ()

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
        """The name of the control that gains are over; where all failed, ReLU."""
        return reference_name([name for row in self.finalists for name in row.verdict.gains])

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
    """

    task: str
    candidates: tuple[MemberResult, ...]
    controls: Mapping[str, MemberResult]
    nulls: tuple[MemberResult, ...] = ()
