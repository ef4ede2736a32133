"""What a confirmation comes to, in words: better than the best known function or not, and which function to use."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.results.control_labels import CURRENT, label_of
from evaluators.statistics import ALPHA, interval, t_test
from primitives.equivalence.builtin import as_builtin
from primitives.expression.parsing import parse
from search.confirmation.record import Carried, Compared, Confirmation


def conclusion(confirmation: Confirmation, unit: str = "nats") -> list[str]:
    """One line on each of the best finalist and the function to use; none where nothing was compared.

    The best finalist is the confirmed one, or else any, with the largest gain over the control that is closest to it.
    """
    best = _best(confirmation.finalists)
    return [*([] if best is None else [_said(best, confirmation, unit)]), *_advice(best, confirmation, unit)]


def _best(rows: Sequence[Compared]) -> Compared | None:
    compared = [row for row in rows if row.verdict.best_control in row.verdict.gains]
    return max(compared, key=lambda row: (row.verdict.confirmed, row.verdict.gain_over_best_control), default=None)


def _said(row: Compared, confirmation: Confirmation, unit: str) -> str:
    """A finalist beside the closest control, by the interval of the gain over it."""
    v, text = row.verdict, as_builtin(parse(row.finalist.expression)).text
    closest = str(v.best_control)
    name, over = label_of(closest), v.gains[closest]
    if over.low is None or over.high is None:
        return f"{text}: one seed does not say whether it is better than {name}."
    if v.confirmed:
        known = confirmation.known_tried
        tried = f"every one of {known} known functions tried" if known else "every control"
        # the lowest end holds for all of them at once, as the p of an intersection-union test does
        name, low = min(((each, gain.low or 0.0) for each, gain in v.gains.items()), key=lambda pair: pair[1])
        return f"{text} is better than {tried}: by at least {max(low, 0.0):.3f} {unit} than {label_of(name)}."
    # the closest of many is closest by luck, too: the interval is as wide as their number asks (Bonferroni)
    seeds, level = v.by_seed.get(closest, ()), 1 - ALPHA / len(v.gains)
    _, high = interval(seeds, level, confirmation.setting.ratio) or (over.low, over.high)
    if high < 0:
        return f"{text} is worse than {name}, by at least {-high:.3f} {unit}."
    if over.low > 0 and v.by_seed:  # it is another one, with more noise, that keeps it from being confirmed
        ps = {each: t_test(gains, confirmation.setting.ratio) for each, gains in v.by_seed.items()}
        least = max(ps, key=lambda each: ps[each])
        name, over = label_of(least), v.gains[least]
    return (
        f"{text} is not shown to be better than {name}; it is at most {max(over.high or 0.0, 0.0):.3f} {unit} better."
    )


def _advice(best: Compared | None, confirmation: Confirmation, unit: str) -> list[str]:
    """Which function to use; nothing of a job without known functions."""
    if not confirmation.known_tried:
        return []
    if best is not None and best.verdict.confirmed:
        return [f"Use {as_builtin(parse(best.finalist.expression)).text}."]
    gains = {row.name: row.gain for row in confirmation.carried if row.gain is not None}
    ranked = sorted((row for row in confirmation.carried if row.name in gains), key=lambda row: -gains[row.name].mean)
    over = label_of(confirmation.reference)
    # the highest mean may be of a function that scatters: one below it may be shown to be better, and that one is not
    first = next((row for row in ranked if row.p_holm < ALPHA and gains[row.name].mean > 0), None)
    if first is None:
        keep = "your network as it stands" if confirmation.reference == CURRENT else over
        return [f"Keep {keep}: no known function is shown to be better."]
    gain = gains[first.name]
    ends = "" if gain.low is None or gain.high is None else f" ({gain.low:+.3f} {gain.high:+.3f})"
    tried = f"{confirmation.known_tried} known functions"
    which = f"the best of {tried} here" if first is ranked[0] else f"the best of {tried} that is shown to be better"
    lines = [f"Use {_named(first)}: {which}, {gain.mean:+.3f} {unit}{ends} over {over}."]
    rest = (row for row in ranked if row is not first)
    if equals := [label_of(row.name) for row in rest if _may_equal(first, row, confirmation)]:
        lines.append(f"Not shown to be worse than it: {', '.join(equals)}.")
    return lines


def _named(row: Carried) -> str:
    """Name and formula; the name alone where it has the formula."""
    name, text = label_of(row.name), as_builtin(parse(row.expression)).text
    return name if text in name else f"{name}, {text}"


def _may_equal(first: Carried, other: Carried, confirmation: Confirmation) -> bool:
    """The interval of the difference holds 0."""
    differences = [a - b for a, b in zip(first.by_seed, other.by_seed, strict=True)]
    ends = interval(differences, ratio=confirmation.setting.ratio)
    return ends is None or ends[0] <= 0
