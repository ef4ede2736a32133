"""Controls of the kind of a task's places, and functions that do not fit them."""

from __future__ import annotations

import math

import pytest

from evaluators.controls import CONTROLS, builtin_controls, more_controls
from evaluators.errors import EvaluationError
from evaluators.evaluate import evaluate
from evaluators.places.each_place import LEARNED, PLAIN, SMOOTH, in_each_place
from evaluators.places.fitting import Fitting
from evaluators.results.control_labels import FAMILIES, label_of
from evaluators.tasks import task
from evaluators.tasks.tryout import try_out
from primitives.expression.parsing import parse
from tests.evaluators_tests.test_kinds_of_places import GATED, MIXED, NORMS, ROWS, Own

KINDS = {"gate": GATED, "mixed": MIXED, "row": ROWS, "layer": NORMS}
#: Each with a function that fits.
FITTING = {
    "gate": "relu(x)*z",
    "mixed": "layers(relu(x)*z,gelu(x))",
    "row": "exp(x)/sum_c(exp(x))",
    "layer": "relu(x/std_np(x))",
}
every = pytest.mark.parametrize("kind", KINDS)


@every
def test_evaluate_compares_with_the_controls_of_the_kind(kind: str) -> None:
    own = KINDS[kind]
    own.steps = 3
    (found,) = evaluate([FITTING[kind]], own, seeds=2, objectives=())
    names = next(family for family in FAMILIES if family[0] in found.gains)
    assert list(found.gains) == ["current", *names]
    assert all(map(math.isfinite, found.gains.values()))


def test_the_first_control_is_the_reference_of_tasks_without_one_of_their_own() -> None:
    own = Own("gated", GATED.replaced or ())
    own.steps, own.reference = 2, "relu"
    (found,) = evaluate(["silu(x)*z"], own, seeds=2, objectives=())
    assert list(found.gains) == ["glu", "swiglu"]
    assert found.gain == found.gains["glu"]
    assert found.gains["swiglu"] == 0.0


@every
def test_a_try_out_passes(kind: str) -> None:
    """It trains, takes gradients and compares a stack with functions of the kind."""
    notes = try_out(KINDS[kind])
    assert not [note for note in notes if "cannot be stacked" in note]


@every
def test_built_in_functions_fit(kind: str) -> None:
    own = KINDS[kind]
    texts = [*builtin_controls([own]).values(), *(in_each_place(own, each).text for each in (PLAIN, LEARNED, SMOOTH))]
    Fitting([own]).check(map(parse, texts))


def test_every_control_has_a_label_and_a_family() -> None:
    for own, family in zip((task("digits"), GATED, NORMS, ROWS, MIXED), FAMILIES, strict=True):
        assert tuple(builtin_controls([own])) == family
        assert all(label_of(name) for name in family)
    assert builtin_controls([task("digits")]) == CONTROLS


def test_tasks_of_a_function_of_one_number_and_of_layers_have_controls_that_fit_both() -> None:
    assert builtin_controls([task("digits"), NORMS]) == CONTROLS


@pytest.mark.parametrize("others", [(GATED, "digits"), (ROWS, GATED), (MIXED, GATED)])
def test_tasks_that_no_candidate_fits(others: tuple[Own | str, ...]) -> None:
    with pytest.raises(EvaluationError, match="expected places of one kind, which a candidate fits, got"):
        builtin_controls(task(each) if isinstance(each, str) else each for each in others)


def test_a_control_that_is_there_already() -> None:
    with pytest.raises(EvaluationError, match="is the control 'swiglu' already"):
        more_controls(["z*silu(x)"], builtin_controls([GATED]))


def test_evaluate_refuses_what_does_not_fit_before_it_trains() -> None:
    with pytest.raises(EvaluationError, match=r"task 'gated': relu\(x\) does not fit the place 'mlp.act_fn'"):
        evaluate(["silu(x)*z", "relu(x)"], GATED, seeds=2)
    with pytest.raises(EvaluationError, match=r"task 'digits': relu\(x\)\*z does not fit"):
        evaluate(["relu(x)*z"], "digits", seeds=2)
    with pytest.raises(EvaluationError, match="does not fit"):
        evaluate(["silu(x)*z"], GATED, seeds=2, controls=["swish"])
