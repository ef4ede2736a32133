"""Grammars: sizes of the papers' spaces, membership of all that is drawn, uniform sampling, clear errors."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from primitives.errors import GrammarError
from primitives.expressions import MAX_DEPTH, MAX_SIZE, Expression, constant, join, parameter, variable
from primitives.grammars import Grammar, grammar, grammar_names
from primitives.grammars.template import below
from primitives.grammars.trees import Trees
from primitives.text import parse

PRESETS = {name: grammar(name) for name in grammar_names()}

SMALL = """
name: small
constants: [2, 3]
unary: [sin(a), tanh(a)]
binary: [a+b, a*b]
templates: [{tree_size: 4}]
"""


def loaded(tmp_path: Path, text: str) -> Grammar:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return grammar(path)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


@pytest.fixture(params=sorted(PRESETS))
def preset(request: pytest.FixtureRequest) -> Grammar:
    return PRESETS[request.param]


# sizes


@pytest.mark.parametrize(
    ("name", "size"),
    [("swish2017", 6_250), ("swish2017-2", 39_062_500), ("grafs", 22_667_121), ("aquasurf", 5_103)],
)
def test_counts_of_the_papers(name: str, size: int) -> None:
    assert PRESETS[name].count() == size


@pytest.mark.parametrize("name", ["swish2017", "aquasurf"])
def test_enumeration_is_complete_and_all_members(name: str) -> None:
    everything = list(PRESETS[name].enumerate())
    assert len(everything) == PRESETS[name].count()
    assert all(f in PRESETS[name] for f in everything)
    assert len({f.text for f in everything}) > 0.9 * len(everything)


def test_enumeration_is_lazy_and_repeats(preset: Grammar) -> None:
    first = [f.text for f in islice(preset.enumerate(), 50)]
    assert first == [f.text for f in islice(preset.enumerate(), 50)]
    assert len(first) == 50


def test_small_trees_are_counted_by_hand(tmp_path: Path) -> None:
    small = loaded(tmp_path, SMALL)
    # sizes 1 to 4 over 3 leaves, 2 unary, 2 binary: 3, 2*3, 2*6 + 2*9, 2*30 + 2*(2*3*6)
    assert small.count() == 3 + 6 + 30 + 132
    texts = [f.text for f in small.enumerate()]
    assert len(texts) == len(set(texts)) == 171


def test_templates_add_up(tmp_path: Path) -> None:
    both = loaded(tmp_path, SMALL.replace("[{tree_size: 4}]", "[{units: 1}, {tree_size: 4, weight: 3}]"))
    assert both.count() == 2 * 2**2 + 171
    assert sum(1 for _ in both.enumerate()) == both.count()


# sampling


def test_samples_are_members_and_round_trip(preset: Grammar) -> None:
    generator = rng(1)
    for _ in range(200):
        f = preset.sample(generator)
        assert f in preset
        assert parse(f.text) is f
        assert f.size <= MAX_SIZE and f.depth <= MAX_DEPTH


def test_trees_of_a_size_are_uniform(tmp_path: Path) -> None:
    small = loaded(tmp_path, SMALL)
    ((trees, _),) = small.templates
    assert isinstance(trees, Trees)
    generator = rng(2)
    drawn = Counter(trees.write(trees.sample_size(4, generator)).text for _ in range(13_200))
    expected = [trees.write(d).text for d in trees.enumerate() if d.size == 4]
    assert set(drawn) == set(expected) and len(expected) == 132
    assert chisquare([drawn[text] for text in expected]).pvalue > 1e-3


def test_sizes_are_uniform_from_three(tmp_path: Path) -> None:
    small = loaded(tmp_path, SMALL)
    generator = rng(3)
    sizes = Counter(small.templates[0][0].sample(generator).size for _ in range(2_000))
    assert set(sizes) == {3, 4}
    assert chisquare([sizes[3], sizes[4]]).pvalue > 1e-3


def test_units_are_uniform() -> None:
    generator = rng(4)
    drawn = Counter(PRESETS["grafs"].templates[0][0].sample(generator)[5].text for _ in range(9_000))
    assert len(drawn) == 9
    assert chisquare(list(drawn.values())).pvalue > 1e-3


@pytest.mark.parametrize("limit", [1, 7, (1 << 62) + 1, 10**40])
def test_integers_below_any_limit(limit: int) -> None:
    generator = rng(5)
    drawn = [below(limit, generator) for _ in range(400)]
    assert all(0 <= d < limit for d in drawn)
    if limit > 7:
        assert abs(sum(drawn) / len(drawn) / limit - 0.5) < 0.08


def draws(chosen: Grammar, seed: int) -> list[str]:
    generator = rng(seed)
    fs = [chosen.sample(generator) for _ in range(20)]
    gs = [chosen.mutate(f, generator) for f in fs]
    return [h.text for h in [*fs, *gs, *(chosen.crossover(f, g, generator) for f, g in zip(fs, gs, strict=True))]]


def test_same_seed_same_result(preset: Grammar) -> None:
    assert draws(preset, 6) == draws(preset, 6)
    assert draws(preset, 6) != draws(preset, 7)


def test_same_seed_same_result_in_another_process() -> None:
    code = (
        "import numpy as np; from primitives.grammars import grammar; g = grammar('default');"
        "r = np.random.Generator(np.random.PCG64(8)); f = [g.sample(r) for _ in range(9)];"
        "print([h.text for h in [*f, *(g.mutate(h, r) for h in f)]])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


# mutation and crossover


@pytest.mark.parametrize("name", sorted(PRESETS))
@given(seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_children_are_members(name: str, seed: int) -> None:
    chosen, generator = PRESETS[name], rng(seed)
    f, g = chosen.sample(generator), chosen.sample(generator)
    for _ in range(5):
        changed, child = chosen.mutate(f, generator), chosen.crossover(f, g, generator)
        assert changed in chosen and child in chosen
        assert changed.text != f.text
        f, g = changed, child


def test_every_kind_of_change_occurs(tmp_path: Path) -> None:
    small = loaded(tmp_path, SMALL.replace("tree_size: 4", "tree_size: 5"))
    f, generator = parse("sin(x+2)"), rng(9)
    reached = {small.mutate(f, generator).text for _ in range(2_000)}
    point, hoist, insert, other_constant = "tanh(x+2)", "x+2", "tanh(sin(x+2))", "sin(x+3)"
    assert {point, hoist, insert, other_constant, "2", "tanh(2)", "sin(x+x)"} <= reached


def test_impossible_kinds_are_left_out(tmp_path: Path) -> None:
    chain = loaded(tmp_path, "name: chain\nunary: [sin(a)]\ntemplates: [{tree_size: 2}]")
    assert {chain.mutate(parse("x"), rng(s)).text for s in range(20)} == {"sin(x)"}
    assert {chain.mutate(parse("sin(x)"), rng(s)).text for s in range(20)} == {"x"}
    alone = loaded(tmp_path, "name: alone\ntemplates: [{tree_size: 1}]")
    assert alone.mutate(parse("x"), rng()) is parse("x")
    single = loaded(tmp_path, "name: single\nunary: [sin(a)]\nbinary: [a+b]\ntemplates: [{units: 1}]")
    assert single.mutate(parse("sin(x)+sin(x)"), rng()) is parse("sin(x)+sin(x)")


def test_unit_crossover_mixes_slots() -> None:
    f, g = parse("tanh(x)+sin(x)"), parse("erf(x)*cos(x)")
    children = {PRESETS["swish2017"].crossover(f, g, rng(s)).text for s in range(60)}
    expected = {f"{u}(x){b}{v}(x)" for u in ("tanh", "erf") for b in "+*" for v in ("sin", "cos")}
    assert children == expected - {f.text, g.text}


def test_tree_crossover_swaps_within_the_size(tmp_path: Path) -> None:
    small = loaded(tmp_path, SMALL)
    f, g = parse("sin(x+2)"), parse("tanh(x*3)")
    children = {small.crossover(f, g, rng(s)).text for s in range(100)}
    assert {"sin(tanh(x*3))", "sin(x*3)"} & children == {"sin(x*3)"}  # the first has five nodes
    assert "sin(3+2)" in children and "tanh(x*3)" not in children


def test_crossover_across_templates_mutates(tmp_path: Path) -> None:
    both = loaded(tmp_path, SMALL.replace("[{tree_size: 4}]", "[{units: 1}, {tree_size: 4}]"))
    f, g = parse("sin(x)+tanh(x)"), parse("x*2")
    assert f in both and g in both
    child = both.crossover(f, g, rng())
    assert child in both and child is not f


@pytest.mark.parametrize("foreign", ["mish(x)", "x+0.3", "beta*x; beta=0.5", "sinh(x)"])
def test_foreign_expressions_are_refused(foreign: str) -> None:
    f, chosen = parse(foreign), PRESETS["default"]
    assert f not in chosen
    with pytest.raises(GrammarError, match="not in the grammar 'default'"):
        chosen.mutate(f, rng())
    with pytest.raises(GrammarError, match="not in the grammar 'default'"):
        chosen.crossover(parse("x"), f, rng())


# membership and parameters


@pytest.mark.parametrize(
    ("text", "member"),
    [
        ("x*sigmoid(beta*x); beta=1:channel", False),  # swish with a slope: sigmoid(beta*x) is no unary rule
        ("sigmoid(beta*x)*x; beta=1:channel", True),
        ("sigmoid(slope*x)*x; slope=1:channel", True),
        ("sigmoid(beta*x)*x; beta=1", False),
        ("sigmoid(beta*x)*x; beta=2:channel", False),
        ("beta*x+(1-beta)*sin(x); beta=1:channel", True),
        ("beta*x+(1-gamma)*sin(x); beta=1:channel, gamma=1:channel", False),
        ("(x+p)*(q*x); p=1:channel, q=1:channel", True),
        ("(x+p)*(p*x); p=1:channel", False),  # each use of a rule has a parameter of its own
        ("exp(-beta*abs(x-beta2)); beta=1:channel, beta2=1:channel", True),
        ("beta/(x+1e-7); beta=1:channel", True),
        ("x/(x+1e-6)", False),
        ("x", False),
    ],
)
def test_membership_is_syntactic(text: str, member: bool) -> None:
    assert (parse(text) in PRESETS["swish2017"]) is member


def test_rules_that_ignore_an_input_hide_the_rest() -> None:
    grafs = PRESETS["grafs"]
    for text in ("tanh(x)", "beta; beta=1", "gelu(sin(x))"):
        assert (parse(text) in grafs) is ("sin" not in text)
    children = {grafs.mutate(parse("beta; beta=1"), rng(s)).text for s in range(60)}
    assert len(children) > 30


def test_repeated_metavariable_is_one_node(tmp_path: Path) -> None:
    chosen = loaded(tmp_path, 'name: twice\nunary: [sin(a), cos(a), "a/(1+abs(a))"]\ntemplates: [{tree_size: 3}]')
    assert parse("sin(x)/(1+abs(sin(x)))") in chosen
    assert parse("sin(x)/(1+abs(cos(x)))") not in chosen


def test_parameters_have_their_declared_start_and_granularity() -> None:
    for name, starts, per_channel in (("swish2017-2", {1.0}, True), ("grafs", {0.0, 1.0}, False)):
        generator = rng(10)
        found = [p for _ in range(300) for p in PRESETS[name].sample(generator).parameters]
        assert {p.initial for p in found} == starts
        assert {p.per_channel for p in found} == {per_channel}
        assert {"2" in p.name for p in found} == {True, False}


def test_each_use_has_its_own_parameter(tmp_path: Path) -> None:
    text = "name: p\nparameters: {beta: {initial: 0.25, per: channel}}\nunary: [beta*a]\nbinary: [a+b]\n"
    (f,) = loaded(tmp_path, text + "templates: [{units: 1}]").enumerate()
    assert f.text == "beta*x+beta2*x; beta=0.25:channel, beta2=0.25:channel"
    trees = loaded(tmp_path, text + "templates: [{tree_size: 3}]")
    leaf = parameter("anything", 0.25, per_channel=True)
    assert leaf in trees and parameter("beta", 0.25) not in trees


def test_what_is_no_expression_is_no_member() -> None:
    assert "x" not in PRESETS["default"]
    deep: Expression = variable()
    for _ in range(3_000):
        deep = join("sin", deep)
    assert deep not in PRESETS["default"] and deep not in PRESETS["grafs"]
    assert constant(0.1) in PRESETS["default"]


# declarations


def test_a_path_works_as_text_and_as_path(tmp_path: Path) -> None:
    assert loaded(tmp_path, SMALL).name == "small"
    assert grammar(str(tmp_path / "mine.yaml")).count() == 171


@pytest.mark.parametrize("name", grammar_names())
def test_presets_are_named_after_their_files(name: str) -> None:
    assert PRESETS[name].name == name
    assert PRESETS[name].description


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(GrammarError, match=r"unknown grammar 'swish207'; did you mean 'swish2017'\?"):
        grammar("swish207")
    with pytest.raises(GrammarError, match="there is no such file"):
        grammar(tmp_path / "none.yaml")
    with pytest.raises(GrammarError, match="cannot be read"):
        grammar(tmp_path)
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(GrammarError, match="cannot be read"):
        grammar(tmp_path / "bytes.yaml")


BAD = [
    ("name: [", r"not YAML \(line"),
    ("name: \x00", "not YAML: ReaderError"),
    ("name: 2001-99-99", "not YAML: ValueError"),
    pytest.param("[" * 5_000, "not YAML", id="deep"),
    ("", "expected a mapping, got nothing"),
    ("- a", "expected a mapping, got a list"),
    ("!!python/object/apply:os.system [ls]", "not YAML"),
    ("templates: [{units: 1}]", "name: is missing"),
    ("name: n\nname2: 3", r"name2: unknown key; did you mean 'name'\?"),
    ("name: n\nunery: [a]", r"unery: unknown key; did you mean 'unary'\?; expected name, "),
    ("name: n", "templates: is missing"),
    ("name: 3\ntemplates: [{tree_size: 2}]", "name: expected a text, got 3"),
    ("name: n\ntemplates: []", "templates: expected at least one"),
    ("name: n\ntemplates: {units: 1}", "templates: expected a list, got a mapping"),
    ("name: n\ntemplates: [{unit: 1}]", r"templates\[0\].unit: unknown key; did you mean 'units'"),
    ("name: n\ntemplates: [{weight: 1}]", r"templates\[0\]: expected one of units and tree_size"),
    ("name: n\ntemplates: [{units: 1}]", r"unary: expected at least one rule, as templates\[0\] has units"),
    ("name: n\ntemplates: [{tree_size: nine}]", r"templates\[0\].tree_size: expected a whole number, got 'nine'"),
    ("name: n\ntemplates: [{tree_size: true}]", "expected a whole number, got True"),
    ("name: n\ntemplates: [{tree_size: 0}]", "expected 1 to 100, got 0"),
    ("name: n\ntemplates: [{tree_size: 3, weight: 0}]", "weight: expected a number above 0"),
    ("name: n\nunary: [a, tahn(a)]\ntemplates: [{tree_size: 3}]", r"unary\[1\]: 'tahn\(a\)': .*did you mean 'tanh'"),
    ("name: n\nunary: [a+b]\ntemplates: [{tree_size: 3}]", r"unary\[0\]: .*unknown name 'b'; known are a, other"),
    ("name: n\nbinary: ['a+(b']\ntemplates: [{tree_size: 3}]", r"binary\[0\]: 'a\+\(b': position 4: expected '\)'"),
    ("name: n\nunary: [2]\ntemplates: [{tree_size: 3}]", r"unary\[0\]: expected a rule in quotes"),
    ("name: n\nunary: ['a;b']\ntemplates: [{tree_size: 3}]", "unexpected character ';'"),
    ("name: n\nunary: [sin(a), sin( a )]\ntemplates: [{tree_size: 3}]", r"is there already: unary\[0\]"),
    ("name: n\nunary: tanh(a)\ntemplates: [{tree_size: 3}]", r"unary: expected a list, got 'tanh\(a\)'"),
    ("name: n\nconstants: [1e-7]\ntemplates: [{tree_size: 3}]", r"constants\[0\]: .* write it with a point"),
    ("name: n\nconstants: [.inf]\ntemplates: [{tree_size: 3}]", r"constants\[0\]: expected a finite number, got inf"),
    ("name: n\nparameters: {x: {}}\ntemplates: [{tree_size: 3}]", "parameters.x: .*take another name"),
    ("name: n\nparameters: {b1: {}}\ntemplates: [{tree_size: 3}]", "parameters.b1: .*does not end in a digit"),
    ("name: n\nparameters: {c: 1.0}\ntemplates: [{tree_size: 3}]", "parameters.c: expected a mapping, got 1.0"),
    (
        "name: n\nparameters: {c: {start: 1}}\ntemplates: [{tree_size: 3}]",
        "c.start: unknown key.*expected initial, per",
    ),
    (
        "name: n\nparameters: {c: {per: chanel}}\ntemplates: [{tree_size: 3}]",
        r"parameters.c.per: expected 'layer' or 'channel', got 'chanel'; did you mean 'channel'",
    ),
    (
        "name: n\nparameters: {beta: {}}\nunary: [bta*a]\ntemplates: [{tree_size: 3}]",
        r"unary\[0\]: 'bta\*a': position 0: unknown name 'bta'; did you mean 'beta'",
    ),
    (
        'name: n\nunary: ["a*a*a"]\ntemplates: [{tree_size: 9}]',
        r"templates\[0\]: an expression could have \d+ nodes, at most 400 are allowed",
    ),
    ("name: n\nunary: [sin(cos(a))]\ntemplates: [{tree_size: 80}]", r"could have \d+ levels, at most 100"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_bad_declarations_name_the_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(GrammarError, match=message) as caught:
        loaded(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "mine.yaml"))


def test_limits_are_reached_exactly(tmp_path: Path) -> None:
    small = loaded(
        tmp_path, 'name: n\nunary: [exp(-a**2), "a*sin(a)"]\nbinary: [a/(1+abs(b))]\ntemplates: [{tree_size: 5}]'
    )
    written = list(small.enumerate())
    assert small.templates[0][0].largest() == (max(f.size for f in written), max(f.depth for f in written))
    units = PRESETS["swish2017"]
    written = list(units.enumerate())
    assert units.templates[0][0].largest() == (max(f.size for f in written), max(f.depth for f in written))
