"""Graphs: shared nodes are one, members are varied by one node, texts and vectors give them back, all are counted."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable
from itertools import pairwise, product
from math import prod
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import Tensor

from primitives.equivalence.tensors import tensors
from primitives.errors import GrammarError
from primitives.expression.evaluation import value_at
from primitives.expression.expression import MAX_SIZE, Expression
from primitives.expression.parsing import parse
from primitives.expression.traversal import postorder
from primitives.grammars import Grammar, grammar
from primitives.grammars.graphs.graph import Graph, Node, live
from primitives.grammars.graphs.graphs import Graphs
from primitives.grammars.graphs.space import Space
from primitives.grammars.graphs.variation import crossed, filled, resampled
from primitives.operators.axes import ALL_AXES
from tests.primitives_tests.declaring import loaded, rng

SMALLEST_P = 1e-4
EVONORM = grammar("evonorm")

SMALL = """
name: small
parameters: {v: {initial: 1, per: channel}}
unary: [sin(a), mean_np(a)]
binary: [a+b]
templates: [{graph: NODES}]
"""
OWN = """
name: own
parameters: {beta: {initial: 0.5}, v: {initial: 1, per: channel}}
constants: [2]
unary: [a, sin(a), "beta*a", "a/(1+abs(a))", abs(a), "7"]
binary: [a+b, a*b, a/b, "beta*a+(1-beta)*b", b]
templates: [{graph: 4}]
"""
MIXED = """
name: mixed
unary: [sin(a), tanh(a)]
binary: [a*b]
templates: [{graph: 3}, {graph: 2, root: "a+1", layers: 2}, {units: 1}, {tree_size: 5}]
"""


def part_of(chosen: Grammar) -> Graphs:
    (part,) = [part for part, _ in chosen.templates if isinstance(part, Graphs)]
    return part


def space_of(chosen: Grammar) -> Space:
    return part_of(chosen).space


@pytest.fixture(params=["evonorm", "own", "mixed"])
def chosen(request: pytest.FixtureRequest, tmp_path: Path) -> Grammar:
    texts = {"own": OWN, "mixed": MIXED}
    return loaded(tmp_path, texts[request.param]) if request.param in texts else EVONORM


seeds = given(seed=st.integers(0, 2**32))


# a graph against a loop over its nodes

AXES = {"np": (0, 2, 3), "cp": (1, 2, 3), "p": (2, 3)}


def moment(name: str, a: Tensor) -> Tensor:
    """A moment by the words of the paper, of (examples, channels, rows, columns); a group has all eight channels."""
    kind, letters = name.split("_")
    over = [dim for dim in AXES.get(letters, (1, 2, 3)) if a.dim() == 4]
    full = a.expand(6, 8, 3, 3)
    if kind == "mean":
        return full.mean(over, keepdim=True)
    if kind == "std":
        return (full.var(over, unbiased=False, keepdim=True) + 1e-5).sqrt()
    return ((full**2).mean(over, keepdim=True) + 1e-5).sqrt()


PLAIN: dict[str, Callable[..., Tensor]] = {
    "-a": lambda a: -a, "sigmoid(a)": lambda a: 1 / (1 + torch.exp(-a)), "tanh(a)": torch.tanh, "exp(a)": torch.exp,
    "signed_log(a)": lambda a: torch.where(a == 0, 0, torch.sign(a) * torch.log(a.abs())),
    "signed_sqrt(a)": lambda a: torch.sign(a) * a.abs() ** 0.5, "abs(a)": torch.abs, "a**2": torch.square,
    "a+b": torch.add, "a*b": torch.mul, "a/b": torch.div, "max(a,b)": torch.maximum,
}  # fmt: skip


def node_by_node(graph: Graph, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """The output of a graph of EvoNorm's space as its authors would compute it, every node, needed or not."""
    values = [x, torch.zeros(1, 1, 1, 1, dtype=x.dtype), u.view(1, 8, 1, 1), v.view(1, 8, 1, 1)]
    for node in graph:
        inputs = [values[number] for number in node.inputs]
        rule = node.rule.text
        values.append(PLAIN[rule](*inputs) if rule in PLAIN else moment(rule.removesuffix("(a)"), *inputs))
    return values[-1]


