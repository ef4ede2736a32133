"""Tables and lines of results."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from typing import Literal

from rich import box
from rich.table import Table
from rich.text import Text

from evaluators.evaluate import Evaluation
from evaluators.objectives import DEFAULT, OBJECTIVES, objective
from evaluators.results.control_labels import RELU, label_of
from evaluators.results.reasons import code_of
from evaluators.results.records import reference_name
from primitives.equivalence.builtin import as_builtin
from primitives.errors import ExpressionError
from primitives.expression.parsing import parse
from primitives.quoting import visible
from search.confirmation.record import Compared, Confirmation, Estimate, Over, Readings, Verdict
from search.records.class_row import ClassRow
from search.tabular.compare import Comparison, Difference
from search.tuning.recipes import tuned_rows

NARROW = 9  # columns for the name of a control
BESIDE = 58  # columns beside a column of expressions of 22
HEAD = 14  # columns for a control's name in a head


def number(value: object, form: str = ".3f") -> str:
    """A number for a table cell; a dash for None."""
    return "-" if value is None else format(value, form) if isinstance(value, float) else str(value)


def shown(text: str) -> Text:
    """Text from anywhere for a terminal: neither markup nor control characters count."""
    return Text(visible(text))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table whose expressions and names of controls fold and whose numbers do not."""
    made = Table(title=shown(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        wraps = column in {"expression", "formula", "what", "source"}
        lines = wrap(column, HEAD, break_long_words=False) if column.startswith("over ") else [column]
        head = Text("\n").join(map(shown, lines))
        made.add_column(head, overflow="fold", no_wrap=not wraps, min_width=16 if wraps else None)
    for row in rows:
        made.add_row(*(shown(number(cell)) for cell in row))
    return made


def formula(text: str) -> str:
    """An expression as it was found, after the built-in of torch that it equals."""
    built = built_form(text)
    return text if built == text else f"{built} = {text}"


def built_form(text: str) -> str:
    """The built-in of torch that an expression equals, or the expression; that of an unknown operator is as it is."""
    try:
        return as_builtin(parse(text)).text
    except ExpressionError:
        return text


def rows_title(
    what: str, objectives: Sequence[str], aggregate: str, unit: str = "nats", reference: str = RELU
) -> str:  # fmt: skip
    """What the columns of some classes are; ``unit`` is the gain's."""
    over = f"in {unit} over {label_of(reference)}"
    how = {"mean": over, "minimum": f"{over}, the smallest of the tasks"}
    how["rank"] = "as a rank" if unit == "nats" else f"as a rank of gains in {unit}"
    others = (f"{name} in {_unit(name, unit)}" for name in objectives if name != "gain")
    return f"{what}: {', '.join([f'gain {how[aggregate]}', *others])}"


def _unit(name: str, unit_of_gain: str) -> str:
    """An objective's unit: one of losses is in nats where the gain is."""
    unit = objective(name).unit
    return "units of the loss" if unit == "nats" != unit_of_gain else unit


def front_table(rows: Sequence[ClassRow], title: str = "Pareto front: gain in nats over ReLU, cost in ReLUs") -> Table:
    """The front, or all classes with their reasons."""
    found = rows[0].objectives if rows else {}
    others = [name for name in dict.fromkeys((*OBJECTIVES, *found)) if name not in DEFAULT and name in found]
    rivals = rows[0].gain_over if rows and len(others) <= 2 else {}  # beyond that there is no room
    over = {f"gain_over_{name}": f"over {label_of(name)}" for name in rivals}
    columns = ["id", "expression", "gain", "cost", *others, *over]
    heads = ["id", "expression", "gain", "cost", *others, *over.values()]
    if any(row.reason for row in rows):
        columns, heads = [*columns, "reason"], [*heads, "reason"]
    shown = [row.cells | {"expression": formula(row.expression)} for row in rows]
    return table(title, heads, ([row[column] for column in columns] for row in shown))


def known_table(rows: Sequence[tuple[str, ClassRow]], title: str) -> Table:
    """Known functions, best first."""
    shown = ([row.id, name, row.expression, row.gain, row.cost, code_of(row.reason)] for name, row in rows)
    return table(title, ["id", "name", "expression", "gain", "cost", "reason"], shown)


def best_known_line(known: Sequence[tuple[str, ClassRow]], front: Sequence[ClassRow]) -> str:
    """The best known function, and how much of the front has a higher gain."""
    trained = [(name, row) for name, row in known if row.gain is not None]
    if not trained:
        return "No known function was trained before the search."
    name, best = trained[0]
    gain = number(best.gain, "+.3f")
    better = sum((row.gain or -math.inf) > (best.gain or 0.0) for row in front)
    return (
        f"Best of {len(known)} known functions: {name}, {best.expression}, gain {gain}, cost {number(best.cost)}; "
        f"{better} of {len(front)} members of the front have a higher gain"
    )


def replay_table(comparisons: Mapping[str, Comparison], key: Literal["rank", "regret"], title: str) -> Table:
    """Quantiles of a replay's ranks or regrets, one row a strategy."""
    quantiles = {name: row.rank if key == "rank" else row.regret for name, row in comparisons.items()}
    counts = list(next(iter(quantiles.values())))
    rows = [
        [name, *(f"{_short(middle)} ({_short(low)} {_short(high)})" for low, middle, high in row.values())]
        for name, row in quantiles.items()
    ]
    return table(title, ["strategy", *(str(count) for count in counts)], rows)


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) >= 1 else f"{value:.2f}"


def hits_table(comparisons: Mapping[str, Comparison]) -> Table:
    """How long each strategy of a replay took, and whether it beats random."""
    tops = list(next(iter(comparisons.values())).hits)
    rows = []
    for name, row in comparisons.items():
        hits = ["not found" if row.hits[top] is None else row.hits[top] for top in tops]
        rows.append([name, *hits, _with_interval(row.better), f"{row.in_vain:.0%}", f"{row.nearest:.0%}"])
    title = "Evaluations until found in 90 % of the repeats; the best tried over random's (95 % interval)"
    return table(
        title, ["strategy", *(f"top {100 * top:g} %" for top in tops), "over random", "in vain", "nearest"], rows
    )


def chosen_table(comparisons: Mapping[str, Comparison]) -> Table:
    """What the five that each strategy of a replay would confirm lack, beside those of a sweep."""
    rows = [
        [name, row.chosen, row.believed, row.swept, _with_interval(row.over_sweep)] for name, row in comparisons.items()
    ]
    title = "The best of the five chosen by the seeds seen: what it lacks by the others (95 % interval)"
    return table(title, ["strategy", "chosen", "by the process", "of a sweep", "chosen over the sweep's"], rows)


def _with_interval(difference: Difference) -> str:
    return f"{difference.mean:+.3f} ({difference.low:+.3f} {difference.high:+.3f})"


def confirmation_table(confirmation: Confirmation, unit: str = "nats") -> Table:
    """The finalists on fresh seeds, in 80 columns: below each gain its 95 % interval.

    Of one task there is a reading, such as the accuracy on its test examples, unless drop-in gains take its room.
    "expected" is what the search's gain over the reference leads to expect, without the winner's curse.
    """
    s = confirmation.setting
    networks = ", ".join(s.networks.values())
    title = f"Finalists over {label_of(confirmation.reference)} on {s.seeds} fresh seeds, held-out data, {networks}"
    title += "" if unit == "nats" else f"; gains in {unit}"
    unseen = ("\n".join(wrap(name, 8)) for name in s.unseen)
    drop_in = ["drop-in"] * confirmation.several_rates
    read = _read_beside_gains(confirmation)
    columns = ["expression", "expected", "gain", *drop_in, *_heads(read), *unseen, "over\nbest", "verdict"]
    made = table(title, columns, ())
    made.padding = (0, 1, 0, 0)
    made.columns[0].min_width = 11
    for row in confirmation.ordered:
        made.add_row(*map(shown, _finalist(row, s.unseen, read, drop_in=confirmation.several_rates)))
    return made


def _read(confirmation: Confirmation) -> list[tuple[str, str]]:
    """The readings that have a column, task and name."""
    return [] if confirmation.reading is None else [confirmation.reading]


def _read_beside_gains(confirmation: Confirmation) -> list[tuple[str, str]]:
    """Those that have a column in the finalists' table: beside drop-in gains there is no room."""
    return [] if confirmation.several_rates else _read(confirmation)


def _heads(read: Sequence[tuple[str, str]]) -> list[str]:
    return ["\n".join(wrap(name, 8)) for _, name in read]


def _readings(found: Readings, read: Sequence[tuple[str, str]]) -> list[str]:
    return [number(found.get(task, {}).get(name)) for task, name in read]


def reading_lines(confirmation: Confirmation) -> list[str]:
    """Each reading of the reference, and of the finalists where their table has no column of it, in its order."""
    shown = _read_beside_gains(confirmation)
    return [
        f"{name} on test examples of {task}: {label_of(confirmation.reference)} {value:.3f}"
        + ("" if (task, name) in shown else _of_finalists(confirmation, task, name))
        for task, by_name in confirmation.reference_readings.items()
        for name, value in by_name.items()
    ]


def _of_finalists(confirmation: Confirmation, task: str, name: str) -> str:
    cells = [cell for row in confirmation.ordered for cell in _readings(row.verdict.readings, [(task, name)])]
    return f"; finalists {', '.join(cells)}" if cells else ""


def _finalist(
    row: Compared, unseen: Sequence[str], read: Sequence[tuple[str, str]], *, drop_in: bool
) -> list[str]:  # fmt: skip
    finalist, v = row.finalist, row.verdict
    text = built_form(finalist.expression)
    text = f"- {text}" if finalist.of else text
    expected = _with_ends(finalist.expected)
    if not v.gains:
        none = ["-"] * (2 + drop_in + len(read) + len(unseen))
        return [text, expected, *none, "\n".join(["failed:", *v.reason.split()])]
    own = reference_name(v.gains)
    others = (_over(row.unseen.get(name)) for name in unseen)
    means = [*[_mean(v.drop_in.get(own))] * drop_in, *_readings(v.readings, read), *others]
    against = f"{number(v.gain_over_best_control, '+.3f')}\n{_brief(str(v.best_control))}"
    return [text, expected, _with_ends(v.gains[own]), *means, against, _verdict(v)]


def _verdict(v: Verdict) -> str:
    """Confirmed or open, with p, and on how many of several tasks."""
    lines = ["confirmed" if v.confirmed else "open", f"p {v.p_holm:.3f}"]
    return "\n".join([*lines, f"on {v.confirmed_on} of {len(v.on_task)}"] if len(v.on_task) > 1 else lines)


def _over(over: Over | None) -> str:
    """A gain over the best control, and which one that is; files of older versions have it over the reference."""
    return "-" if over is None else "\n".join(filter(None, [_mean(over.gain), _brief(over.control)]))


def _brief(control: str) -> str:
    """A control's name in a narrow column: what is in front of brackets or within, if short; else broken."""
    parts = re.fullmatch(r"(.*) \((\w+|.*)\)", control)
    short = next((part for part in (parts.groups() if parts else ()) if len(part) <= NARROW), control)
    return "\n".join(wrap(short, NARROW))


def _mean(estimate: Estimate | None) -> str:
    return "-" if estimate is None else f"{estimate.mean:+.3f}"


def _with_ends(estimate: Estimate | None) -> str:
    """A mean with its interval in the next line; files of older versions have none beside what is expected."""
    if estimate is None or estimate.low is None:
        return _mean(estimate)
    return f"{_mean(estimate)}\n{estimate.low:+.2f} {number(estimate.high, '+.2f')}"


def carried_table(confirmation: Confirmation, unit: str = "nats") -> Table:
    """The known functions on the seeds of the finalists, best first."""
    s, over = confirmation.setting, label_of(confirmation.reference)
    title = f"Known functions on the same {s.seeds} seeds: gain over {over} in {unit}, 95 %"
    rows = sorted(confirmation.carried, key=lambda row: -math.inf if row.gain is None else row.gain.mean, reverse=True)
    read = _read(confirmation)
    shown = [
        [label_of(row.name), built_form(row.expression), row.cost, _with_ends(row.gain) if row.gain else "failed",
         *_readings(row.readings, read)]
        for row in rows
    ]  # fmt: skip
    made = table(title, ["name", "expression", "cost", "gain", *_heads(read)], shown)
    made.columns[0].no_wrap = False
    made.columns[0].max_width = 24
    return made


def tuned_table(confirmation: Confirmation) -> Table:
    """By which recipe each function was trained, and its value in the search for it."""
    space = confirmation.setting.tuning
    seeds = "" if space is None else f"{space.seeds} seed{'s' * (space.seeds > 1)}"
    trials = "" if space is None else f", the best of {space.trials} each on {seeds} of the search's data"
    several = len(confirmation.setting.tasks) > 1
    shown = [
        [f"{row.function} on {row.task}" if several else row.function, row.recipe, number(row.value)]
        for row in tuned_rows(confirmation.tuned)
    ]
    made = table(f"Tuned: optimiser, rate and schedule{trials}", ["function", "recipe", "value there"], shown)
    made.columns[0].no_wrap = False
    made.columns[0].max_width = 24
    made.columns[1].no_wrap = False
    return made


def control_notes(evaluations: Sequence[Evaluation]) -> list[str]:
    """A line for each control that no function has a number over, though it was trained to the end."""
    finished = [each.gains for each in evaluations if not each.reason]
    lost = [name for name in (finished[0] if finished else ()) if all(math.isnan(gains[name]) for gains in finished)]
    return [f"note: the control {name} has no finite loss; no gain over it is known" for name in lost]


def objectives_of(evaluations: Sequence[Evaluation]) -> list[Table]:
    """The objectives but the gain of functions and controls, so many to a table that 80 columns hold them."""
    found: list[tuple[str, Mapping[str, float]]] = [(each.expression, each.objectives) for each in evaluations]
    found += [(label_of(name), values) for name, values in evaluations[0].controls.items()]
    rows = [(name, {each: _known(value) for each, value in values.items()}) for name, values in found]
    parts: list[list[str]] = [[]]
    for name in (each for each in evaluations[0].objectives if each != "gain"):
        if parts[-1] and sum(max(len(each), 8) + 2 for each in (*parts[-1], name)) > BESIDE:
            parts.append([])
        parts[-1].append(name)
    return [
        table("Functions, then controls", ["expression", *part],
              ([name, *(values[each] for each in part)] for name, values in rows))
        for part in parts if part
    ]  # fmt: skip


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def evaluated_readings(evaluations: Sequence[Evaluation], reference: str) -> list[str]:
    """A line for each reading: the reference's, then the functions' in the order of their table."""
    return [
        f"{name} on validation examples: {reference} {value:.3f}; functions "
        + ", ".join(number(each.readings.get(name)) for each in evaluations)
        for name, value in evaluations[0].reference_readings.items()
    ]


def nulls_line(nulls: Sequence[float], reference: str = RELU) -> str:
    """The null controls (A/A controls): what the noise alone gives."""
    name = label_of(reference)
    return f"Null controls ({name} on other seeds, its gain over {name} is noise): {gains_line(nulls)}"


def gains_line(gains: Sequence[float]) -> str:
    """Gains one after the other; a dash for NaN."""
    return ", ".join("-" if math.isnan(gain) else f"{gain:+.3f}" for gain in gains)


def times_line(confirmation: Confirmation, times: Mapping[str, float]) -> str:
    """The finalists' measured time beside their cost, in the order of the table."""
    finalists = [row.finalist for row in confirmation.ordered]
    pairs = (f"{number(times.get(row.id), '.1f')} ({number(row.cost, '.1f')})" for row in finalists)
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
