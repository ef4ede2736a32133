"""Mutation and crossover: children are members, each kind does what its name says, impossible kinds are left out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from primitives.errors import GrammarError
from primitives.expression.evaluation import value_at
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.grammars import Grammar, grammar, grammar_names
from primitives.grammars.mutation import KINDS
from tests.primitives_tests.declaring import loaded, rng

PRESETS = {name: grammar(name) for name in grammar_names()}
TREES = ["default", "evoactiv", "evonorm-trees", "lapid-sipper", "pangaea", "softmax-rows"]
SHAPE_CHANGES = {"grow", "insert", "hoist", "remove"}

SMALL = """
name: small
constants: [2, 3, 5]
unary: [sin(a), tanh(a)]
binary: [a+b, a*b]
templates: [{tree_size: 4}]
"""


def rules_of(chosen: Grammar, f: Expression) -> int:
    """Number of rules of the last template that has a member: of trees, where there are any."""
    return [len(found) for template, _ in chosen.templates if (found := template.read(f))][-1]


def mutants(chosen: Grammar, f: Expression, kind: str, number: int = 60) -> set[str]:
    return {chosen.mutate(f, rng(seed), kind).text for seed in range(number)}


# members


@pytest.mark.parametrize("name", sorted(PRESETS))
@given(seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_children_are_members(name: str, seed: int) -> None:
    chosen, source = PRESETS[name], rng(seed)
    f, g = chosen.sample(source), chosen.sample(source)
    for _ in range(5):
        changed, child = chosen.mutate(f, source), chosen.crossover(f, g, source)
        assert changed in chosen and child in chosen
        assert changed.text != f.text
        f, g = changed, child


@pytest.mark.parametrize("name", sorted(PRESETS))
@pytest.mark.parametrize("kind", [*KINDS, "node"])
def test_children_of_every_kind_are_members(name: str, kind: str) -> None:
    chosen, source = PRESETS[name], rng(1)
    f = chosen.sample(source)
    for _ in range(40):
        if kind in chosen.mutations and possible(chosen, f, kind):
            g = chosen.mutate(f, source, kind)
            assert g in chosen
            f = g if source.random() < 0.7 else f
        else:
            f = chosen.mutate(f, source)


def possible(chosen: Grammar, f: Expression, kind: str) -> bool:
    try:
        chosen.mutate(f, rng(), kind)
    except GrammarError as error:
        assert f"mutation '{kind}' is impossible" in str(error)
        return False
    return True


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_kinds_of_no_weight_are_those_that_are_impossible_or_switched_off(name: str) -> None:
    chosen, source = PRESETS[name], rng(2)
    for _ in range(15):
        f = chosen.mutate(chosen.sample(source), source)
        weights = chosen.kinds(f)
        assert list(weights) == (["node"] if name == "evonorm" else list(KINDS)) and any(weights.values())
        for kind, weight in weights.items():
            assert (weight > 0) == (possible(chosen, f, kind) and chosen.mutations[kind] > 0)


def test_forms_keep_their_shape() -> None:
    for name in set(PRESETS) - {*TREES, "evonorm"}:
        assert not any(PRESETS[name].kinds(PRESETS[name].sample(rng()))[kind] for kind in SHAPE_CHANGES)


def test_kinds_are_drawn_by_weight(tmp_path: Path) -> None:
    weights = "{point: 0, subtree: 0, grow: 2, hoist: 1, remove: 0, insert: 0, regenerate: 0, jitter: 1}"
    chosen = loaded(tmp_path, f"{SMALL}mutations: {weights}")
    f, source = parse("sin(x)*2"), rng(3)  # at the size of four rules only hoist and jitter are possible
    drawn = Counter(chosen.mutate(f, source).text for _ in range(2_000))
    assert set(drawn) == {"sin(x)", "x", "x*2", "sin(x)*3"}
    assert chisquare([drawn["sin(x)*3"], 2_000 - drawn["sin(x)*3"]]).pvalue > 1e-4


def test_impossible_kinds_are_never_drawn(tmp_path: Path) -> None:
    """With all the weight on what cannot be, a member stays as it is; with a trace of it elsewhere, it does not."""
    others = "subtree: 0, grow: 0, hoist: 0, remove: 0, regenerate: 0, add_parameter: 0"
    only = loaded(tmp_path, f"{SMALL}mutations: {{insert: 1, jitter: 1, move_parameter: 1, point: 0, {others}}}")
    f = parse("sin(x)+x")
    assert only.kinds(f) == dict.fromkeys(KINDS, 0.0)
    assert all(only.mutate(f, rng(seed)) is f for seed in range(20))
    trace = loaded(tmp_path, f"{SMALL}mutations: {{insert: 1000, jitter: 1000, point: 1.0e-9, {others}}}")
    assert {trace.mutate(f, rng(seed)).text for seed in range(50)} == {
        *("tanh(x)+x", "sin(x)*x", "sin(x)+2", "sin(x)+3", "sin(x)+5", "sin(2)+x", "sin(3)+x", "sin(5)+x")
    }


def test_nothing_else_to_be(tmp_path: Path) -> None:
    chain = loaded(tmp_path, "name: chain\nunary: [sin(a)]\ntemplates: [{tree_size: 2}]")
    assert {chain.mutate(parse("x"), rng(s)).text for s in range(20)} == {"sin(x)"}
    assert {chain.mutate(parse("sin(x)"), rng(s)).text for s in range(20)} == {"x"}
    alone = loaded(tmp_path, "name: alone\ntemplates: [{tree_size: 1}]")
    assert alone.mutate(parse("x"), rng()) is parse("x")
    single = loaded(tmp_path, "name: single\nunary: [sin(a)]\nbinary: [a+b]\ntemplates: [{units: 1}]")
    assert single.mutate(parse("sin(x)+sin(x)"), rng()) is parse("sin(x)+sin(x)")
    assert single.crossover(parse("sin(x)+sin(x)"), parse("sin(x)+sin(x)"), rng()) is parse("sin(x)+sin(x)")


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(GrammarError, match=r"unknown mutation 'hoits'; did you mean 'hoist'\?; available: point, "):
        PRESETS["default"].mutate(parse("sin(x)+x"), rng(), "hoits")
    with pytest.raises(GrammarError, match="mutation 'hoist' is impossible for 'sin"):
        PRESETS["swish2017"].mutate(parse("sin(x)+x"), rng(), "hoist")


# kinds


def test_point_changes_one_rule(tmp_path: Path) -> None:
    small = loaded(tmp_path, SMALL)
    inner = {"tanh(x+2)", "sin(x*2)", "sin(x+3)", "sin(x+5)", "sin(x+x)"}
    assert mutants(small, parse("sin(x+2)"), "point", 200) == inner  # x stays, it is the only one


def test_regenerate_keeps_the_shape(tmp_path: Path) -> None:
    small = loaded(tmp_path, SMALL)
    found = mutants(small, parse("sin(x+2)"), "regenerate", 400)
    leaves = ["x", "2", "3", "5"]
    pairs = [(a, b) for a in leaves for b in leaves if "x" in (a, b)]
    assert found == {f"{u}({a}{o}{b})" for u in ("sin", "tanh") for o in "+*" for a, b in pairs} - {"sin(x+2)"}


def test_subtree_stays_within_the_size(tmp_path: Path) -> None:
    small = loaded(tmp_path, SMALL)
    found = mutants(small, parse("sin(x+2)"), "subtree", 2_000)
    assert {"sin(x+3)", "sin(2+x)", "x", "tanh(tanh(x))", "sin(sin(x))", "2*sin(x)"} <= found
    assert max(rules_of(small, parse(text)) for text in found) == 4


def test_hoist_and_remove_take_parts_out(tmp_path: Path) -> None:
    small = loaded(tmp_path, SMALL)
    assert mutants(small, parse("sin(x+2)"), "hoist") == {"x", "x+2", "sin(x)"}
    assert mutants(small, parse("sin(x+2)"), "remove") == {"x+2", "sin(x)"}
    assert not possible(small, parse("x"), "hoist") and not possible(small, parse("x"), "remove")


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize("kind", ["hoist", "remove"])
def test_parts_taken_out_never_make_it_larger(name: str, kind: str) -> None:
    chosen, source = PRESETS[name], rng(5)
    for _ in range(60):
        f = chosen.sample(source, 7)
        g = chosen.mutate(f, source, kind)
        assert rules_of(chosen, g) < rules_of(chosen, f) and g.size <= f.size


def test_grow_puts_a_rule_in(tmp_path: Path) -> None:
    small = loaded(tmp_path, SMALL)
    sums = {"x+tanh(x)", "tanh(x)+x", "tanh(x+x)", "x*tanh(x)", "tanh(x)*x", "tanh(x*x)"}
    assert mutants(small, parse("tanh(x)"), "grow", 200) == {"sin(tanh(x))", "tanh(sin(x))", "tanh(tanh(x))", *sums}
    assert not possible(small, parse("sin(x+2)"), "grow")  # four rules are the most


def test_neutral_insertions_are_found(tmp_path: Path) -> None:
    text = """