@seeds
@settings(max_examples=150, deadline=None)
def test_a_graph_is_computed_as_its_nodes_are_one_by_one(seed: int) -> None:
    """With vectors that are not at their initial values, so that one cannot stand for the other."""
    space, source = space_of(EVONORM), rng(seed)
    graph = space.random(source)
    x, u, v = tensors()[0], *torch.from_numpy(source.normal(size=(2, 8)))
    whole = space.write(graph).whole
    named = {"u": u, "v": v, "w": torch.full((8,), 1.5, dtype=x.dtype), "shift": torch.full((8,), -0.25, dtype=x.dtype)}
    given = {name: named[name].view(8, 1, 1) for name in (p.name for p in whole.parameters)}
    found = value_at(whole, x, **given).expand_as(x)
    torch.testing.assert_close(found, (node_by_node(graph, x, u, v) * 1.5 - 0.25).expand_as(x), equal_nan=True)


def test_a_node_that_is_used_twice_is_one_node() -> None:
    """Ten sums of a node with itself are 1,024 times x: as a tree they would have 2,047 nodes."""
    space = space_of(EVONORM)
    add = next(rule for rule in space.rules if rule.text == "a+b")
    graph = tuple(Node(add, (0 if not at else 3 + at,) * 2) for at in range(10))
    written = space.write(graph)
    assert len(postorder((written.body,))) == 11 and written.body.size == 2047
    assert not space.has(written)  # what could not be written as text is no member
    shorter = space.write(graph[:7])
    assert space.has(shorter) and shorter.whole in EVONORM and shorter.whole.size <= MAX_SIZE
    x = tensors()[0]
    torch.testing.assert_close(value_at(shorter.whole, x, w=torch.ones(8, 1, 1), shift=torch.zeros(8, 1, 1)), 128 * x)


def test_a_vector_is_one_parameter_wherever_it_is_used() -> None:
    f = parse("(x*v+sigmoid(v))*w+shift; v=1:channel, w=1:channel, shift=0:channel")
    assert f in EVONORM
    assert parse("(x*v+sigmoid(v2))*w+shift; v=1:channel, v2=1:channel, w=1:channel, shift=0:channel") not in EVONORM
    assert parse("(x*v+sigmoid(u))*w+shift; v=1:channel, u=0:channel, w=1:channel, shift=0:channel") in EVONORM
    assert parse("(x*w+sigmoid(w))*w+shift; w=1:channel, shift=0:channel") not in EVONORM  # the root has its own
    assert parse("(x*v+sigmoid(v))*w+shift; v=1, w=1:channel, shift=0:channel") not in EVONORM


# members


@seeds
@settings(max_examples=60, deadline=None)
def test_samples_and_children_are_members(seed: int) -> None:
    source = rng(seed)
    f, g = EVONORM.sample(source), EVONORM.sample(source)
    for _ in range(6):
        changed, child = EVONORM.mutate(f, source), EVONORM.crossover(f, g, source)
        for member in (changed, child):
            assert member in EVONORM and parse(member.text) is member
            assert space_of(EVONORM).root.match(member)[0].axes == ALL_AXES  # type: ignore[union-attr, index]
        assert changed is not f
        f, g = changed, child


@seeds
@settings(max_examples=100, deadline=None)
def test_reading_gives_the_smallest_graph_back(seed: int) -> None:
    """The nodes of a graph that the output needs, equal ones counted once, are what is read."""
    space, source = space_of(EVONORM), rng(seed)
    graph = space.random(source)
    while not space.accepts(graph):
        graph = space.random(source)
    written = space.write(graph)
    (read,) = part_of(EVONORM).read(written.whole) or ((),)
    assert space.write(read) == written
    assert len(read) <= len(live(graph, space.first)) and len(live(read, space.first)) == len(read)
    nodes = postorder((written.body,))
    two = {node.args[1] for node in nodes if node.op == "pow"}  # the 2 of a**2 is no node
    assert len(read) == sum(bool(node.args) for node in nodes if node not in two)


def test_names_of_parameters_do_not_matter() -> None:
    f = EVONORM.mutate(parse("x*p*q+r; p=1:channel, q=1:channel, r=0:channel"), rng())
    assert f in EVONORM and {p.name for p in f.parameters} <= {"u", "v", "w", "shift"}


