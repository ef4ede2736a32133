"""The card of an exported function: what it is, where it comes from, and the evidence for it."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.results.control_labels import label_of
from evaluators.results.records import reference_name
from primitives.catalogue import known_name
from primitives.equivalence.kinds import kind_in_words
from primitives.equivalence.nearest import nearest_known
from primitives.expression.expression import Expression
from primitives.lowering import lower
from primitives.operators.operator import LAYERS
from primitives.user_file import label
from search.config import Config
from search.confirmation.record import Compared, Confirmation, Estimate, Setting
from search.export.exported import Exported
from search.export.markdown import code, code_cell, plain
from search.records.class_row import ClassRow
from search.records.packages import installed
from search.report.pictures.sampling import why_no_curve
from search.terminal.card import INIT_SCALE, card
from search.terminal.inspection import describe

_GROUPS = ("function", "shape", "normal inputs z")
_LABELS = {INIT_SCALE: "gain 1/sqrt(E f^2)"}  # beside code in which it is called GAIN
_OF = "Of f{}, at its initial parameters."
_AS_IT_IS = "none: f is what networks of scale none apply, and what the files compute"
_CRITICAL = "s such that gradients keep their size (scale critical), with which the factor is that of f(s x)"
_LICENCE = "Licence of the files in this folder: Apache-2.0."


def function_card(
    name: str,
    expression: Expression,
    *,
    factors: Sequence[float],
    inputs: Sequence[float] = (),
    raw: bool,
    exact: bool = False,
    evidence: Sequence[str],
    lineage: Sequence[ClassRow],
    files: Sequence[str],
    lacking: Sequence[str] = (),
) -> str:
    """The text of a folder's README.md.

    Args:
        name: of the function and the folder.
        expression: the function.
        factors: its initialisation factor; of ``layers(...)`` one for each part.
        inputs: what its input is multiplied by, likewise, where the scale is critical.
        raw: the files leave the factor out.
        exact: the function was trained as it is on a task at least, and so are the files.
        evidence: lines of Markdown.
        lineage: rows of its ancestors, nearest first.
        files: names of the code files and self-tests.
        lacking: why a target wrote none.
    """
    factor = ", ".join(map(repr, factors))
    head = f"f({', '.join(_inputs(expression))})"
    written = "left out of the files: multiply by it" if raw else "written into the files"
    return "\n".join(
        [
            *(f"# {plain(name)}", "", *_pictures(expression, name)),
            *("```", f"{head} = {expression.text}", "```", ""),
            *(f"$${head} = {lower(expression, 'latex')!s}$$", ""),
            f"- kind: {kind_in_words(expression)}; inputs: {' and '.join(_inputs(expression))}",
            f"- factor: {_AS_IT_IS if exact else f'{factor}, {_factor(expression)}; {written}'}",
            *([f"- input: times {', '.join(map(repr, inputs))}, {_CRITICAL}; {written}"] if inputs else []),
            *_known(expression, exact),
            *("", "## Evidence", "", *evidence),
            *("", "## Lineage", "", *_lineage(lineage)),
            *(
                "",
                "## Properties",
                "",
                _OF.format("" if exact else ", without the factor"),
            ),
            *_properties(expression),
            *("", "## Files", "", *_files(files), *_items(lacking)),
            *("", f"Written by actsearch {installed('actsearch')}. {_LICENCE}", ""),
        ]
    )


def pictured(expression: Expression, name: str) -> dict[str, Expression]:
    """The functions that have a picture, by its file: the expression, or parts of ``layers(...)``."""
    parts = expression.parts
    ends = [""] if len(parts) == 1 else [f"_{number}" for number in range(1, len(parts) + 1)]
    return {f"{name}{end}.svg": part for end, part in zip(ends, parts, strict=True) if not why_no_curve(part)}


def _pictures(expression: Expression, name: str) -> list[str]:
    return [line for file in pictured(expression, name) for line in (f"![value and derivative]({file})", "")]


def _inputs(expression: Expression) -> list[str]:
    return ["x", "z"] if "z" in expression.inputs else ["x"]


def _factor(expression: Expression) -> str:
    if expression.is_pointwise:
        return "1/sqrt(E f(z)^2) for a standard normal z"
    return f"1/sqrt(E f^2) for standard normal inputs{', one for each part' * (expression.op == LAYERS)}"


def _known(expression: Expression, exact: bool) -> list[str]:
    one = expression.is_pointwise
    if known := known_name(expression, input_scale=one, input_shift=one):
        scale = "" if abs(known.input_scale) == 1.0 else f", its input times {known.input_scale:.6g}"
        form = f": {known.formula}" if known.is_shifted else scale
        return ["- " + plain(f"known as: {known.name} ({known.said(factor=exact)}{form}); {known.entry.source}")]
    near = nearest_known(expression) if one else None
    lines = ["- known as: no function of the catalogue"]
    if near:
        lines.append(
            f"- nearest known function: {near.entry.name}, {plain(near.entry.expression.text)}; distance "
            f"{near.distance:.3f} (root of the mean squared difference for normal inputs, both scaled to mean square 1)"
        )
    return lines


def evidence(
    run: str, config: Config, row: Exported, trained: int, confirmation: Confirmation | None, *, unit: str = "nats"
) -> list[str]:  # fmt: skip
    """What search and confirmation say of a candidate, as lines of Markdown.

    Args:
        run: name of the run.
        config: of the job.
        row: the candidate, or a short form.
        trained: classes that the search trained.
        confirmation: of the run, or None.
        unit: of the gain.
    """
    finalist = next((f for f in (confirmation.finalists if confirmation else ()) if f.finalist.id == row.id), None)
    origin = f"short form of candidate {row.origin.id}" if row.is_short_form else f"candidate {row.id}"
    t = config.training
    lines = [
        f"- {plain(origin)} of run {code(run)}: strategy {code(config.strategy_label)}, grammar "
        f"{code(config.grammar)}, seed {config.seed}, {trained} classes trained",
        _item(
            f"search: gain {'of that candidate ' if row.is_short_form else ''}{_number(row.origin.gain)} {unit} "
            f"over {label_of(row.origin.reference)} on {', '.join(map(label, config.tasks))}; {t.seeds_in_words}, "
            f"{t.steps} steps; cost {_number(row.cost)} ReLUs"
        ),
        _item(f"conditions: {config.conditions_in_words}"),
    ]
    if finalist and (expected := finalist.finalist.expected):
        lines.append(f"- expected of the search's gain, which is the best of many: {_estimate(expected)}")
    if finalist and finalist.finalist.short not in ("", row.expression):
        lines.append(f"- short form, as good within noise in the search: {code(finalist.finalist.short)}")
    if confirmation is None or finalist is None:
        return [*lines, _carried(row, confirmation)]
    if not finalist.verdict.gains:
        return [*lines, _item(f"confirmation: failed ({finalist.verdict.reason})")]
    return [*lines, *_confirmed(finalist, confirmation.setting, confirmation.family)]


def _carried(row: Exported, confirmation: Confirmation | None) -> str:
    """What the fresh seeds say of a function that finalists were compared with."""
    rows = confirmation.carried if confirmation else ()
    gain = next((each.gain for each in rows if each.expression == row.expression), None)
    if confirmation is None or gain is None:
        return "- confirmation: none for this function"
    over, seeds = label_of(confirmation.reference), confirmation.setting.seeds
    return _item(f"confirmation: {_estimate(gain)} over {over} on {seeds} fresh seeds; finalists were compared with it")


def _confirmed(finalist: Compared, setting: Setting, family: int) -> list[str]:
    verdict = finalist.verdict
    where = ", ".join(setting.networks[name] for name in setting.tasks)
    over = ", ".join(f"{_estimate(g)} over {name}" for name, g in verdict.gains.items())
    lines = [f"confirmation: {setting.seeds} fresh seeds, {setting.steps} steps, held-out data, {where}: {over}"]
    own = reference_name(verdict.gains)
    if drop_in := verdict.drop_in.get(own):
        lines.append(f"dropped in at {label_of(own)}'s learning rate: {_estimate(drop_in)} over {own}")
    for task, best in finalist.unseen.items():
        gain = f"{_estimate(best.gain)} over {best.control or 'its reference'}" if best else "failed"
        lines.append(f"on {task}, which was not searched: {gain}")
    said = "confirmed" if verdict.confirmed else "not confirmed"
    p = f"p = {_number(verdict.p_holm)}, corrected for {family} that were tried"
    if len(verdict.on_task) > 1:
        said += f"; on {verdict.confirmed_on} of {len(verdict.on_task)} tasks alone"
    return [_item(line) for line in (*lines, f"better than {', '.join(verdict.gains)}, each of them: {p}: {said}")]


def _estimate(estimate: Estimate) -> str:
    ends = "" if estimate.low is None else f" ({estimate.low:+.3f} to {estimate.high:+.3f})"
    return f"{estimate.mean:+.3f}{ends}"


def _lineage(rows: Sequence[ClassRow]) -> list[str]:
    if not rows:
        return ["No parents: it was proposed from the grammar or the start list, or is a known function."]
    cells = (f"| {plain(row.id)} | {code_cell(row.expression)} | {_number(row.gain)} |" for row in rows)
    return ["| ancestor | expression | gain |", "|---|---|---|", *cells]


def _properties(expression: Expression) -> list[str]:
    """A table of each function; shape and moments are of functions of one number."""
    lines: list[str] = []
    for number, part in enumerate(expression.parts, 1):
        heading = ["", f"Part {number}, {code(part.text)}:"] if len(expression.parts) > 1 else []
        lines += [*heading, "", *_table(part)]
    return lines


def _table(expression: Expression) -> list[str]:
    groups = [lines for heading, lines in card(describe(expression)) if heading in _GROUPS]
    skipped = ("expression", "LaTeX", "known as", "on [-3, 3]")
    rows = [(_LABELS.get(key, key), value) for lines in groups for key, value in lines if key not in skipped]
    return ["| property | value |", "|---|---|", *(f"| {plain(key)} | {plain(value)} |" for key, value in rows)]


def _files(names: Sequence[str]) -> list[str]:
    return [f"- `{name}`" for name in names]


def _items(texts: Sequence[str]) -> list[str]:
    return [_item(f"not written, {text}") for text in texts]


def _item(text: str) -> str:
    return f"- {plain(text)}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
