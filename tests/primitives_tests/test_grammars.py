"""Grammars: counts, enumeration, membership, declarations and their errors."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from primitives.errors import GrammarError
from primitives.expression.expression import Expression, constant, make_node, parameter, variable
from primitives.expression.parsing import parse
from primitives.grammars import Grammar, grammar, grammar_names
from primitives.grammars.derivation import X, write
from primitives.grammars.mutation import KINDS
from primitives.grammars.parts.derived import Derived
from primitives.grammars.patterns import Rule
from primitives.grammars.template import Template
from primitives.grammars.trees import Trees
from tests.primitives_tests.declaring import loaded, rng

PRESETS = {name: grammar(name) for name in grammar_names()}

SMALL = """
name: small
constants: [2, 3]
unary: [sin(a), tanh(a)]
binary: [a+b, a*b]
templates: [{tree_size: 4}]
"""


@pytest.fixture(params=sorted(PRESETS))
def preset(request: pytest.FixtureRequest) -> Grammar:
    return PRESETS[request.param]


# sizes


@pytest.mark.parametrize("name", ["swish2017", "aquasurf"])
def test_enumeration_is_complete_and_all_members(name: str) -> None:
    everything = list(PRESETS[name].enumerate())
    assert len(everything) == PRESETS[name].count()
    assert all(f in PRESETS[name] for f in everything)
    assert len({f.text for f in everything}) > 0.9 * len(everything)


def test_enumeration_is_lazy_and_repeats(preset: Grammar) -> None:
    first = [f.text for f in islice(preset.enumerate(), 50)]
    assert first == [f.text for f in islice(preset.enumerate(), 50)]
    assert len(first) == min(50, preset.count())


def test_small_trees_are_counted_by_hand(tmp_path: Path) -> None:
    small = loaded(tmp_path, SMALL)
    # all trees of sizes 1 to 4 over 3 leaves, 2 unary, 2 binary: 3, 2*3, 2*6 + 2*9, 2*30 + 2*(2*3*6);
    # those over the 2 leaves that are not x: 2, 2*2, 2*4 + 2*4, 2*16 + 2*(2*2*4)
    assert small.count() == (3 - 2) + (6 - 4) + (30 - 16) + (132 - 64)
    texts = [f.text for f in small.enumerate()]
    assert len(texts) == len(set(texts)) == 85
    assert all("x" in text for text in texts)
    assert parse("2+3") not in small and parse("x+3") in small


def test_templates_add_up(tmp_path: Path) -> None:
    both = loaded(tmp_path, SMALL.replace("[{tree_size: 4}]", "[{units: 1}, {tree_size: 4, weight: 3}]"))
    assert both.count() == 2 * 2**2 + 85
    assert sum(1 for _ in both.enumerate()) == both.count()


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
    for text in ("tanh(x)", "beta; beta=1:network", "gelu(sin(x))"):
        assert (parse(text) in grafs) is ("sin" not in text)
    children = {grafs.mutate(parse("beta; beta=1:network"), rng(s)).text for s in range(60)}
    assert len(children) > 30


def test_repeated_metavariable_is_one_node(tmp_path: Path) -> None:
    chosen = loaded(tmp_path, 'name: twice\nunary: [sin(a), cos(a), "a/(1+abs(a))"]\ntemplates: [{tree_size: 3}]')
    assert parse("sin(x)/(1+abs(sin(x)))") in chosen
    assert parse("sin(x)/(1+abs(cos(x)))") not in chosen


def test_parameters_have_their_declared_start_and_granularity() -> None:
    for name, starts, per in (("swish2017-2", {1.0}, "channel"), ("grafs", {0.0, 1.0}, "network")):
        generator = rng(10)
        found = [p for _ in range(300) for p in PRESETS[name].sample(generator).parameters]
        assert {p.initial for p in found} == starts
        assert {p.per for p in found} == {per}
        assert {"2" in p.name for p in found} == {True, False}


def test_each_use_has_its_own_parameter(tmp_path: Path) -> None:
    text = "name: p\nparameters: {beta: {initial: 0.25, per: channel}}\nunary: [beta*a]\nbinary: [a+b]\n"
    (f,) = loaded(tmp_path, text + "templates: [{units: 1}]").enumerate()
    assert f.text == "beta*x+beta2*x; beta=0.25:channel, beta2=0.25:channel"
    trees = loaded(tmp_path, text + "templates: [{tree_size: 3}]")
    assert parse("x+anything; anything=0.25:channel") in trees and parse("x+beta; beta=0.25") not in trees
    assert parameter("beta", 0.25, per="channel") not in trees  # there is no x


def test_what_is_no_expression_is_no_member() -> None:
    assert "x" not in PRESETS["default"]
    deep: Expression = variable()
    for _ in range(3_000):
        deep = make_node("sin", deep)
    assert deep not in PRESETS["default"] and deep not in PRESETS["grafs"]
    assert constant(0.1) not in PRESETS["default"] and parse("x*0.1") in PRESETS["default"]


# declarations


def test_a_path_works_as_text_and_as_path(tmp_path: Path) -> None:
    assert loaded(tmp_path, SMALL).name == "small"
    assert grammar(str(tmp_path / "mine.yaml")).count() == 85


@pytest.mark.parametrize("name", grammar_names())
def test_presets_are_named_after_their_files(name: str) -> None:
    assert PRESETS[name].name == name
    assert PRESETS[name].description


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(GrammarError, match=r"unknown grammar 'swish207'; did you mean 'swish2017'\?"):
        grammar("swish207")
    with pytest.raises(GrammarError, match="no such file"):
        grammar(tmp_path / "none.yaml")
    with pytest.raises(GrammarError, match="cannot be read"):
        grammar(tmp_path)
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(GrammarError, match="cannot be read"):
        grammar(tmp_path / "bytes.yaml")


BAD = [
    ("name: [", r"\(line 1, column 8\) is not YAML: "),
    ("name: \x00", "not YAML: unacceptable character"),
    ("name: 2001-99-99", "not YAML: month must be in 1..12"),
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
    ("name: n\ntemplates: [{weight: 1}]", r"templates\[0\]: expected one of units, form, tree_size"),
    ("name: n\ntemplates: [{units: 1}]", r"unary: expected at least one rule, as templates\[0\] has units"),
    ("name: n\ntemplates: [{tree_size: nine}]", r"templates\[0\].tree_size: expected a whole number, got 'nine'"),
    ("name: n\ntemplates: [{tree_size: true}]", "expected a whole number, got True"),
    ("name: n\ntemplates: [{tree_size: 0}]", "expected 1 to 100, got 0"),
    ("name: n\ntemplates: [{tree_size: 3, weight: 0}]", "templates: expected at least one with a weight above 0"),
    ("name: n\ntemplates: [{tree_size: 3, weight: -1}]", r"templates\[0\].weight: expected a number from 0, got -1"),
    ("name: n\ntemplates: [{tree_size: 3}, {tree_size: 3}]", r"templates\[1\]: trees-3 is there already"),
    ("name: n\nsize: 7\ntemplates: [{tree_size: 3}]", "size: the templates have 1 derivations, not 7"),
    ("name: n\nsize: 1.0\ntemplates: [{tree_size: 3}]", "size: expected a whole number, got 1.0"),
    ("name: n\nunary: [a]\ntemplates: [{form: unary(y)}]", r"templates\[0\].form: expected .*, got 'unary\(y\)'"),
    ("name: n\nunary: [a]\ntemplates: [{form: 'unary(x'}]", r"templates\[0\].form: expected unary\(...\)"),
    ("name: n\nunary: [a]\ntemplates: [{form: 'unary(x,x)'}]", r"templates\[0\].form: expected unary\(...\)"),
    ("name: n\nunary: [a]\ntemplates: [{form: 'x(unary)'}]", r"templates\[0\].form: expected unary\(...\)"),
    ("name: n\nunary: [a]\ntemplates: [{form: x}]", r"templates\[0\].form: expected unary\(...\)"),
    (
        "name: n\nunary: [a]\ntemplates: [{form: 'binary(x,x)'}]",
        r"binary: expected at least one rule, as templates\[0\]",
    ),
    ("name: n\nfactors: 3\ntemplates: [{tree_size: 3}]", "factors: expected a mapping, got 3"),
    (
        "name: n\nfactors: {maximum: 3}\ntemplates: [{tree_size: 3}]",
        "factors.maximum: unknown key; .*expected max",
    ),
    ("name: n\nfactors: {max: 0}\ntemplates: [{tree_size: 3}]", "factors.max: expected 1 to 10, got 0"),
    (
        "name: n\nfactors: {per: neuron}\ntemplates: [{tree_size: 3}]",
        "factors.per: expected 'layer', 'channel' or 'network'",
    ),
    (
        "name: n\nparameters: {beta: {}}\nfactors: {max: 2}\ntemplates: [{tree_size: 3}]",
        "parameters.beta: starts at 1 per layer as the factors do",
    ),
    (
        "name: n\nmutations: {poin: 1}\ntemplates: [{tree_size: 3}]",
        r"mutations.poin: .*did you mean 'point'\?",
    ),
    (f"name: n\nmutations: {dict.fromkeys(KINDS, 0)}\ntemplates: [{{tree_size: 3}}]", "mutations: expected at least"),
    ("name: n\nmutations: {point: much}\ntemplates: [{tree_size: 3}]", "mutations.point: expected a finite number"),
    (
        "name: n\nmutations: {point: -1}\ntemplates: [{tree_size: 3}]",
        "mutations.point: expected a number from 0",
    ),
    ("name: n\nunary: [a, tahn(a)]\ntemplates: [{tree_size: 3}]", r"unary\[1\]: 'tahn\(a\)': .*did you mean 'tanh'"),
    ("name: n\nunary: [a+b]\ntemplates: [{tree_size: 3}]", r"unary\[0\]: .*unknown name 'b'; known are a, other"),
    ("name: n\nbinary: ['a+(b']\ntemplates: [{tree_size: 3}]", r"binary\[0\]: 'a\+\(b': position 4: expected '\)'"),
    ("name: n\nunary: [2]\ntemplates: [{tree_size: 3}]", r"unary\[0\]: expected a rule in quotes"),
    ("name: n\nunary: ['a;b']\ntemplates: [{tree_size: 3}]", "expected an operator or the end, got ';'"),
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
        r"parameters.c.per: expected 'layer', 'channel' or 'network', got 'chanel'; did you mean 'channel'",
    ),
    (
        "name: n\nparameters: {beta: {}}\nunary: [bta*a]\ntemplates: [{tree_size: 3}]",
        r"unary\[0\]: 'bta\*a': position 0: unknown name 'bta'; did you mean 'beta'",
    ),
    (
        'name: n\nunary: ["a*a*a"]\ntemplates: [{tree_size: 9}]',
        r"templates\[0\]: an expression could have \d+ nodes, at most 400 are allowed",
    ),
    ("name: n\nunary: [sin(cos(a))]\ntemplates: [{tree_size: 80}]", r"could have 159 levels, at most 100"),
    ("name: n\nunary: [sin(a)]\ntemplates: [{tree_size: 31}]", "could have 31 levels, at most 30"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_bad_declarations_name_the_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(GrammarError, match=message) as caught:
        loaded(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "mine.yaml"))


def templates(chosen: Grammar) -> list[Template]:
    """Its forms and trees."""
    return [part.template for part, _ in chosen.templates if isinstance(part, Derived)]


def test_limits_are_reached_exactly(tmp_path: Path) -> None:
    small = loaded(
        tmp_path, 'name: n\nunary: [exp(-a**2), "a*sin(a)"]\nbinary: [a/(1+abs(b))]\ntemplates: [{tree_size: 5}]'
    )
    for chosen in (small, PRESETS["swish2017"]):
        written = list(chosen.enumerate())
        (template,) = templates(chosen)
        assert template.largest(Rule.size) == max(f.size for f in written)
        assert template.largest(Rule.depth) == template.largest(Rule.levels) == max(f.depth for f in written)


def test_limits_count_formulas_written_out(tmp_path: Path) -> None:
    text = "name: n\nunary: [softshrink(a)]\ntemplates: [{tree_size: SIZE}]"
    assert templates(loaded(tmp_path, text.replace("SIZE", "4")))[0].largest(Rule.levels) == 4
    with pytest.raises(GrammarError, match="could have 4775 nodes, at most 400"):
        loaded(tmp_path, text.replace("SIZE", "6"))


@pytest.mark.parametrize("name", grammar_names())
@pytest.mark.parametrize("left", [True, False])
def test_the_deepest_members_can_be_read_back(name: str, left: bool) -> None:
    """One rule over and over, with as many factors as there may be: what nests deepest in text."""
    for template in [t for t in templates(PRESETS[name]) if isinstance(t, Trees)]:
        for rule in (*template.by_arity[1], *template.by_arity[2]):
            chain = [rule] * ((template.max_size - 1) // rule.arity)
            for at in range(template.factors.most):
                chain[at] = template.factors.before(rule)
            beside = [X] * (rule.arity - 1)
            rules = [*chain, *(beside * len(chain)), X] if left else [r for u in chain for r in (u, *beside)] + [X]
            f = write(tuple(rules))
            assert parse(f.text) is f and f in PRESETS[name]