NOT_THERE = [
    "x*w+shift; w=1:channel, shift=0:channel",  # x itself is no operator's
    "relu(x)*w+shift; w=1:channel, shift=0:channel",
    "sigmoid(x)*w; w=1:channel",
    "std_np(x)*w+shift; w=1:channel, shift=0:channel",
    "(x+1)*w+shift; w=1:channel, shift=0:channel",
    "sigmoid(v)*w+shift; v=1:channel, w=1:channel, shift=0:channel",
    "-(-(-(-(-(-(-(-(-(-(-x))))))))))*w+shift; w=1:channel, shift=0:channel",  # eleven nodes
]


@pytest.mark.parametrize("text", NOT_THERE)
def test_what_no_graph_writes_is_no_member(text: str) -> None:
    assert parse(text) not in EVONORM
    with pytest.raises(GrammarError, match="not in the grammar 'evonorm'"):
        EVONORM.mutate(parse(text), rng())


def test_overlapping_rules_are_tried(tmp_path: Path) -> None:
    """x/(1+abs(x)) is one rule or four; only with the former the sum of both fits into four nodes."""
    own = loaded(tmp_path, OWN)
    f = parse("sin(x/(1+abs(x))+abs(x))")
    assert f in own and len(part_of(own).read(f) or ((),)[0]) == 1
    (read,) = part_of(own).read(f) or ((),)
    assert sorted(node.rule.text for node in read) == ["a+b", "a/(1+abs(a))", "abs(a)", "sin(a)"]
    assert parse("beta*x+beta2*sin(x); beta=0.5, beta2=0.5") in own  # two uses of a rule, each with its own
    assert parse("sin(p*x)+sin(p*x); p=0.5") in own  # one use, whose node is used twice
    assert parse("p*x+sin(p); p=0.5") in own  # the leaf beta, used twice
    assert parse("p*x+q*sin(p); p=0.5, q=0.5") in own
    assert parse("p*x+q*sin(p+q); p=0.5, q=0.5") not in own  # there is one leaf beta


def test_many_ways_to_read_are_no_search_without_end(tmp_path: Path) -> None:
    """Each of 28 products is a rule or a product with the leaf 2."""
    text = "name: n\nconstants: [2]\nunary: [2*a, sin(a)]\nbinary: [a*b]\ntemplates: [{graph: 28}]"
    twice, f = loaded(tmp_path, text), parse("2*(" * 28 + "x" + ")" * 28)
    assert f in twice and parse(f"2*({f.text})") not in twice


def test_leaves_that_are_alike_are_no_search_without_end(tmp_path: Path) -> None:
    """Each of 24 parameters could be any of 24 leaves; a 25th has no place."""
    names = [f"q{letter}" for letter in "abcdefghijklmnopqrstuvwx"]
    declared = ", ".join(f"{name}: {{}}" for name in names)
    alike = loaded(tmp_path, f"name: n\nparameters: {{{declared}}}\nbinary: [a*b]\ntemplates: [{{graph: 28}}]")

    def product_of(*factors: str) -> Expression:
        return parse(f"x*{'*'.join(factors)}; {', '.join(f'{name}=1' for name in factors)}")

    assert product_of(*names) in alike and product_of(*names, "r") not in alike


# variation


@seeds
@settings(max_examples=100, deadline=None)
def test_a_mutation_draws_one_node_anew(seed: int) -> None:
    space, source = space_of(EVONORM), rng(seed)
    f = EVONORM.sample(source)
    (read,) = part_of(EVONORM).read(f) or ((),)
    graph, places = filled(space, read, source)
    assert len(graph) == space.nodes and space.write(graph).whole is f
    assert [place + space.first for place in places] == live(graph, space.first)
    changed = resampled(space, graph, places, source)
    assert changed is not None and space.accepts(changed)
    (place,) = [at for at, (one, other) in enumerate(zip(graph, changed, strict=True)) if one != other]
    assert place in places and all(number < space.first + place for number in changed[place].inputs)


