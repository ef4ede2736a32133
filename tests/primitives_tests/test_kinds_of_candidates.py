"""Kinds of candidates: what an analysis cannot say is refused with the reason, and names and signs are of one kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

import pytest
import torch

from primitives.analysis import analyse, edge_of_chaos, finite, half_stable, mean_field, moments
from primitives.analysis.curve import curve, values_at
from primitives.catalogue import catalogue, every_entry, known_name
from primitives.equivalence.classes import class_of
from primitives.equivalence.input_search import SCALES, nearest_maps
from primitives.equivalence.kinds import kind_in_words, plainest
from primitives.equivalence.nearest import nearest_known
from primitives.equivalence.signs import same_up_to_signs, sign_class, sign_orbit
from primitives.errors import ExpressionError
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse

#: Each kind with its words.
KINDS = {
    "x*sigmoid(v*x)/std_gp(x)*w+b; v=1:channel, w=1:channel, b=0:channel": "a layer with statistics",
    "exp(x-max_c(x))/sum_c(exp(x-max_c(x)))": "a layer with statistics",
    "silu(x)*z": "a gate of x and z",
    "x/rms_c(x)*z": "a gate of x and z with statistics",
    "paired(relu(x),relu(x+0.1))*z": "a gate of x and z, with a derivative of its own",
    "paired(relu(x),relu(x+0.1))/rms_c(x)": "a layer with statistics, with a derivative of its own",
    "layers(sin(10*x),relu(x),relu(x))": "one function per place, 3 for equal runs of places",
    "layers(x/rms_c(x),relu(x))": "one function per place, 2 for equal runs of places",
}
OF_ONE_NUMBER: dict[str, Callable[[Expression], object]] = {
    "analysis": analyse,
    "curves": curve,
    "moments": moments,
    "a look at a wide grid": lambda e: finite(e, torch.float32),
    "values and slopes": lambda e: values_at(e, torch.zeros(3)),
    "edge": lambda e: edge_of_chaos(e, 0.2),
    "half": half_stable,
    "field": lambda e: mean_field(e, 1.0),
    "the nearest known function": nearest_known,
    "signs": sign_orbit,
    "maps of the input": lambda e: list(nearest_maps(e, [parse("relu(x)")], SCALES[0])),
}


@pytest.mark.parametrize("text", KINDS)
@pytest.mark.parametrize("use", OF_ONE_NUMBER)
def test_what_needs_a_function_of_one_number_says_so(text: str, use: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        OF_ONE_NUMBER[use](parse(text))
    said = str(caught.value)
    assert f"expected a function of one number, but {text} is {KINDS[text]}" in said
    assert ("parts[0]" in said) == text.startswith("layers")


@pytest.mark.parametrize(("text", "words"), [*KINDS.items(), ("relu(x)", "a function of one number"),
    ("paired(sign(x),x)", "a function of one number, with a derivative of its own"),
    ("layers(relu(x),relu(x))", "a function of one number")])  # fmt: skip
def test_kinds_in_words(text: str, words: str) -> None:
    assert kind_in_words(parse(text)) == words


@pytest.mark.parametrize("text", ["relu(x)+var_c(mean_c(x))", "layers(relu(x),relu(x))"])
def test_what_is_a_function_of_one_number_in_the_end_is_taken_for_one(text: str) -> None:
    assert plainest(parse(text)).is_pointwise
    assert analyse(parse(text)) == analyse(parse("relu(x)"))
    match = known_name(parse(text))
    assert match is not None
    assert match.name == "ReLU"
    assert sign_class(parse(text), exact=False) == sign_class(parse("relu(-x)"), exact=False)


@pytest.mark.parametrize("text", KINDS)
def test_signs_are_of_functions_of_one_number(text: str) -> None:
    f = parse(text)
    assert sign_class(f, exact=False) == class_of(f, exact=False)
    assert same_up_to_signs(f, f, exact=False)


def test_a_gate_is_not_its_mirror_image() -> None:
    f, g = parse("relu(x)*z"), parse("relu(-x)*z")
    assert sign_class(f, exact=False) != sign_class(g, exact=False)
    assert not same_up_to_signs(f, g, exact=False)


def test_names_are_of_one_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue may have layers, gates and one function per place; each finds its own, and nothing else."""
    relu = catalogue()[0]
    rows = {"Bilinear": "x*z", "RMSNorm": "x/rms_c(x)*w; w=1:channel", "Sine net": "layers(sin(x),relu(x))"}
    more = tuple(replace(relu, name=name, kind="layer", expression=parse(text)) for name, text in rows.items())
    every = (*more, *every_entry())
    known = import_module("primitives.catalogue")
    monkeypatch.setattr(known, "every_entry", lambda: every)
    known._index.cache_clear()
    try:
        for text, name, relation in (
            ("z*x", "Bilinear", "equal"),
            ("2*x*z", "Bilinear", "scaled"),
            ("x*z+1", "Bilinear", "shifted"),
            ("x*g/sqrt(mean_c(x*x)+1e-5); g=1:channel", "RMSNorm", "equal"),
            ("layers(sin(x),relu(x))", "Sine net", "equal"),
        ):
            match = known_name(parse(text), input_scale=True, input_shift=True)
            assert match is not None, text
            assert (match.name, match.relation) == (name, relation)
        assert known_name(parse("relu(x)*z*z"), input_scale=True, input_shift=True) is None
        assert known_name(parse("layers(sin(x),tanh(x))")) is None
        match = known_name(parse("x*z+1"))
        assert match is not None
        assert match.formula == "Bilinear(x, z) + 1"
        match = known_name(parse("tanh(1.5*x)"), input_scale=True, input_shift=True)
        assert match is not None
        assert match.name == "Tanh"
    finally:
        known._index.cache_clear()
