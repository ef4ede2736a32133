"""Grammars with statistics: members vary over all axes, are counted and drawn evenly, and stay so when they change."""

from __future__ import annotations

import pickle
from collections import Counter
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from primitives.equivalence.tensors import tensors
from primitives.errors import GrammarError
from primitives.expression.evaluation import value_at
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.expression.traversal import postorder
from primitives.grammars import Grammar, grammar
from primitives.grammars.mutation import KINDS
from primitives.operators.axes import ALL_AXES, mask
from primitives.operators.table import reduces
from tests.primitives_tests.declaring import loaded, rng

SMALLEST_P = 1e-4
EVONORM = grammar("evonorm-trees")

TREES = """
name: small
parameters: {v: {initial: 1, per: channel}}
constants: [2]
unary: [sin(a), mean_np(a), std_cp(a)]
binary: [a+b, a*b]
templates: [{tree_size: SIZE}]
"""
FORM = """
name: form
parameters: {v: {initial: 1, per: channel}}
unary: [a, sin(a), mean_np(a), std_cp(a), v*a, z, "1"]
binary: [a+b, a/std_p(b), a*mean_c(b)]
templates: [{form: "FORM"}]
"""
UNIT = "binary(unary(x),unary(unary(x)))"
FACTORS = """
name: factors
unary: [sin(a), mean_np(a), mean_c(a)]
binary: [a+b, a*b]
factors: {max: 2, per: channel}
templates: [{tree_size: 6}]
"""
LAYERED = """
name: layered
parameters: {beta: {initial: 1}}
constants: [2]
unary: [sin(a), beta*a, mean_np(a)]
binary: [a+b]
templates: [{layers: 2, tree_size: 4}, {form: unary(x), layers: 3}]
"""


@pytest.fixture(params=["evonorm-trees", "trees", "form", "gated", "factors", "layered"])
def chosen(request: pytest.FixtureRequest, tmp_path: Path) -> Grammar:
    texts = {
        "trees": TREES.replace("SIZE", "7"), "form": FORM.replace("FORM", UNIT), "factors": FACTORS,
        "gated": FORM.replace("FORM", "binary(unary(x),unary(z))"), "layered": LAYERED,
    }  # fmt: skip
    return loaded(tmp_path, texts[request.param]) if request.param in texts else EVONORM


def is_whole(f: Expression) -> bool:
    """Every part of it varies over all axes, and no statistic is over axes that its argument lacks."""
    nodes = [node for node in postorder((f,)) if reduces(node.op)]
    return all(part.axes == ALL_AXES for part in f.parts) and all(
        node.args[0].axes & mask(reduces(node.op)) for node in nodes
    )


# against a list by hand: each text with whether it has x, and the axes that it varies over

Piece = tuple[str, bool, frozenset[str]]
_REDUCED = {"mean_np": "np", "std_cp": "cp"}


@cache
def every(size: int) -> tuple[Piece, ...]:
    """All trees of a size, written without the grammar; parameters are named in the end."""
    if size == 1:
        return (("x", True, frozenset("ncp")), ("2", False, frozenset()), ("V", False, frozenset("c")))
    found: list[Piece] = [(f"sin({f})", x, axes) for f, x, axes in every(size - 1)]
    for name, letters in _REDUCED.items():
        reduced = [(f, x, axes) for f, x, axes in every(size - 1) if axes & set(letters)]
        found += [(f"{name}({f})", x, axes - set(letters)) for f, x, axes in reduced]
    for symbol, left in product("+*", range(1, size - 1)):
        pairs = product(every(left), every(size - 1 - left))
        found += [(f"({f}){symbol}({g})", x or y, axes | more) for (f, x, axes), (g, y, more) in pairs]
    return tuple(found)


def named(text: str) -> Expression:
    parts = text.split("V")
    names = [f"v{n}" if n > 1 else "v" for n in range(1, len(parts))]
    body = "".join(f"{part}{name}" for part, name in zip(parts, [*names, ""], strict=True))
    return parse(f"{body}; {', '.join(f'{name}=1:channel' for name in names)}" if names else body)


def whole(size: int) -> list[Expression]:
    return [named(text) for text, x, axes in every(size) if x and len(axes) == 3]