@seeds
@settings(max_examples=60, deadline=None)
def test_a_child_is_one_parent_with_a_part_of_the_other(seed: int) -> None:
    """Each node of it, but those above the part, is a node of a parent."""
    space, source = space_of(EVONORM), rng(seed)
    f, g = EVONORM.sample(source), EVONORM.sample(source)
    (one,), (other,) = (part_of(EVONORM).read(each) or ((),) for each in (f, g))
    graph = crossed(space, one, other, source)
    if graph is None:  # two small graphs
        assert EVONORM.crossover(f, g, source) in EVONORM
        return
    child = space.write(graph).body
    bodies = [space.write(each).body for each in (one, other)]
    known = {node for body in bodies for node in postorder((body,))}
    new = [node for node in postorder((child,)) if node not in known]
    above = Counter(node.op for node in postorder((bodies[0],)))
    assert not Counter(node.op for node in new) - above


def test_a_child_of_two_parents_is_neither() -> None:
    source = rng(0)
    members = [EVONORM.sample(source) for _ in range(120)]
    pairs = [(f, g) for f, g in pairwise(members) if f is not g]
    assert not [f.text for f, g in pairs if EVONORM.crossover(f, g, source) in (f, g)]


def test_mutation_is_as_uniform_as_published(tmp_path: Path) -> None:
    """Of sin(x) in one node: operators are equally likely, then inputs; what is no member is drawn again."""
    small = loaded(tmp_path, SMALL.replace("NODES", "1"))
    drawn = Counter(small.mutate(parse("sin(x)"), rng(seed)).text for seed in range(1_500))
    assert set(drawn) == {"x+x", "x+v; v=1:channel", "v+x; v=1:channel"}
    assert chisquare(list(drawn.values())).pvalue > SMALLEST_P


def test_nodes_are_drawn_as_published() -> None:
    space, source = space_of(EVONORM), rng(1)
    graphs = [space.random(source) for _ in range(4_000)]
    for place in (0, 6, 9):
        rules = Counter(graph[place].rule.text for graph in graphs)
        assert len(rules) == 24 and chisquare(list(rules.values())).pvalue > SMALLEST_P
        inputs = Counter(number for graph in graphs for number in graph[place].inputs)
        assert len(inputs) == 4 + place and chisquare(list(inputs.values())).pvalue > SMALLEST_P


B0 = "x/max(std_np(x),v*x+std_p(x))*w+shift; v=1:channel, w=1:channel, shift=0:channel"
S0 = "x*sigmoid(v*x)/std_gp(x)*w+shift; v=1:channel, w=1:channel, shift=0:channel"
AFFINE = "w=1:channel, shift=0:channel"
KNOWN = [
    B0,
    S0,
    f"x/max(std_np(x),(x+v)*rms_p(x))*w+shift; v=1:channel, {AFFINE}",  # B1, whose 1 is the vector
    f"x/max(std_np(x),rms_p(x)+-x)*w+shift; {AFFINE}",  # B2
    f"x*sigmoid(x)/std_gp(x)*w+shift; {AFFINE}",  # S1
    f"x*sigmoid(x)/rms_gp(x)*w+shift; {AFFINE}",  # S2
    f"max(v*((x+-mean_np(x))/std_np(x))+u,0)*w+shift; v=1:channel, u=0:channel, {AFFINE}",  # BN-ReLU
    f"max((x+-mean_gp(x))/std_gp(x),0)*w+shift; {AFFINE}",  # GN-ReLU
    f"max(x/rms_p(x),u)*w+shift; u=0:channel, {AFFINE}",  # FRN-TLU
]


@pytest.mark.parametrize("text", KNOWN)
def test_known_layers_are_members(text: str) -> None:
    f = parse(text)
    assert f in EVONORM
    vector = EVONORM.encode(f)
    assert vector is not None and EVONORM.encode(EVONORM.decode(vector)) == vector


def test_a_layer_of_the_paper_is_one_mutation_away() -> None:
    """From x*sigmoid(x)/std_gp(x), S1, to its neighbour x*sigmoid(x)/rms_gp(x), S2, and back."""
    first, second = parse(KNOWN[4]), parse(KNOWN[5])
    source = rng(3)
    assert any(EVONORM.mutate(first, source) is second for _ in range(3_000))
    assert any(EVONORM.mutate(second, source) is first for _ in range(3_000))


def test_mutations_reach_every_graph(tmp_path: Path) -> None:
    small = loaded(tmp_path, SMALL.replace("NODES", "2"))
    everything, source = set(small.enumerate()), rng(4)
    reached = {parse("sin(x)")}
    for _ in range(60):
        reached |= {small.mutate(f, source) for f in sorted(reached, key=lambda f: f.text)}
    assert reached == everything


