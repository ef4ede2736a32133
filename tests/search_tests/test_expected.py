"""What is expected of finalists: where it is computed, kept and shown."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from evaluators.expected_gain import expected_gains
from evaluators.results.json_codec import Fields
from evaluators.results.reasons import Reason
from evaluators.tasks.fresh_data import FreshData
from search import Job
from search.confirmation import Confirmation, Estimate, confirmation_to_json
from search.confirmation.codec import confirmation_from_json
from search.confirmation.in_words import power_in_words
from search.confirmation.record import Compared, Finalist, OnTask, Over, Setting, Verdict
from search.export.export import export
from search.terminal.tables import confirmation_table, reading_lines
from tests.plain import confirmation

EXPECTED = Estimate(0.287, 0.106, 0.356)
OVER = {name: Estimate(0.25, -0.123, 0.321) for name in ("relu", "gelu", "silu")}
SETTING = Setting(
    12, 150, ("digits-cnn",), ("tabular-cancer",), {"digits-cnn": "digits-cnn-3x10", "tabular-cancer": "mlp"}, 0.05
)


def finalist(expected: Estimate | None, **changes: object) -> Compared:
    verdict = Verdict(gains=OVER, drop_in=dict(OVER), best_control="gelu", gain_over_best_control=0.25, p_holm=0.01)
    row = Finalist("1.2", "beta*sin(x)+(1-beta)*beta2; beta=1:channel, beta2=1:channel", 3.0, 0.4, expected)
    return Compared(row, replace(verdict, **changes))  # type: ignore[arg-type]


def printed(found: Confirmation, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(confirmation_table(found))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def confirmed(*rows: Compared, unseen: str = "tabular-cancer") -> Confirmation:
    named = tuple(replace(row, unseen={unseen: Over("gelu", OVER["relu"])}) for row in rows)
    return Confirmation(100, replace(SETTING, unseen=(unseen,)), named, (0.05,))


@pytest.mark.parametrize("name", ["accuracy", "PSNR in dB", "balanced accuracy"])
def test_a_reading_has_a_column_where_it_has_room(name: str) -> None:
    """In 80 columns, of one task; beside drop-in gains there is none."""
    values = {"digits-cnn": {name: 0.9712}}
    failed = finalist(None, gains={}, drop_in={}, reasons=(Reason.NO_REFERENCE,))
    line = f"{name} on test examples of digits-cnn: ReLU 0.950"
    for drop_in, shown in ((OVER, True), (dict.fromkeys(OVER, Estimate(0.1)), False)):
        row = finalist(EXPECTED, readings=values, drop_in=dict(drop_in))
        found = replace(confirmed(row, failed), reference_readings={"digits-cnn": {name: 0.95}})
        text = printed(found)
        assert max(map(len, text.splitlines())) <= 80
        assert ("0.971" in text) == (name.split()[0] in text) == shown
        assert "-0.12 +0.32" in text and "no-reference" in text
        assert reading_lines(found) == [line if shown else f"{line}; finalists 0.971, -"]
        several = replace(found, setting=replace(SETTING, tasks=("digits-cnn", "tabular-wine")))
        assert "0.971" not in printed(several)
        assert reading_lines(several) == [f"{line}; finalists 0.971, -"]


@pytest.mark.parametrize("unseen", ["tabular-cancer", "faulty_tasks.py:Quiet"])
def test_the_table_is_whole_in_80_columns(unseen: str) -> None:
    """Both intervals, p and the verdict; reasons."""
    failed = finalist(None, gains={}, reasons=(Reason.NO_REFERENCE, Reason.RAISED))
    text = printed(confirmed(finalist(EXPECTED, confirmed=True), failed, unseen=unseen))
    assert max(map(len, text.splitlines())) <= 80
    for cell in ("+0.287", "+0.11 +0.36", "-0.12 +0.32", "confirmed", "p 0.010", "gelu", "failed:", "no-reference"):
        assert cell in text


def test_a_table_says_on_how_many_tasks_and_leaves_out_what_cannot_differ() -> None:
    """Drop-in gains where the learning rates differ; a count where there are several tasks."""
    on_task = {name: OnTask(Over("gelu", OVER["gelu"]), 0.01, p, p < 0.05) for name, p in {"a": 0.02, "b": 0.3}.items()}
    text = printed(confirmed(finalist(EXPECTED, confirmed=True, on_task=on_task)))
    assert "on 1 of 2" in text and "drop-in" not in text
    other = finalist(EXPECTED, drop_in={**OVER, "relu": Estimate(0.111, 0.0, 0.2)}, on_task={"a": on_task["a"]})
    text = printed(confirmed(other, finalist(EXPECTED, on_task={"a": None})))
    assert max(map(len, text.splitlines())) <= 80
    assert "drop-in" in text and "+0.111" in text and "1 of" not in text


def test_an_older_file_has_other_tasks_over_the_reference() -> None:
    content = json.loads(json.dumps(confirmation_to_json(confirmed(finalist(EXPECTED)))))
    del content["finalists"][0]["unseen"]["tabular-cancer"]["over"]
    content.pop("smallest_effect", None)
    older = confirmation_from_json(Fields(content, "old"))
    assert older.finalists[0].unseen == {"tabular-cancer": Over("", OVER["relu"])}
    assert older.smallest_effect is None and older.setting.ratio == 0 and not power_in_words(older)
    assert "+0.250" in printed(older)


def test_the_file_keeps_the_interval_and_older_files_open_without() -> None:
    on_task = {"digits-cnn": OnTask(Over("gelu", OVER["gelu"]), 0.01, 0.02, confirmed=True), "other": None}
    whole = confirmed(finalist(EXPECTED, on_task=on_task), finalist(None))
    tested = {"digits-cnn": FreshData("0123", 0.25)}
    whole = replace(whole, setting=replace(whole.setting, draw="89ab", tested=tested), smallest_effect=0.125)
    content = json.loads(json.dumps(confirmation_to_json(whole)))
    assert confirmation_from_json(Fields(content, "new")) == whole
    row = content["finalists"][0]
    assert (row["shrunk_gain"], row["shrunk_interval"]) == (EXPECTED.mean, [EXPECTED.low, EXPECTED.high])
    del row["shrunk_interval"]
    older = confirmation_from_json(Fields(content, "old"))
    assert older.finalists[0].finalist.expected == Estimate(EXPECTED.mean)
    assert confirmation_to_json(older) == content
    assert "+0.287" in printed(older) and "+0.11" not in printed(older)


def test_what_is_expected_follows_from_the_trials(small: Path) -> None:
    run = Job.load(small).launch("one")
    found = confirmation(run)
    assert found is not None
    (row,) = found["finalists"]
    trials = {trial.id: trial for trial in run.read().store.trials if trial.gains}
    tables = {name: np.array(list(trial.gains.values())).mean(axis=0) for name, trial in trials.items()}
    (each,) = expected_gains(np.array(list(tables.values())), tables[row["id"]][None]) or []
    assert row["search_gain"] == pytest.approx(tables[row["id"]].mean())
    assert (row["shrunk_gain"], row["shrunk_interval"]) == (each.mean, [each.low, each.high])
    assert each.mean < row["search_gain"]
    card = export(run, [row["id"]], ["torch"])[0].with_name("README.md").read_text()
    assert f"{each.mean:+.3f} ({each.low:+.3f} to {each.high:+.3f})" in card


def test_one_seed_leads_to_expect_nothing(small: Path) -> None:
    """It says nothing of the noise; the report opens, and shows gains by task without intervals."""
    run = Job.load(small, ["training.seeds=1"]).launch("one")
    found = confirmation(run)
    assert found is not None
    assert all(row["shrunk_gain"] is None and "shrunk_interval" not in row for row in found["finalists"])
    assert run.folder.report.exists()