@pytest.mark.parametrize("size", [1, 3, 5])
def test_enumeration_equals_a_list_by_hand(tmp_path: Path, size: int) -> None:
    small = loaded(tmp_path, TREES.replace("SIZE", str(size)))
    expected = [f for n in range(1, size + 1) for f in whole(n)]
    found = list(small.enumerate())
    assert len(found) == small.count() == len(expected) == len(set(expected))
    assert set(found) == set(expected)
    others = {named(text) for n in range(1, size + 1) for text, *_ in every(n)} - set(expected)
    assert all(f in small for f in expected) and not any(f in small for f in others)


@pytest.mark.parametrize("size", [3, 4, 5])
def test_trees_of_a_size_are_equally_likely(tmp_path: Path, size: int) -> None:
    small, source, expected = loaded(tmp_path, TREES.replace("SIZE", "6")), rng(size), whole(size)
    drawn = Counter(small.sample(source, size) for _ in range(30 * len(expected)))
    assert set(drawn) <= set(expected)
    assert chisquare([drawn[f] for f in expected]).pvalue > SMALLEST_P


def test_forms_are_those_that_vary_and_equally_likely(tmp_path: Path) -> None:
    """Each text by hand with the axes that its parts have."""
    unary = {
        "{}": "", "sin({})": "", "mean_np({})": "np", "std_cp({})": "cp", "V*({})": "", "z": None, "1": None,
    }  # fmt: skip

    def above(rule: str, inner: str, axes: set[str]) -> tuple[str, set[str]] | None:
        removed = unary[rule]
        if removed is None:
            return rule, set("ncp") if rule == "z" else set()
        more = {"c"} if rule.startswith("V") else set()
        return None if removed and not axes & set(removed) else (rule.format(inner), axes - set(removed) | more)

    x = ("x", set("ncp"))
    ones = [each for rule in unary if (each := above(rule, *x))]
    twos = [each for one in ones for rule in unary if (each := above(rule, *one))]
    expected = Counter[Expression]()
    for (f, axes), (g, more) in product(ones, twos):
        if axes | more == set("ncp"):
            expected[named(f"({f})+({g})")] += 1
        if more & {"p"} and axes | more - {"p"} == set("ncp"):
            expected[named(f"({f})/std_p({g})")] += 1
        if more & {"c"} and axes | more - {"c"} == set("ncp"):
            expected[named(f"({f})*mean_c({g})")] += 1
    form, source = loaded(tmp_path, FORM.replace("FORM", UNIT)), rng(3)
    found = Counter(form.enumerate())
    assert set(found) == set(expected) and form.count() == found.total()
    assert all(f in form for f in expected)
    drawn = Counter(form.sample(source) for _ in range(12_000))
    shares = np.array([found[f] for f in found]) / found.total()
    assert chisquare([drawn[f] for f in found], 12_000 * shares).pvalue > SMALLEST_P


# members stay members


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_children_vary_over_all_axes(seed: int) -> None:
    source = rng(seed)
    f, g = EVONORM.sample(source), EVONORM.sample(source)
    for _ in range(6):
        changed, child = EVONORM.mutate(f, source), EVONORM.crossover(f, g, source)
        assert is_whole(f) and is_whole(changed) and is_whole(child)
        assert changed in EVONORM and child in EVONORM and changed is not f
        assert parse(child.text) is child
        f, g = changed, child


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_keeps_the_axes(chosen: Grammar, kind: str) -> None:
    source = rng(1)
    possible = 0
    for _ in range(60):
        f = chosen.mutate(chosen.sample(source), source)
        if chosen.kinds(f)[kind]:
            possible += 1
            g = chosen.mutate(f, source, kind)
            assert g in chosen and parse(g.text) is g
            assert is_whole(g) or chosen.name == "factors"
    assert possible or kind in {"grow", "insert", "hoist", "remove", "jitter", "swap"} or "parameter" in kind


def test_vectors_are_members_and_members_are_vectors(chosen: Grammar) -> None:
    source = rng(2)
    for _ in range(200):
        f = chosen.decode({d.name: d.choices[source.integers(len(d.choices))] for d in chosen.decisions()})
        assert f in chosen and (is_whole(f) or chosen.name == "factors")
        for member in (f, chosen.sample(source)):
            vector = chosen.encode(member)
            assert vector is None or chosen.decode(vector) is member
            assert vector is not None or len(member.parts) > 1  # trees in layers may be larger than their share


