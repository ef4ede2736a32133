"""Better than the best known function? Which ones are carried to confirmation, and what is said of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from evaluators.results.records import MemberResult
from evaluators.training.member import Array
from primitives import parse
from primitives.catalogue import catalogue
from primitives.equivalence.signs import sign_class
from primitives.expression.expression import Expression
from search import Job, Run
from search.baseline.known import Known
from search.confirmation.carried import BEST, MOST, carried, known_in, ranked_best
from search.confirmation.comparison import carried_rows, verdicts, without_failed
from search.confirmation.conclusion import conclusion
from search.confirmation.record import Carried, Compared, Confirmation, Estimate, Field, Finalist, Setting, Verdict
from search.records.trial import TrialRecord
from search.strategies import Proposal
from search.strategies.random import Random
from tests.search_tests.conftest import Told

FUNCTIONS = [parse(text) for text in ("sin(x)", "tanh(x)", "erf(x)", "atan(x)", "softplus(x)", "x*erf(x)", "elu(x)",
                                      "x*tanh(x)", "sigmoid(x)", "exp(x)")]  # fmt: skip


def _rows(means: list[float], noise: float = 0.0) -> list[tuple[Expression, Array]]:
    rng = np.random.default_rng(0)
    return [(f, mean + noise * rng.normal(size=4)) for f, mean in zip(FUNCTIONS, means, strict=False)]


def test_the_five_best_are_carried_and_those_that_the_noise_does_not_tell_apart() -> None:
    clear = ranked_best(_rows([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3], 1e-3), exact=False)
    assert clear == FUNCTIONS[:BEST]
    alike = ranked_best(_rows([0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5], 1.0), exact=False)
    assert BEST < len(alike) <= MOST


def test_one_of_a_sign_orbit_is_carried_and_no_failure() -> None:
    mirrored = [(parse(text), np.full(4, mean)) for text, mean in (("elu(x)", 0.5), ("-elu(-x)", 0.4), ("erf(x)", 0.1))]
    failed = (parse("exp(x)"), np.array([1.0, np.nan, 1.0, 1.0]))
    assert [each.text for each in ranked_best([*mirrored, failed], exact=False)] == ["elu(x)", "erf(x)"]
    assert ranked_best([failed], exact=False) == []


def _member(losses: Array) -> MemberResult:
    table = losses[:, None]
    return MemberResult({"digits": {1: table}}, {"digits": table})


def _field(**controls: float) -> Field:
    rng = np.random.default_rng(1)
    base = np.exp(0.05 * rng.normal(size=16))
    rows = {name: _member(base * np.exp(-gain + 0.02 * rng.normal(size=16))) for name, gain in controls.items()}
    candidate = rows.pop("candidate")
    return Field("digits", (candidate,), rows)


def test_a_find_has_to_beat_the_known_function_that_is_closest() -> None:
    (alone,) = verdicts([_field(relu=0.0, gelu=0.05, silu=0.05, candidate=0.3)])
    (beside,) = verdicts([_field(relu=0.0, gelu=0.05, silu=0.05, Sine=0.3, Tanh=0.1, candidate=0.3)])
    assert alone.confirmed
    assert not beside.confirmed
    assert beside.best_control == "Sine"


def test_a_known_function_that_fails_on_the_fresh_seeds_is_left_out_and_shown() -> None:
    field = _field(relu=0.0, gelu=0.05, silu=0.05, Sine=0.1, candidate=0.3)
    bad = replace(field, controls={**field.controls, "Sine": MemberResult()})
    (left,) = without_failed([bad], ["Sine"])
    assert set(left.controls) == {"relu", "gelu", "silu"}
    (said,) = verdicts([left])
    assert said.confirmed
    rows = {row.name: row for row in carried_rows([left], {"gelu": "gelu(x)", "Sine": "sin(x)"})}
    assert rows["Sine"].gain is None
    assert rows["gelu"].gain is not None


def _confirmation(gain: Estimate, confirmed: bool, *carried: Carried) -> Confirmation:
    verdict = Verdict({"relu": Estimate(0.4, 0.3, 0.5), "Sine": gain}, best_control="Sine",
                      gain_over_best_control=gain.mean, confirmed=confirmed)  # fmt: skip
    setting = Setting(16, 100, ("digits",), (), {"digits": "digits-3x80"}, 0.05)
    finalist = Compared(Finalist("1.2", "x*sin(x)", 8.0, 0.4, None), verdict)
    return Confirmation(24, setting, (finalist,), carried=carried, known_tried=27)


SINE = Carried("Sine", "sin(x)", 6.8, Estimate(0.3, 0.25, 0.35), (0.3, 0.31, 0.29), 0.001)
LIKE = Carried("Tanh", "tanh(x)", 12.7, Estimate(0.29, 0.2, 0.38), (0.2, 0.4, 0.27), 0.002)
LESS = Carried("gelu", "gelu(x)", 5.1, Estimate(0.1, 0.05, 0.15), (0.1, 0.11, 0.09), 0.004)


@pytest.mark.parametrize(
    ("gain", "confirmed", "said"),
    [
        (Estimate(0.1, 0.06, 0.14), True,
         ["x*sin(x) is better than every one of 27 known functions tried: by at least 0.060 nats than Sine.",
          "Use x*sin(x)."]),
        (Estimate(0.01, -0.03, 0.05), False,
         ["x*sin(x) is not shown to be better than Sine; it is at most 0.050 nats better.",
          "Use Sine, sin(x): the best of 27 known functions here, +0.300 nats (+0.250 +0.350) over ReLU.",
          "Not shown to be worse than it: Tanh."]),
        (Estimate(-0.1, -0.14, -0.06), False,
         ["x*sin(x) is worse than Sine, by at least 0.060 nats.",
          "Use Sine, sin(x): the best of 27 known functions here, +0.300 nats (+0.250 +0.350) over ReLU.",
          "Not shown to be worse than it: Tanh."]),
    ],
)  # fmt: skip
def test_what_is_said(gain: Estimate, confirmed: bool, said: list[str]) -> None:
    assert conclusion(_confirmation(gain, confirmed, LESS, SINE, LIKE)) == said


def test_the_control_that_keeps_it_open_is_named_not_a_closer_one_that_it_beats() -> None:
    seeds = {"Sine": (0.1, 0.11, 0.09), "gelu": (0.9, -0.5, 0.2)}
    gains = {name: Estimate.of(values) for name, values in seeds.items()}
    verdict = Verdict(gains, seeds, best_control="Sine", gain_over_best_control=0.1)
    made = _confirmation(Estimate(0.1, 0.08, 0.12), False)
    row = replace(made.finalists[0], verdict=verdict)
    high = gains["gelu"].high
    assert conclusion(replace(made, finalists=(row,)))[0] == (
        f"x*sin(x) is not shown to be better than GELU; it is at most {high:.3f} nats better."
    )


def test_where_nothing_is_better_the_reference_is_kept() -> None:
    weak = replace(SINE, p_holm=0.3)
    assert conclusion(_confirmation(Estimate(0.0, -0.1, 0.1), False, weak))[1] == (
        "Keep ReLU: no known function is shown to be better."
    )


def test_a_function_that_is_shown_to_be_better_is_used_though_another_has_a_higher_mean() -> None:
    scattered = replace(LIKE, gain=Estimate(0.4, -0.2, 1.0), by_seed=(0.1, 0.9, 0.2), p_holm=0.2)
    assert conclusion(_confirmation(Estimate(0.0, -0.1, 0.1), False, SINE, scattered))[1:] == [
        "Use Sine, sin(x): the best of 27 known functions that is shown to be better, +0.300 nats (+0.250 +0.350) "
        "over ReLU.",
        "Not shown to be worse than it: Tanh.",
    ]


def test_a_job_ends_with_the_function_to_use(small: Path) -> None:
    changes = ["baseline.functions=[Tanh, Sine, 'x*erf(x)', Softplus]", "confirmation.finalists=2"]
    run = Job.load(small, changes).launch("one")
    confirmation = run.confirmation()
    assert confirmation is not None
    names = {row.name for row in confirmation.carried}
    assert {"gelu", "silu"} < names <= {"gelu", "silu", "x*erf(x)"} | {entry.name for entry in catalogue()}
    assert confirmation.known_tried == 3 + len(known_in(run.read(), run.config)) >= 7
    for row in confirmation.finalists:
        assert set(row.verdict.gains) == {"relu", *names}
    assert conclusion(confirmation)


def test_a_known_function_that_the_search_comes_upon_is_no_finalist(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a list as the baseline the search may train other functions of the catalogue."""
    known = ["atan(x)", "erf(x)", "x/(1+abs(x))", "asinh(x)", "tanh(x)", "elu(x)"]
    monkeypatch.setattr(Random, "ask", lambda self, history, pending, n, rng: [Proposal(parse(t)) for t in known][:n])
    changes = ["baseline.functions=[Sine]", "strategy={name: random}", "budget=6"]
    run = Job.load(small, changes).launch("one")
    assert any((row["gain"] or 0) > 0 for row in run.front())  # type: ignore[operator]
    confirmation = run.confirmation()
    assert confirmation is not None
    assert confirmation.finalists == ()
    assert "Sine" in {row.name for row in confirmation.carried}
    assert len(conclusion(confirmation)) >= 1


