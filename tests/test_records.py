"""Records: untyped data stays in the codecs, what they write they read back, and another shape is refused by name."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from evaluators.errors import RecordError
from evaluators.results.json_codec import Fields, JsonObject
from evaluators.results.reasons import SCREENS, TRAINED, Reason
from evaluators.results.records import CohortResult, MemberResult
from evaluators.results.records_codec import cohort_from_json, cohort_to_json, member_to_json
from search.confirmation import confirmation_to_json, read_confirmation
from search.records.trial import TrialRecord
from search.records.trial_codec import trial_from_json, trial_to_json
from search.storage.trace import read_trace

ROOT = Path(__file__).resolve().parent.parent
UNTYPED = re.compile(r"(dict|Mapping|Row)\[str, Any\]|^Row = |\bRow\b.*= dict", re.MULTILINE)
#: They read the YAML of a grammar, as a codec does.
GRAMMARS = {
    "primitives/grammars/checks.py",
    "primitives/grammars/declaration.py",
    "primitives/grammars/parts/rule_set.py",
    "primitives/grammars/parts/template_reader.py",
}
FILES = [path for package in ("primitives", "evaluators", "search") for path in (ROOT / package).rglob("*.py")]


def test_untyped_data_stays_in_the_codecs() -> None:
    names = {str(path.relative_to(ROOT)) for path in FILES if UNTYPED.search(path.read_text(encoding="utf-8"))}
    assert {name for name in names if "codec" not in Path(name).stem} <= GRAMMARS


def test_each_code_is_one_reason() -> None:
    assert len(SCREENS) + len(TRAINED) == len(Reason)
    assert all(reason.meaning for reason in Reason)


def test_a_cohorts_result_comes_back_and_only_there_non_finite_is_null() -> None:
    table = np.array([[0.5, math.nan]])
    row = MemberResult({"t": {3: table}}, {"t": table}, Reason.DIVERGED, "t", ("float16",), {"t": {"noise": math.nan}})
    lost = MemberResult(reason=Reason.TIMEOUT, overflows_in=None)
    written = cohort_to_json(CohortResult((row, lost), {"relu": row}, (row,), {"t": 1.5}))
    text = json.dumps(written, allow_nan=False)
    assert '"3": [[0.5, null]]' in text and '"noise": null' in text
    again = cohort_from_json(Fields(json.loads(text), "file"))
    assert cohort_to_json(again) == written
    assert again.candidates[0].reason is Reason.DIVERGED and math.isnan(again.candidates[0].measured["t"]["noise"])
    assert member_to_json(lost)["error"] == "" and "overflows_in" not in member_to_json(lost)


def test_a_trial_comes_back() -> None:
    trial = TrialRecord("1.2", "x", "k", exempt=Reason.FLAT, relative_losses=(0.5, math.inf), gains={"t": (0.1, 0.2)})
    assert trial_from_json(Fields(json.loads(json.dumps(trial_to_json(trial))), "file"), ()) == trial
    unmeasured = trial_to_json(trial) | {"reason": "no-noise"}
    found = trial_from_json(Fields(unmeasured, "file"), ("gain", "noise"))
    assert found.reason is not None and found.reason.code == "no-noise"
    with pytest.raises(RecordError, match=r"file: 'reason': unknown code 'no-noise'"):
        trial_from_json(Fields(unmeasured, "file"), ("gain",))


def test_another_shape_is_refused_with_the_files_name_and_the_key(tmp_path: Path) -> None:
    whole: JsonObject = {"candidates": [], "controls": {}, "nulls": [], "seconds": {}}
    bad = {"losses": {"t": {"3": [[1.0], [2.0, 3.0]]}}, "tests": {}, "reason": "", "failed_on": ""}
    for change, message in (
        ({"candidates": {}}, r"f\.json: 'candidates': expected a list, got an object"),
        ({"candidates": [{"losses": {}}]}, r"f\.json: candidates\[0\]: 'tests' is missing"),
        ({"candidates": [bad]}, r"f\.json: candidates\[0\]: losses: t: '3': expected rows of numbers"),
        ({"candidates": [bad | {"losses": {}, "reason": "bored"}]}, r"'reason': unknown code 'bored'; available: "),
        ({"seconds": {"t": "long"}}, r"f\.json: seconds: 't': expected numbers or null, got 'long'"),
    ):
        with pytest.raises(RecordError, match=message):
            cohort_from_json(Fields(whole | change, "f.json"))
    path = tmp_path / "confirmation.json"
    path.write_text('{"trained": "many"}')
    with pytest.raises(RecordError, match=r"confirmation\.json: 'setting' is missing"):
        read_confirmation(path)
    (tmp_path / "cohorts.jsonl").write_text('{"cohort": 0, "trained": 1.5}\n')
    with pytest.raises(RecordError, match=r"cohorts\.jsonl, line 1: 'trained': expected a whole number, got 1\.5"):
        read_trace(tmp_path / "cohorts.jsonl")


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "results").rglob("confirmation.json")), ids=str)
def test_shipped_confirmations_are_read_and_written_as_they_are(path: Path) -> None:
    found = read_confirmation(path)
    assert found is not None
    assert json.dumps(confirmation_to_json(found), indent=1) + "\n" == path.read_text()