def test_vectors_reach_every_member(tmp_path: Path) -> None:
    for text in (TREES.replace("SIZE", "4"), FORM.replace("FORM", UNIT)):
        small = loaded(tmp_path, text)
        names = [d.name for d in small.decisions()]
        reached = {
            small.decode(dict(zip(names, v, strict=True))) for v in product(*(d.choices for d in small.decisions()))
        }
        assert reached == set(small.enumerate())


def test_an_axis_is_never_there_by_a_factor_alone(tmp_path: Path) -> None:
    factors = loaded(tmp_path, FACTORS)
    assert parse("alpha*mean_c(x); alpha=1:channel") not in factors
    assert parse("x*(alpha*mean_c(x)); alpha=1:channel") in factors
    assert parse("sin(alpha*x); alpha=1:channel") in factors


def test_grammars_are_copied_and_pickled(chosen: Grammar) -> None:
    copied = pickle.loads(pickle.dumps(chosen))
    fs, gs = [chosen.sample(rng(1)) for _ in range(10)], [copied.sample(rng(1)) for _ in range(10)]
    assert fs == gs and all(f in copied for f in fs)


# neutral insertions


def test_statistics_are_no_neutral_insertions(tmp_path: Path) -> None:
    """Of one number every mean is the number itself; of a tensor it is not."""
    text = """
name: neutral
constants: [0, 1]
unary: [mean_c(a), mean_np(a), max_p(a), mean_gp(a), "max(a,0)+min(a,0)"]
binary: [a+b, a*b, "max(a,b)", "paired(a,b)", "a+b-mean_np(b)", "a+z*b"]
templates: [{tree_size: 4}]
"""
    neutral = loaded(tmp_path, text)
    found = {neutral.mutate(parse("x"), rng(seed), "insert").text for seed in range(200)}
    assert found == {"max(x,0)+min(x,0)", "x+0", "0+x", "x*1", "1*x", "max(x,x)", "paired(x,x)", "x+z*0"}


def test_insertions_leave_the_layer_unchanged() -> None:
    x, source, changed = tensors()[0], rng(6), 0
    for _ in range(60):
        f = EVONORM.sample(source, 6)
        if EVONORM.kinds(f)["insert"]:
            g = EVONORM.mutate(f, source, "insert")
            changed += g is not f
            torch.testing.assert_close(value_at(g, x), value_at(f, x), rtol=1e-12, atol=0, equal_nan=True)
    assert changed > 20


# the layers and gates of the papers

AFFINE = "w=1:channel, b=0:channel"
SCALE = f"v=1:channel, {AFFINE}"
EVONORMS = [
    f"x/max(std_np(x),v*x+std_p(x))*w+b; {SCALE}",
    f"x/max(std_np(x),(x+1)*rms_p(x))*w+b; {AFFINE}",
    f"x/max(std_np(x),rms_p(x)+-x)*w+b; {AFFINE}",
    f"x*sigmoid(v*x)/std_gp(x)*w+b; {SCALE}",
    f"x*sigmoid(x)/std_gp(x)*w+b; {AFFINE}",
    f"x*sigmoid(x)/rms_gp(x)*w+b; {AFFINE}",
]


@pytest.mark.parametrize("text", EVONORMS)
def test_the_layers_of_evonorm_are_members(text: str) -> None:
    """B0, B1, B2, S0, S1 and S2 of arXiv 2004.02967."""
    f = parse(text)
    assert f in EVONORM
    vector = EVONORM.encode(f)
    assert vector is not None and EVONORM.decode(vector) in EVONORM
    assert EVONORM.encode(EVONORM.decode(vector)) == vector


@pytest.mark.parametrize(
    "text", ["sigmoid(x)*z", "relu(x)*z", "gelu(x)*z", "silu(x)*z", "x*z", "relu(x)*relu(z)", "x*sigmoid(x)*z"]
)
def test_known_gates_are_members_of_glu(text: str) -> None:
    chosen, f = grammar("glu"), parse(text)
    assert f in chosen and parse(text.replace("z", "x")) not in chosen
    vector = chosen.encode(f)
    assert vector is not None and chosen.decode(vector) is f


def test_all_of_glu_are_gates() -> None:
    source = rng(1)
    assert all(grammar("glu").sample(source).inputs == {"x", "z"} for _ in range(300))


STABLE = "where(x>=0,x+1,1/(1-x))"  # of StableMax, arXiv 2501.04697