name: neutral
parameters: {beta: {initial: 1}, shift: {initial: 0}}
constants: [0, 1, 2]
unary: [sin(a), beta*a, a+shift, a+beta, a]
binary: [a-b, a/b, a**b, "max(a,b)", "beta*a+(1-beta)*b", "a/(1+abs(b))"]
templates: [{tree_size: 3}]
"""
    found = mutants(loaded(tmp_path, text), parse("x"), "insert", 600)
    one, zero, either = "beta; beta=1", "shift; shift=0", "x+(1-beta)*"
    assert found == {
        *("beta*x; beta=1", "x+shift; shift=0", "x-0", f"x-{zero}", "x/1", f"x/{one}", "x**1", f"x**{one}"),
        *("max(x,x)", "x/(1+abs(0))", f"x/(1+abs({zero.split(';')[0]})); shift=0"),
        *(f"beta*{either}{leaf}; beta=1" for leaf in ("x", "0", "1")),
        f"beta*{either}beta2; beta=1, beta2=1",
        f"beta*{either}shift; beta=1, shift=0",
    }


@pytest.mark.parametrize("name", ["default", "pangaea"])
def test_insertion_leaves_the_function_unchanged(name: str) -> None:
    chosen, source = PRESETS[name], rng(6)
    x = torch.linspace(-3, 3, 60, dtype=torch.float64) + 0.003
    changed = 0
    for _ in range(150):
        f = chosen.mutate(chosen.sample(source), source)
        if possible(chosen, f, "insert"):
            g = chosen.mutate(f, source, "insert")
            changed += g is not f
            torch.testing.assert_close(value_at(g, x), value_at(f, x), rtol=1e-12, atol=0, equal_nan=True)
    assert changed > 50


def test_a_swap_exchanges_the_functions_of_two_runs_of_places(tmp_path: Path) -> None:
    layered = SMALL.replace("templates: [", "templates: [{form: 'unary(x)', layers: 3}, ")
    chosen = loaded(tmp_path, layered)
    parts = [part for (part,) in (f.args[:1] for f in (chosen.sample(rng(s)) for s in range(40)) if len(f.args) == 3)]
    a, b = list(dict.fromkeys(parts))[:2]
    made = parse(f"layers({a.text},{b.text},{a.text})")
    assert mutants(chosen, made, "swap") == {
        f"layers({b.text},{a.text},{a.text})",
        f"layers({a.text},{a.text},{b.text})",
    }
    assert not possible(chosen, parse(f"layers({a.text},{a.text},{a.text})"), "swap")
    assert not possible(chosen, parse("x+3"), "swap")
    assert chosen.mutations["swap"] == 0  # other grammars of layers draw what they always drew


def test_the_swap_of_safs_keeps_the_functions() -> None:
    safs, source = PRESETS["safs-layers"], rng(5)
    for _ in range(60):
        f = safs.sample(source)
        if possible(safs, f, "swap"):
            g = safs.mutate(f, source, "swap")
            assert g is not f and sorted(p.text for p in g.args) == sorted(p.text for p in f.args)
            assert sum(one is not other for one, other in zip(f.args, g.args, strict=True)) == 2


def test_jitter_moves_to_the_next_constant(tmp_path: Path) -> None:
    small = loaded(tmp_path, SMALL.replace("[2, 3, 5]", "[5, -2, 0.5, 3]"))
    assert mutants(small, parse("x+3"), "jitter") == {"x+5", "x+0.5"}
    assert mutants(small, parse("x+5"), "jitter") == {"x+3"}
    assert mutants(small, parse("x+-2"), "jitter") == {"x+0.5"}
    assert not possible(small, parse("x+x"), "jitter")


FACTORS = """
name: factors
unary: [sin(a), cos(a)]
binary: [a+b]
factors: {max: 2, per: channel}
templates: [{tree_size: 5}]
"""


def test_factors_are_added_removed_and_moved(tmp_path: Path) -> None:
    chosen = loaded(tmp_path, FACTORS)
    one = {"alpha*sin(x)", "sin(alpha*x)"}
    two = "alpha*sin(alpha2*x); alpha=1:channel, alpha2=1:channel"
    assert mutants(chosen, parse("sin(x)"), "add_parameter") == {f"{text}; alpha=1:channel" for text in one}
    f = parse("alpha*sin(x); alpha=1:channel")
    assert mutants(chosen, f, "add_parameter") == {two}
    assert mutants(chosen, f, "remove_parameter") == {"sin(x)"}
    assert mutants(chosen, f, "move_parameter") == {"sin(alpha*x); alpha=1:channel"}
    assert not possible(chosen, parse(two), "add_parameter")  # two are the most
    assert not possible(chosen, parse(two), "move_parameter")  # all edges are taken
    assert not possible(chosen, parse("sin(x)"), "remove_parameter")
    assert mutants(chosen, f, "point") == {"alpha*cos(x); alpha=1:channel"}  # a factor stays at its place


@pytest.mark.parametrize(
    ("text", "member"),
    [
        ("alpha*sin(beta*x); alpha=1:channel, beta=1:channel", True),
        ("alpha*sin(alpha*x); alpha=1:channel", False),  # one parameter on two edges
        ("p*x+q*x; p=1:channel, q=1:channel", True),
        ("p*(x+q*sin(r*x)); p=1:channel, q=1:channel, r=1:channel", False),  # two are the most
        ("p*(q*x); p=1:channel, q=1:channel", False),  # one an edge
        ("p*sin(x); p=1", False),
        ("p*sin(x); p=2:channel", False),
        ("sin(x)*p; p=1:channel", False),
    ],
)
def test_factors_in_members(tmp_path: Path, text: str, member: bool) -> None:
    assert (parse(text) in loaded(tmp_path, FACTORS)) is member


def test_factors_never_exceed_the_most() -> None:
    pangaea, source = PRESETS["pangaea"], rng(8)
    numbers = Counter[int]()
    f = g = pangaea.sample(source)
    for _ in range(600):
        f, g = pangaea.mutate(f, source), pangaea.crossover(f, g, source)
        numbers[len(f.parameters)] += 1
        assert len(g.parameters) <= 3
    assert set(numbers) == {0, 1, 2, 3}


def test_mutation_leads_beyond_the_initial_forms() -> None:
    pangaea, source = PRESETS["pangaea"], rng(9)
    assert pangaea.templates[0][0].sizes() == (3,) and pangaea.templates[1][0].sizes() == (5,)
    sizes = Counter[int]()
    for _ in range(40):
        f = pangaea.sample(source)
        for _ in range(12):
            f = pangaea.mutate(f, source)
        sizes[len(pangaea.templates[2][0].read(f) or ())] += 1
    assert len(sizes) > 5 and max(sizes) > 5


# crossover


def test_unit_crossover_mixes_slots() -> None:
    f, g = parse("tanh(x)+sin(x)"), parse("erf(x)*cos(x)")
    children = {PRESETS["swish2017"].crossover(f, g, rng(s)).text for s in range(60)}
    expected = {f"{u}(x){b}{v}(x)" for u in ("tanh", "erf") for b in "+*" for v in ("sin", "cos")}
    assert children == expected - {f.text, g.text}


def test_tree_crossover_swaps_within_the_size(tmp_path: Path) -> None:
    small = loaded(tmp_path, SMALL)
    f, g = parse("sin(x+2)"), parse("tanh(x*3)")
    children = {small.crossover(f, g, rng(s)).text for s in range(200)}
    assert children == {"x", "x*3", "sin(x)", "sin(x*3)", "sin(x+x)", "sin(x+3)"}  # there is an x in all


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
    with pytest.raises(GrammarError, match="not in the grammar 'default'"):
        chosen.kinds(f)
    with pytest.raises(GrammarError, match="not in the grammar 'default'"):
        chosen.encode(f)