def test_known_functions_that_wait_for_a_confirmation_without_finalists_are_something_to_do(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.confirmation.protocol.finalists", lambda study, config: [])
    run = Job.load(small, ["baseline.functions=[Tanh, Sine]", "budget=6"]).launch("one")
    run.folder.confirmation.unlink()  # as after an interruption
    run.resume()
    confirmation = run.confirmation()
    assert confirmation is not None
    assert {"Tanh", "Sine"} <= {row.name for row in confirmation.carried}


@dataclass
class _Studied:
    """What the rule looks at in a study."""

    baseline: list[Known]
    trials: list[TrialRecord]

    @property
    def store(self) -> _Studied:
        return self


def _trial(number: int, text: str, gain: float, objective: float | None = None) -> TrialRecord:
    key = sign_class(parse(text), exact=False)
    value = gain if objective is None else objective
    return TrialRecord(f"1.{number}", text, key, gain_over={"relu": gain}, objectives={"gain": value})


def _raced(small: Path, monkeypatch: pytest.MonkeyPatch, study: _Studied) -> set[str]:
    """The expressions that get more seeds."""
    raced: set[str] = set()

    def gains(field: list[Expression], *_: object, **__: object) -> dict[Expression, Array]:
        raced.update(each.text for each in field)
        return {each: np.arange(4.0) for each in field}

    monkeypatch.setattr("search.confirmation.carried.gains_in_search", gains)
    carried(study, Job.load(small).config, None)  # type: ignore[arg-type]
    return raced


def test_ranks_within_a_cohort_do_not_choose_among_known_functions(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one stood alone in its cohort, where its rank was 0."""
    trials = [_trial(n, f.text, n / 10, 0.9) for n, f in enumerate(FUNCTIONS[:6])]
    alone = _trial(6, "x*tanh(x)", 2.0, 0.0)
    study = _Studied([Known("alone", alone), *(Known(t.expression, t) for t in trials)], [])
    assert "x*tanh(x)" in _raced(small, monkeypatch, study)


def test_a_known_function_that_the_search_came_upon_is_raced_off_the_front_too(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    met, unknown = _trial(1, "x*tanh(x)", 0.5), _trial(2, "sin(x)*cos(x)*tanh(x)", 0.9)
    known = [Known(f.text, _trial(n, f.text, n / 100)) for n, f in enumerate(FUNCTIONS[:6])]
    raced = _raced(small, monkeypatch, _Studied(known, [met, unknown]))
    assert "x*tanh(x)" in raced
    assert unknown.expression not in raced


def test_a_known_function_that_the_search_came_upon_has_its_own_name_not_that_of_other_signs(small: Path) -> None:
    config = Job.load(small).config
    assert config.scoring.signs
    study = _Studied([Known("Tanh", _trial(0, "tanh(x)", 0.1))], [_trial(1, "softplus(x)", 0.5)])
    assert [each.name for each in known_in(study, config)] == ["Tanh", "Softplus"]  # type: ignore[arg-type]


def test_a_confirmation_with_known_functions_is_read_back(small: Path) -> None:
    ear = Told()
    run = Job.load(small, ["baseline.functions=[Tanh, Sine]"]).launch("one", reporter=ear)
    first = run.confirmation()
    assert Run.open("one").confirm() == first  # the same once more: the same finalists, seeds and numbers