@pytest.mark.parametrize(("inner", "known"), [("x", "exp(x)"), ("symlog(x)", STABLE)])
def test_known_rows_are_members_of_softmax_rows(inner: str, known: str) -> None:
    chosen = grammar("softmax-rows")
    f = parse(f"exp({inner}-max_c({inner}))/sum_c(exp({inner}-max_c({inner})))")
    assert f in chosen and parse(known) not in chosen
    x = tensors()[0]
    positive = value_at(parse(known), x)
    torch.testing.assert_close(value_at(f, x), positive / positive.sum(1, keepdim=True))


def test_rows_have_the_sum_one() -> None:
    x, source = tensors()[0], rng(5)
    for _ in range(50):
        y = value_at(grammar("softmax-rows").sample(source), x)
        torch.testing.assert_close(y.sum(1), torch.ones_like(y[:, 0]))


def usable(f: Expression) -> bool:
    """Varies over all axes, and is finite in float32 with its gradient at the fixed tensors and at 30 times these."""
    x = tensors()[0].float()
    for scale in (1.0, 30.0):
        point = (scale * x).requires_grad_()
        y = value_at(f, point)
        (slope,) = torch.autograd.grad(y, point, tensors()[2].float(), materialize_grads=True, allow_unused=True)
        if not (y.isfinite().all() and slope.isfinite().all()):
            return False
        y = y.detach()
        if scale == 1 and any(float((y.amax(dim) - y.amin(dim)).max()) < 1e-6 for dim in range(4)):
            return False
    return True


def test_most_samples_of_evonorms_trees_are_usable() -> None:
    source = rng(4)
    assert sum(usable(EVONORM.sample(source)) for _ in range(200)) >= 130


# one function per place


