"""The page: what is shown, set into the template. Text from the run is escaped by the template and the pictures."""

from __future__ import annotations

import base64
import hashlib
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from evaluators.results.control_labels import listed
from primitives.quoting import command
from primitives.user_file import label
from search.confirmation import Estimate
from search.confirmation.conclusion import conclusion
from search.confirmation.in_words import power_in_words
from search.confirmation.record import Carried
from search.engine.rejection import summary
from search.report.calibration import calibrations
from search.report.finalists import Finalist, finalists, setting
from search.report.front_view import View, gain_label, null_gains, views
from search.report.funnel import losses, steps
from search.report.lineage import line
from search.report.members import FrontMember, members
from search.report.pictures.curve import curve_picture
from search.report.pictures.front import NARROW, WIDE, front_file, front_picture
from search.report.pictures.intervals import Bar, interval_picture
from search.report.pictures.lines import best_picture, calibration_picture, clock_picture
from search.report.progress import timeline
from search.report.provenance import origins, provenance
from search.report.run_data import RunData
from search.report.settings import settings
from search.storage.run_folder import named_folder
from search.tuning.recipes import tuned_rows

_TASKS, _ROWS = 12, 12  # pictures of gains by task, and rows in each


@dataclass(frozen=True, slots=True)
class Front:
    """The front against one objective: in numbers, and as pictures for wide and narrow screens."""

    view: View
    wide: Markup
    narrow: Markup


def page(run_data: RunData) -> str:
    """The whole page; the same run gives the same text."""
    return _environment().get_template("page.html").render(_content(run_data))