# counts, text and vectors


def by_hand(nodes: int) -> list[Expression]:
    """All graphs of SMALL written without the grammar: texts of the nodes, and the axes over which they vary."""
    found: list[Expression] = []

    def grow(rows: list[tuple[str, frozenset[str]]]) -> None:
        if len(rows) == 2 + nodes:
            text, axes = rows[-1]
            if axes == frozenset("ncp"):
                found.append(parse(f"{text}; v=1:channel" if "v" in text else text))
            return
        for text, axes in rows:
            grow([*rows, (f"sin({text})", axes)])
            grow([*rows, (f"mean_np({text})", axes - set("np"))])
        for (one, axes), (other, more) in product(rows, repeat=2):
            grow([*rows, (f"({one})+({other})", axes | more)])

    grow([("x", frozenset("ncp")), ("v", frozenset("c"))])
    return found


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_graphs_are_counted_and_enumerated_as_by_hand(tmp_path: Path, nodes: int) -> None:
    small, expected = loaded(tmp_path, SMALL.replace("NODES", str(nodes))), Counter(by_hand(nodes))
    assert Counter(small.enumerate()) == expected and small.count() == expected.total()
    assert small.sizes() == (nodes,) and all(f in small for f in expected)


@pytest.mark.parametrize("nodes", [2, 3])
def test_samples_are_drawn_as_the_definition_says(tmp_path: Path, nodes: int) -> None:
    """Each graph with the product of the probabilities of its nodes, those that are no members left out."""
    small, source = loaded(tmp_path, SMALL.replace("NODES", str(nodes))), rng(nodes)
    space, shares = space_of(small), dict[Expression, float]()
    for graph in space.all():
        written = space.write(graph)
        if space.has(written):
            odds = [3 * (2 + at) ** node.rule.arity for at, node in enumerate(graph)]
            shares[written.whole] = shares.get(written.whole, 0.0) + 1 / prod(odds)
    drawn = Counter(small.sample(source) for _ in range(8_000))
    assert set(drawn) <= set(shares)
    expected = np.array([shares[f] for f in shares]) / sum(shares.values()) * 8_000
    often = expected >= 5
    counts = np.array([drawn[f] for f in shares])
    rare = (counts[~often].sum(), expected[~often].sum())
    pairs = [*zip(counts[often], expected[often], strict=True), *([rare] if rare[1] else [])]
    assert chisquare(*map(list, zip(*pairs, strict=True))).pvalue > SMALLEST_P


def test_members_come_back_from_text_and_vector(chosen: Grammar) -> None:
    source = rng(5)
    for _ in range(100):
        f = chosen.sample(source)
        for g in (f, chosen.mutate(f, source), chosen.crossover(f, chosen.sample(source), source)):
            vector = chosen.encode(g)
            assert g in chosen and parse(g.text) is g
            assert vector is not None and chosen.decode(vector) is g


def test_every_vector_is_a_member(chosen: Grammar) -> None:
    source = rng(6)
    for _ in range(200):
        f = chosen.decode({d.name: d.choices[source.integers(len(d.choices))] for d in chosen.decisions()})
        vector = chosen.encode(f)
        assert f in chosen and vector is not None and chosen.decode(vector) is f
        assert list(vector) == [d.name for d in chosen.decisions()]


def test_decisions_are_operators_and_inputs(tmp_path: Path) -> None:
    small = loaded(tmp_path, SMALL.replace("NODES", "2"))
    operators = ("sin(a)", "mean_np(a)", "a+b")
    assert [(d.name, d.choices) for d in small.decisions()] == [
        ("operator1", operators), ("first1", ("x", "v")), ("second1", ("x", "v")),
        ("operator2", operators), ("first2", ("x", "v", "node1")), ("second2", ("x", "v", "node1")),
    ]  # fmt: skip
    vector = {"operator1": "mean_np(a)", "first1": "x", "second1": "x"}
    assert small.encode(parse("x+mean_np(x)")) == vector | {"operator2": "a+b", "first2": "x", "second2": "node1"}
    # a mean is no output, and sin stands for it as number 1 of 2 is a+b; a sum of node1 and v has no examples
    assert small.decode(vector | {"operator2": "mean_np(a)", "first2": "x", "second2": "x"}) is parse("x+x")
    changed = small.decode(vector | {"operator2": "sin(a)", "first2": "node1", "second2": "x"})
    assert changed is parse("sin(x)")
    reached = {
        small.decode(dict(zip([d.name for d in small.decisions()], each, strict=True)))
        for each in product(*(d.choices for d in small.decisions()))
    }
    assert reached == set(small.enumerate())


