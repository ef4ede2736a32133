"""Tables and lines of what a job found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from evaluators.objectives import DEFAULT, OBJECTIVES
from primitives.builtin import as_builtin
from primitives.parsing import parse
from search.confirmation import ordered

Row = dict[str, Any]


def number(value: object, form: str = ".3f") -> str:
    """A number for a table cell; a dash for None."""
    return "-" if value is None else format(value, form) if isinstance(value, float) else str(value)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table whose expressions fold and whose numbers do not."""
    made = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        wraps = column in {"expression", "formula", "what", "source"}
        made.add_column(column, overflow="fold", no_wrap=not wraps, min_width=16 if wraps else None)
    for row in rows:
        made.add_row(*(Text(number(cell)) for cell in row))
    return made


def formula(text: str) -> str:
    """An expression as it was found, after the built-in of torch that it equals."""
    built = built_form(text)
    return text if built == text else f"{built} = {text}"


def built_form(text: str) -> str:
    """The built-in of torch that an expression equals, or the expression."""
    return as_builtin(parse(text)).text


def front_title(objectives: Sequence[str], aggregate: str) -> str:
    """What the columns of a front are."""
    how = {"mean": "in nats over ReLU", "minimum": "in nats over ReLU, the smallest of the tasks", "rank": "as a rank"}
    others = (f"{name} in {OBJECTIVES[name].unit}" for name in objectives if name != "gain")
    return f"Pareto front: {', '.join([f'gain {how[aggregate]}', *others])}"


def front_table(rows: Sequence[Row], title: str = "Pareto front: gain in nats over ReLU, cost in ReLUs") -> Table:
    """The front, or all classes with their reasons."""
    others = [name for name in OBJECTIVES if name not in DEFAULT and rows and name in rows[0]]
    over = {} if len(others) > 2 else {"gain_over_gelu": "over GELU", "gain_over_silu": "over SiLU"}  # no room
    columns = ["id", "expression", "gain", "cost", *others, *over]
    heads = ["id", "expression", "gain", "cost", *others, *over.values()]
    if any(row["reason"] for row in rows):
        columns, heads = [*columns, "reason"], [*heads, "reason"]
    shown = [row | {"expression": formula(row["expression"])} for row in rows]
    return table(title, heads, ([row[column] for column in columns] for row in shown))


def replay_table(found: Row, key: str, title: str) -> Table:
    """Quantiles of a replay's ranks or regrets, one row a strategy."""
    marks = list(next(iter(found.values()))[key])
    rows = [
        [name, *(f"{_short(middle)} ({_short(low)} {_short(high)})" for low, middle, high in row[key].values())]
        for name, row in found.items()
    ]
    return table(title, ["strategy", *(str(mark) for mark in marks)], rows)


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) >= 1 else f"{value:.2f}"


def hits_table(found: Row) -> Table:
    """How long each strategy of a replay took, and whether it beats random."""
    tops = list(next(iter(found.values()))["hits"])
    rows = []
    for name, row in found.items():
        hits = ["not found" if row["hits"][top] is None else row["hits"][top] for top in tops]
        rows.append([name, *hits, f"{row['better']:+.3f}", row["p"]])
    title = "Evaluations until found in 90 % of the repeats; final gain over random's, paired"
    return table(title, ["strategy", *(f"top {100 * top:g} %" for top in tops), "over random", "p"], rows)


def confirmation_table(found: Row) -> Table:
    """The finalists on fresh seeds; "expected" is the search's gain over ReLU without the winner's curse."""
    s = found["setting"]
    title = f"Finalists over ReLU on {s['seeds']} fresh seeds, held-out data, {', '.join(s['networks'].values())}"
    heads = ["expression", "expected", "gain", "95 %", "drop-in", *s.get("unseen", [])]
    return table(
        title, [*heads, "over best", "p", "verdict"], (_finalist(row, heads[5:]) for row in ordered(found["finalists"]))
    )


def _finalist(row: Row, unseen: Sequence[str]) -> list[object]:
    text = built_form(row["expression"])
    text = f"- {text}" if "of" in row else text
    expected = number(row["shrunk_gain"], "+.3f")
    if not row["gains"]:
        return [text, expected, *["-"] * (5 + len(unseen)), f"failed: {row['reason']}"]
    over, best = row["gains"]["relu"], row["best_control"]
    means = [_mean(row.get("drop_in", {}).get("relu")), *(_mean(row.get("unseen", {}).get(name)) for name in unseen)]
    verdict = "confirmed" if row["confirmed"] else "open"
    against = f"{row['gain_over_best_control']:+.3f} {best}"
    bounds = f"{over['interval'][0]:+.2f} {over['interval'][1]:+.2f}"
    return [text, expected, _mean(over), bounds, *means, against, f"{row['p_holm']:.3f}", verdict]


def _mean(summary: Row | None) -> str:
    return "-" if summary is None else f"{summary['mean']:+.3f}"


def nulls_line(found: Row) -> str:
    """The null controls: what the noise alone gives."""
    values = ", ".join(number(value, "+.3f") for value in found["nulls"])
    return f"Null controls (ReLU on other seeds, its gain over ReLU is noise): {values}"


def times_line(found: Row, times: Mapping[str, float]) -> str:
    """The finalists' measured time beside their cost, in the order of the table."""
    pairs = (
        f"{number(times.get(row['id']), '.1f')} ({number(row['cost'], '.1f')})" for row in ordered(found["finalists"])
    )
    return f"Measured time here in ReLUs (cost): {', '.join(pairs)}"


_BARS = " ▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float]) -> str:
    """A curve in one line of text; blanks where it is not finite."""
    finite = [value for value in values if abs(value) < float("inf")]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    scale = 8 / (high - low) if high > low else 0.0
    return "".join(_BARS[max(1, round((v - low) * scale))] if abs(v) < float("inf") else " " for v in values)
