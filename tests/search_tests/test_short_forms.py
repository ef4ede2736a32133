"""Short forms: what lies in an expression's neighbourhood, which of it is taken, and how it is confirmed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evaluators.asked import Request
from evaluators.cohort import CohortRequest
from evaluators.objectives.formula.complexity import complexity
from evaluators.rejection.screens import screen
from evaluators.results.records import CohortResult, MemberResult
from primitives.equivalence.canonical import canonical
from primitives.equivalence.classes import fingerprint, same_function
from primitives.equivalence.moments import with_moments
from primitives.expression.expression import Expression, at_place
from primitives.expression.parameters import Parameter
from primitives.expression.parsing import parse
from primitives.expression.traversal import postorder
from primitives.grammars import grammar
from search import Job
from search.config import Config
from search.confirmation.neighbours import length, moved, plain, shorter
from search.confirmation.short_forms import short_forms
from search.errors import ConfigError
from search.workers import Finished, Workers
from tests.plain import confirmation

CONFIG = Config.model_validate({"budget": 1, "confirmation": {"rounds": 4}, "training": {"learning_rates": [0.01]}})


def test_a_pair_is_shortened_to_one_of_its_parts() -> None:
    texts = [each.text for each in shorter(parse("paired(tanh(x),sin(x)+x)"))]
    assert "tanh(x)" in texts
    assert "paired(tanh(x),sin(x))" in texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x*sigmoid(x)/std_gp(x)*w+b; w=1:channel, b=0:channel", "x*sigmoid(x)/std_gp(x)"),
        ("tanh(x)/rms_c(x)", "tanh(x)"),  # 1 for the statistic
        ("relu(x-mean_np(x))", "relu(x-x)"),  # its argument; constant, so that a screen stops it
        ("layers(tanh(x),sin(x))", "sin(x)"),
        ("layers(tanh(x),sin(x))", "tanh(x)"),
        ("layers(tanh(x),tanh(x)+0.1*x,sin(x))", "layers(tanh(x),tanh(x),sin(x))"),
        ("sin(silu(x))*z", "silu(x)*z"),
    ],
)
def test_layers_gates_and_places_are_shortened(text: str, expected: str) -> None:
    found = [each for each in _all_shorter(parse(text)) if same_function(each, parse(expected), scale=True)]
    assert bool(found) == (screen(parse(expected)) is None)


def _all_shorter(expression: Expression) -> list[Expression]:
    """In several rounds."""
    seen = dict.fromkeys(shorter(expression))
    for _ in range(2):
        seen |= dict.fromkeys(more for each in list(seen) for more in shorter(each))
    return list(seen)


@pytest.mark.parametrize("text", ["sin(silu(x))*z", "layers(silu(x)*z,tanh(x)*z)", "layers(sin(x)*z,tanh(x))"])
def test_a_gate_stays_a_gate_where_it_was_one(text: str) -> None:
    expression = parse(text)
    near = [*shorter(expression), *moved(expression)]
    for each in near:
        for number in range(2):
            assert ("z" in at_place(each, number, 2).inputs) == ("z" in at_place(expression, number, 2).inputs)
    assert near or text == "layers(sin(x)*z,tanh(x))"


def test_softmax_keeps_what_keeps_it_finite() -> None:
    softmax = parse("exp(x-max_c(x))/sum_c(exp(x-max_c(x)))")
    assert same_function(softmax, parse("exp(x)/sum_c(exp(x))"))
    assert plain(softmax) is softmax


def test_standard_deviations_are_written_as_such() -> None:
    for text in ("x/std_gp(x)", "x/rms_c(x)", "x/sqrt(mean_c(x*x)+1e-5)", "x/sqrt(mean_c(x*x)+1e-4)"):
        found = with_moments(canonical(parse(text)))
        assert canonical(found) is canonical(parse(text))
        assert ("sqrt" in found.text) == ("1e-4" in text)
    assert complexity(parse("x/rms_c(x)")) == 4.0


class Scripted(Workers):
    """Gives each function the log losses that a script says, seed by seed."""

    def __init__(self, script: Callable[[Expression], float], noise: float = 0.0) -> None:
        self.script, self.noise = script, noise
        self.found: deque[Finished] = deque()
        self.requests: list[CohortRequest] = []

    def submit(self, number: int, request: Request) -> None:
        assert isinstance(request, CohortRequest)
        self.requests.append(request)
        members = {"relu": "relu(x)", "gelu": "gelu(x)", "silu": "silu(x)"}
        candidates = tuple(self.row(text, request) for text in request.expressions)
        controls = {name: self.row(text, request) for name, text in members.items()}
        self.found.append((number, CohortResult(candidates, controls)))

    def row(self, text: str, request: CohortRequest) -> MemberResult:
        rng = np.random.Generator(np.random.PCG64([request.first_seed, *text.encode()]))
        log_losses = self.script(parse(text)) + self.noise * rng.standard_normal((request.seeds, 1))
        return MemberResult({request.tasks[0]: {9: np.exp(log_losses)}})

    def next(self) -> Finished | None:
        return self.found.popleft()

    def close(self) -> None: ...


@pytest.mark.parametrize("name", ["default", "pangaea", "swish2017"])
def test_neighbours(name: str) -> None:
    """Shorter ones are shorter, all pass the screens, none is the function itself or a control."""
    rng = np.random.Generator(np.random.PCG64(1))
    source = grammar(name)
    for expression in (source.sample(rng) for _ in range(20)):
        if screen(expression):
            continue
        near = shorter(expression)
        assert all(length(each) < length(expression) for each in near)
        assert near == sorted(near, key=length)
        for each in [*near, *moved(expression)]:
            assert not screen(each)
            assert not any(same_function(each, parse(text), scale=True) for text in ("relu(x)", "gelu(x)", "silu(x)"))
            assert fingerprint(each).scale != fingerprint(expression).scale


def test_what_is_shorter() -> None:
    texts = [each.text for each in shorter(parse("tanh(x)*beta+0.123456*sin(x); beta=0.5:channel"))]
    expected = [
        *("sin(x)", "sin(x)+beta*tanh(x); beta=0.5:channel"),  # operators left out
        "beta*tanh(x)+sin(x)*0.12; beta=0.5:channel",  # fewer digits
        "beta*tanh(x)+sin(x)*0.123456; beta=0.5",  # one parameter a layer
        "0.5*tanh(x)+0.123456*sin(x)",  # none
    ]
    classes = {fingerprint(parse(text)).scale for text in texts}
    for text in expected:
        assert fingerprint(parse(text)).scale in classes, (text, texts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("x*0.3*1.0", None), ("3*tanh(x)*0.5", "tanh(x)"), ("-(-sin(x))/7", "sin(x)"), ("max(x,0)+0*x", "relu(x)")],
)
def test_the_plain_form_is_the_same_function_up_to_a_factor(text: str, expected: str | None) -> None:
    expression = parse(text)
    assert same_function(plain(expression), expression, scale=True)
    assert expected is None or plain(expression).text == expected


def test_moved_numbers_have_two_digits() -> None:
    expression = parse("x*sigmoid(1.7182*x)")
    numbers = [n.value for e in moved(expression) for n in postorder((e,)) if isinstance(n.value, float)]
    assert sorted(numbers) == [0.86, 1.4, 2.1, 3.4]
    initials = [n.value.initial for e in moved(parse("x*sigmoid(b*x); b=2")) for n in postorder((e,))
                if isinstance(n.value, Parameter)]  # fmt: skip
    assert sorted(initials) == [1.0, 1.6, 2.5, 4.0]


def test_an_operator_that_does_nothing_goes() -> None:
    """Only tanh decides the loss here: what else there is, is left out, round by round."""
    found = short_forms(
        [parse("tanh(x)+0.01*sin(cos(x))")], CONFIG, Scripted(lambda e: 0.0 if "tanh" in e.text else 1.0)
    )
    assert [each.text for each in found] == ["tanh(x)"]


def test_what_costs_gain_stays() -> None:
    expression = parse("min(sin(x),x)")
    workers = Scripted(lambda e: -0.5 if e is expression else 0.0, noise=0.05)
    assert short_forms([expression], CONFIG, workers) == [expression]


def test_a_constant_is_moved_where_that_is_better_beyond_noise() -> None:
    def bowl(e: Expression) -> float:
        values = [n.value for n in postorder((e,)) if isinstance(n.value, float)]
        return abs(float(np.log2(values[0] / 4.0))) if "sigmoid" in e.text and values else 9.0

    (found,) = short_forms([parse("x*sigmoid(1.7182*x)")], CONFIG, Scripted(bowl, noise=0.01))
    (value,) = [n.value for n in postorder((found,)) if isinstance(n.value, float)]
    assert isinstance(value, float) and 3.4 <= value <= 4.7


def test_the_search_s_seeds_are_not_used_again() -> None:
    workers = Scripted(lambda e: 0.0)
    short_forms([parse("min(sin(x),x)")], CONFIG, workers)
    assert workers.requests
    assert {request.purpose for request in workers.requests} == {"search"}
    assert all(request.first_seed >= 1_000_000 for request in workers.requests)


def test_short_forms_and_a_task_not_searched_are_confirmed(small: Path) -> None:
    changes = ["start=['x/(1+abs(silu(x)))', 'tanh(x)+0.01*sin(cos(x))']", "cohorts.size=2", "budget=2"]
    more = [
        "confirmation.finalists=2",
        "confirmation.seeds=8",
        "confirmation.rounds=1",
        "confirmation.unseen=tabular-cancer",
    ]
    run = Job.load(small, [*changes, *more]).launch("one")
    found = confirmation(run)
    assert found is not None
    rows = {row["id"]: row for row in found["finalists"]}
    assert rows, "no finalist has a gain; take more steps"
    for row in rows.values():
        assert set(row["unseen"]) == {"tabular-cancer"}
        assert set(row["drop_in"]) == {"relu", "gelu", "silu"}
        if "of" in row:
            assert row["id"] == f"{row['of']}-short"
            assert rows[row["of"]]["short"] == row["expression"]
    assert found["setting"]["unseen"] == ["tabular-cancer"]
    assert "tabular-cancer" in found["setting"]["networks"]


def test_a_difference_that_is_the_same_on_all_seeds_is_no_noise() -> None:
    """As with a training loop that does not depend on its seed."""
    expression = parse("min(sin(x),x)")
    worse = Scripted(lambda e: -0.5 if e is expression else 0.0)
    assert short_forms([expression], CONFIG, worse) == [expression]
    assert short_forms([expression], CONFIG, Scripted(lambda e: 0.0)) != [expression]


def test_a_task_that_is_searched_is_not_unseen(small: Path) -> None:
    with pytest.raises(ConfigError, match="digits is searched"):
        Job.load(small, ["confirmation.unseen=digits"])
    with pytest.raises(ConfigError, match=r"confirmation\.unseen.*'digits'"):
        Job.load(small, ["confirmation.unseen=digitz"])