def test_graphs_in_layers(tmp_path: Path) -> None:
    text = "name: n\nunary: [sin(a), tanh(a)]\nbinary: [a*b]\ntemplates: [{graph: 2, layers: 3}]"
    layered, source = loaded(tmp_path, text), rng(7)
    alone = loaded(tmp_path, text.replace(", layers: 3", ""))
    assert layered.count() == alone.count() ** 3 and layered.sizes() == (6,)
    f, g = layered.sample(source), layered.sample(source)
    for _ in range(30):
        changed, child = layered.mutate(f, source), layered.crossover(f, g, source)
        assert changed in layered and child in layered and len(changed.parts) == 3
        assert sum(one is not other for one, other in zip(f.parts, changed.parts, strict=True)) == 1
        f, g = changed, child
    assert all(part in alone for part in f.parts) and f.parts[0] not in layered


def test_trees_and_graphs_side_by_side(tmp_path: Path) -> None:
    mixed, source = loaded(tmp_path, MIXED), rng(8)
    assert {"node", "point", "hoist"} <= set(mixed.mutations)
    f = parse("sin(x)*tanh(x)")  # a unit, a tree and a graph
    weights = mixed.kinds(f)
    assert weights["node"] and weights["hoist"] and not weights["jitter"]
    assert all(mixed.mutate(f, source, kind) in mixed for kind, weight in weights.items() if weight)
    names = [d.name for d in mixed.decisions()]
    assert names[:3] == ["template", "rule1", "rule2"] and names[-1] == "second4"


def test_grammars_of_graphs_are_pickled(chosen: Grammar) -> None:
    copied = pickle.loads(pickle.dumps(chosen))
    assert [chosen.sample(rng(1)) for _ in range(5)] == [copied.sample(rng(1)) for _ in range(5)]


def test_a_grammar_that_hardly_has_a_member_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("primitives.grammars.graphs.graphs._DRAWS", 1)
    source = rng(9)
    with pytest.raises(
        GrammarError, match="of 1 graphs none varies over all of examples, channels and positions; give"
    ):
        for _ in range(200):
            EVONORM.sample(source)


RULES = "name: n\nunary: [sin(a)]\n"
BAD = [
    (f"{RULES}templates: [{{graph: 0}}]", r"templates\[0\].graph: expected 1 to 32, got 0"),
    (f"{RULES}templates: [{{graph: 33}}]", r"templates\[0\].graph: expected 1 to 32, got 33"),
    (f"{RULES}templates: [{{graf: 3}}]", r"templates\[0\].graf: unknown key; did you mean 'graph'"),
    (
        f"{RULES}templates: [{{graph: 3, tree_size: 3}}]",
        r"templates\[0\]: expected one of units, form, tree_size, graph",
    ),
    ("name: n\ntemplates: [{graph: 3}]", r"unary: expected at least one rule, as templates\[0\] has graph: 3"),
    (f"{RULES}factors: {{max: 2}}\ntemplates: [{{graph: 3}}]", r"factors: a graph bears none; leave 'factors' out"),
    ("name: n\nunary: [mean_np(a)]\ntemplates: [{graph: 3}]", r"templates\[0\]: graph-3 has no expression that varies"),
    (f"{RULES}mutations: {{point: 1}}\ntemplates: [{{graph: 3}}]", r"mutations.point: unknown key; expected node"),
    (f"{RULES}mutations: {{node: 0}}\ntemplates: [{{graph: 3}}]", "mutations: expected at least one weight above 0"),
    (f"{RULES}size: 5\ntemplates: [{{graph: 2}}]", "size: the templates have 2 derivations, not 5"),
    (f"{RULES}templates: [{{graph: 3}}, {{graph: 3}}]", r"templates\[1\]: graph-3 is there already"),
    (f"{RULES}templates: [{{graph: 3, root: mean_np(a)}}]", r"templates\[0\].root: expected a rule over a that varies"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_bad_declarations_name_the_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(GrammarError, match=message):
        loaded(tmp_path, text)
