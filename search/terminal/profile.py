"""A function's profile for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from math import isnan

from rich.table import Table

from evaluators.profile import Profile
from evaluators.profile.measure import REFERENCE
from primitives.user_file import is_reference, label
from search.terminal.tables import table


def profile_table(profiles: Sequence[Profile], names: Mapping[str, str]) -> Table:
    """A row a side: by how much the function, with its interval, and those beside it are better than ReLU.

    Args:
        profiles: side by side, the functions in one order.
        names: for people, by the functions' texts, the function itself first.
    """
    own, *others = [text for text in names if text != REFERENCE]
    heads = ["side", f"{names[own]}, 95 % interval", *(names[text] for text in others)]
    return table(f"Better than ReLU by, {len(profiles[0].over)} blocks of seeds", heads, _rows(profiles, own, others))


def _rows(profiles: Iterable[Profile], own: str, others: Sequence[str]) -> Iterator[list[str]]:
    for side, rows in groupby(profiles, key=lambda each: each.side):
        by_text = {each.expression: each for each in rows}
        first = by_text[own]
        place = label(side.task) if is_reference(side.task) else side.name
        unit = "" if first.unit == "nats" else f", {first.unit}"
        yield [f"{place}{unit}", _with_interval(first), *(_signed(by_text[text].mean_over) for text in others)]


def _with_interval(profile: Profile) -> str:
    if isnan(profile.mean_over):
        return f"failed: {profile.reason or 'no finite number'}"
    low, high = profile.interval
    return f"{_signed(profile.mean_over)} ({_signed(low)} {_signed(high)})"


def _signed(value: float) -> str:
    return "failed" if isnan(value) else f"{value:+.3f}" if abs(value) < 10 else f"{value:+.3g}"


def summary(profiles: Sequence[Profile], names: Mapping[str, str]) -> str:
    """On how many sides the function is better, worse, neither, or failed."""
    own = next(text for text in names if text != REFERENCE)
    verdicts = [each.verdict for each in profiles if each.expression == own]
    failed = f", failed on {count}" if (count := verdicts.count("failed")) else ""
    return (
        f"{names[own]} is better than ReLU on {verdicts.count('better')} of {len(verdicts)} sides, worse on "
        f"{verdicts.count('worse')}{failed}. Gains are in nats where no unit stands. Each interval is one of its own: "
        f"chance puts 1 in 20 beside 0."
    )