def test_layers_are_counted_and_enumerated(tmp_path: Path) -> None:
    layered = loaded(tmp_path, LAYERED)
    (trees, _), (units, _) = layered.templates
    alone = loaded(tmp_path, LAYERED.replace("layers: 2, ", "").replace(", layers: 3", ""))
    inner, ones = (template.count() for template, _ in alone.templates)
    assert (trees.count(), units.count()) == (inner**2, ones**3) == (inner**2, 2**3)  # mean_np(x) lost two axes
    everything = list(layered.enumerate())
    assert len(everything) == len(set(everything)) == layered.count()
    assert all(f in layered for f in everything[:: len(everything) // 200])
    by_size = {size: trees.count(size) for size in trees.sizes()}
    assert sum(by_size.values()) == trees.count() and trees.count(99) == 0
    for size in layered.sizes():
        assert layered.sample(rng(size), size) in layered


def test_layers_of_a_size_are_equally_likely(tmp_path: Path) -> None:
    text = "name: n\nconstants: [2]\nunary: [sin(a)]\nbinary: [a+b]\ntemplates: [{layers: 2, tree_size: 3}]"
    layered, source = loaded(tmp_path, text), rng(7)
    expected = [f for f in layered.enumerate() if sum(part.size for part in f.parts) == 5]
    assert len(expected) == layered.templates[0][0].count(6)
    drawn = Counter(layered.sample(source, 6) for _ in range(60 * len(expected)))
    assert set(drawn) == set(expected)
    assert chisquare([drawn[f] for f in expected]).pvalue > SMALLEST_P


@pytest.mark.parametrize(
    ("text", "member"),
    [
        ("layers(sin(x),x)", True),
        ("layers(beta*x,beta*x); beta=1", True),  # each function has parameters of its own
        ("layers(beta*x+beta*x,x); beta=1", False),
        ("layers(beta*x+gamma*x,x); beta=1, gamma=1", False),  # six rules
        ("layers(sin(x),sin(x),beta*x); beta=1", True),
        ("layers(sin(x),mean_np(x))", False),
        ("layers(sin(x),x+mean_np(x))", True),
        ("layers(sin(x),x,x,x)", False),
        ("sin(x)", False),
    ],
)
def test_membership_of_layers(tmp_path: Path, text: str, member: bool) -> None:
    assert (parse(text) in loaded(tmp_path, LAYERED)) is member


def test_layers_mix_and_change_by_part(tmp_path: Path) -> None:
    text = "name: n\nunary: [sin(a), cos(a), tanh(a), erf(a)]\ntemplates: [{form: unary(x), layers: 3}]"
    chosen = loaded(tmp_path, text)
    f, g = parse("layers(sin(x),sin(x),sin(x))"), parse("layers(tanh(x),tanh(x),tanh(x))")
    children = {chosen.crossover(f, g, rng(seed)) for seed in range(200)}
    assert children == {
        parse(f"layers({a}(x),{b}(x),{c}(x))") for a, b, c in product(("sin", "tanh"), repeat=3)
    } - {f, g}  # fmt: skip
    changed = {chosen.mutate(f, rng(seed), "point") for seed in range(200)}
    assert len(changed) == 9 and all(sum(part is f.parts[0] for part in each.parts) == 2 for each in changed)


def test_the_root_bears_no_factor(tmp_path: Path) -> None:
    text = "name: n\nunary: [sin(a)]\nfactors: {max: 3}\ntemplates: [{form: unary(x), layers: 2}]"
    chosen, source = loaded(tmp_path, text), rng(1)
    fs = {chosen.sample(source) for _ in range(300)}
    assert len(fs) == 1 + 4 + 6 + 4 and all(f.op == "layers" and f in chosen for f in fs)
    assert parse("layers(alpha*sin(alpha2*x),alpha*sin(x)); alpha=1, alpha2=1") in fs
    for f in fs:
        vector = chosen.encode(f)
        assert vector is not None and chosen.decode(vector) is f


# declarations

BAD = [
    ("unary: [mean_np(a)]\ntemplates: [{form: unary(x)}]", r"templates\[0\]: unary\(x\) has no expression that varies"),
    ("unary: ['layers(a,sin(a))']\ntemplates: [{tree_size: 3}]", r"unary\[0\]: .*no rule: it stands at the root"),
    ("unary: [sin(a)]\ntemplates: [{form: unary(x), layers: 1}]", r"templates\[0\].layers: expected 2 to 16, got 1"),
    ("unary: [sin(a)]\ntemplates: [{form: unary(x), layer: 2}]", r"templates\[0\].layer: .*did you mean 'layers'"),
    ("unary: [sin(a)]\ntemplates: [{form: unary(z)}]", r"templates\[0\].form: expected .*x and maybe z.*'unary\(z\)'"),
    ("templates: [{tree_size: 3, root: 3}]", r"templates\[0\].root: expected a rule in quotes"),
    (
        "templates: [{tree_size: 3, root: mean_np(a)}]",
        r"templates\[0\].root: expected a rule over a that varies over all axes",
    ),
    ("templates: [{tree_size: 3, root: '1'}]", r"templates\[0\].root: expected a rule over a .*got '1'"),
    ("templates: [{tree_size: 3, root: w*a}]", r"templates\[0\].root: .*unknown name 'w'"),
    ("parameters: {z: {}}\ntemplates: [{tree_size: 3}]", "parameters.z: x, z, pi, a, b have a meaning"),
    ("parameters: {w: {leaf: 0}}\ntemplates: [{tree_size: 3}]", "parameters.w.leaf: expected true or false, got 0"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_bad_declarations_name_the_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(GrammarError, match=message):
        loaded(tmp_path, f"name: n\n{text}")


def test_a_parameter_that_is_no_leaf_stands_in_rules_alone(tmp_path: Path) -> None:
    text = "name: n\nparameters: {w: {leaf: LEAF}}\nunary: [w*a]\nbinary: [a+b]\ntemplates: [{tree_size: 3}]"
    for leaf, member in (("true", True), ("false", False)):
        chosen = loaded(tmp_path, text.replace("LEAF", leaf))
        assert (parse("x+w; w=1") in chosen) is member and parse("w*x; w=1") in chosen


def test_a_root_stands_in_each_function_of_layers(tmp_path: Path) -> None:
    text = "name: n\nparameters: {w: {leaf: false}}\nunary: [sin(a), mean_np(a)]\nbinary: [a+b]\ntemplates: "
    chosen, source = loaded(tmp_path, f"{text}[{{layers: 2, tree_size: 4, root: w*a}}]"), rng(1)
    f = parse("layers(w*sin(x),w*(x+mean_np(x))); w=1")
    assert f in chosen and parse("layers(w*sin(x),x+x); w=1") not in chosen
    for _ in range(40):
        f, g = chosen.mutate(f, source), chosen.sample(source)
        for member in (f, g, chosen.crossover(f, g, source)):
            assert member in chosen and all(part.op == "mul" for part in member.parts) and is_whole(member)
            vector = chosen.encode(member)
            assert vector is None or chosen.decode(vector) is member