def front_svg(run_data: RunData) -> str:
    """The front alone, gain against the second objective, as the text of an SVG file."""
    return front_file(views(run_data, members(run_data))[0], _file_text("colours.css") + _file_text("picture.css"))


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("search.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(signed=_signed, number=_number, count=_count, share=_share)
    return made


def _content(run_data: RunData) -> dict[str, object]:
    drawn, tested = members(run_data), finalists(run_data)
    by_id = {c.id: c for c in run_data.candidates}
    origin_of = origins(run_data.candidates, run_data.config)
    script = _file_text("page.js")
    return {
        "style": Markup(_file_text("colours.css") + _file_text("page.css") + _file_text("picture.css")),
        "script": Markup(script),
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "run_data": run_data,
        "reference": run_data.reference,
        "rivals": listed(run_data.rivals),
        "rival_count": len(run_data.rivals),
        "trained": len(run_data.candidates),
        "best": max(drawn, key=lambda member: member.gain, default=None),
        "settings": settings(run_data.config),
        "steps": steps(run_data),
        "losses": losses(run_data),
        "members": drawn,
        "curves": {member.id: curve_picture(member.function) for member in drawn},
        "others": _others(run_data),
        "fronts": _fronts(run_data, drawn),
        "finalists": tested,
        "setting": setting(run_data),
        "tested": sum(1 for f in tested if not f.short_form_of),
        "confirmed": len({f.short_form_of or f.id for f in tested if f.verdict == "confirmed"}),
        "confirmation_picture": _confirmation_picture(run_data, tested),
        "tasks_alone": _tasks_alone(tested),
        "readings": _readings(run_data),
        "conclusion": conclusion(run_data.confirmation, run_data.unit) if run_data.confirmation else [],
        "carried": _carried(run_data),
        "tuned": tuned_rows(run_data.confirmation.tuned) if run_data.confirmation else [],
        "power": power_in_words(run_data.confirmation, run_data.unit) if run_data.confirmation else "",
        "nulls": {"search": null_gains(run_data), "confirmation": _confirmation_nulls(run_data)},
        "controls_repeat": all(entry.controls_repeat for entry in run_data.trace),
        "by_task": _by_task(run_data, drawn, tested),
        "lines": {m.id: line(m.candidate, by_id, origin_of) for m in drawn},
        "calibrations": [
            (rung, calibration_picture(rung, run_data.unit) if rung.points else None) for rung in calibrations(run_data)
        ],
        "rejection": summary(run_data.trace),
        "provenance": provenance(run_data, origin_of),
        **_timeline(run_data),
        "repeat": _repeat(run_data),
        "environment": _flat(run_data.environment),
    }


def _file_text(name: str) -> str:
    return files("search.report").joinpath("template", name).read_text(encoding="utf-8")


def _others(run_data: RunData) -> list[str]:
    """Objectives beside gain and cost."""
    return [name for name in run_data.config.scoring.objectives if name not in {"gain", "cost"}]


def _fronts(run_data: RunData, drawn: Sequence[FrontMember]) -> list[Front]:
    return [
        Front(view, wide=front_picture(view, WIDE), narrow=front_picture(view, NARROW, labels=False))
        for view in views(run_data, drawn)
        if view.marks
    ]


def _confirmation_nulls(run_data: RunData) -> list[float]:
    return [value for value in (run_data.confirmation.nulls if run_data.confirmation else ()) if math.isfinite(value)]


def _tasks_alone(tested: Sequence[Finalist]) -> list[str]:
    """The tasks with verdicts of their own, where there are several."""
    names = list(dict.fromkeys(name for f in tested for name in f.on_task))
    return names if len(names) > 1 else []


def _readings(run_data: RunData) -> list[tuple[str, str, float]]:
    """Task, name and the reference's value of each reading."""
    read = run_data.confirmation.reference_readings if run_data.confirmation else {}
    return [(task, name, value) for task, by_name in read.items() for name, value in by_name.items()]


def _confirmation_picture(run_data: RunData, tested: Sequence[Finalist]) -> Markup | None:
    bars = [_finalist_bar(f) for f in tested]
    if not bars:
        return None
    over, nulls = run_data.reference, _confirmation_nulls(run_data)
    return interval_picture(
        bars, f"Gains of the finalists over {over} on fresh seeds", f"gain over {over} ({run_data.unit})", nulls
    )


def _carried(run_data: RunData) -> list[Carried]:
    """The known functions on fresh seeds, best first, failures last."""
    rows = run_data.confirmation.carried if run_data.confirmation and run_data.known else ()
    return sorted(rows, key=lambda row: math.inf if row.gain is None else -row.gain.mean)


def _finalist_bar(f: Finalist) -> Bar:
    searched, fresh = None if f.found is None else Estimate(f.found), f.fresh
    return Bar(f.short, searched, fresh, f.verdict == "confirmed", "" if fresh else f"failed: {f.reason}")


def _by_task(run_data: RunData, drawn: Sequence[FrontMember], tested: Sequence[Finalist]) -> list[tuple[str, Markup]]:
    """One picture a task: the front's members of highest gain."""
    best = sorted(drawn, key=lambda member: -member.gain)[:_ROWS]
    fresh = {f.id: f.by_task for f in tested if not f.short_form_of}
    names = [name for name in map(label, run_data.config.tasks) if any(name in m.by_task for m in best)]
    over, pictures = run_data.reference, []
    for name in names[:_TASKS]:
        bars = [_task_bar(member, name, fresh.get(member.id, {})) for member in best]
        unit = run_data.units.get(name, "nats")
        pictures.append((name, interval_picture(bars, f"Gains over {over} on {name}", f"gain over {over} ({unit})")))
    return pictures


def _task_bar(member: FrontMember, task: str, fresh: Mapping[str, Estimate]) -> Bar:
    estimate = member.by_task.get(task)
    return Bar(member.short, estimate, fresh.get(task), member.verdict == "confirmed", "" if estimate else "no number")


def _timeline(run_data: RunData) -> dict[str, object]:
    progress = timeline(run_data)
    return {
        "timeline": progress,
        "best_picture": best_picture(progress, gain_label(run_data)) if progress.best else None,
        "clock_picture": clock_picture(progress) if len(progress.clock) > 1 and progress.clock[-1][0] > 0 else None,
    }


def _repeat(run_data: RunData) -> dict[str, str]:
    """The command that makes the run again, in a folder of its own, and the one that compares the two."""
    again = f"{run_data.path}-again"
    copy = named_folder(again).path / "front.csv"
    return {
        "launch": command("launch", run_data.path / "config.yaml", "--run", again),
        "compare": shlex.join(["cmp", str(run_data.path / "front.csv"), str(copy)]),
    }


def _flat(environment: Mapping[str, object], before: str = "") -> list[tuple[str, str]]:
    """Keys with their values, those of a mapping in it behind its name."""
    rows: list[tuple[str, str]] = []
    for key, value in environment.items():
        rows += _flat(value, f"{before}{key} ") if isinstance(value, dict) else [(f"{before}{key}", str(value))]
    return [(name.removeprefix("packages "), value) for name, value in rows]


def _signed(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:+.{digits}f}".replace("-", "−")


def _number(value: float | None, form: str = ".3g") -> str:
    return "–" if value is None else format(value, form).replace("-", "−")


def _count(value: float) -> str:
    return f"{value:,}"


def _share(value: float) -> str:
    """In per cent, never 0 or 100 unless it is."""
    if 0 < value < 0.005:
        return "<1\N{NO-BREAK SPACE}%"
    return f"{100 * value:.0f}\N{NO-BREAK SPACE}%"
