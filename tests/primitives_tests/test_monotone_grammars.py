"""``monotone: increasing`` in a grammar: whatever comes out of it is proved increasing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primitives import GrammarError, grammar, parse
from primitives.grammars import Grammar
from primitives.grammars.mutation import KINDS
from primitives.monotone import is_proved

SMALL = """
name: small
constants: [2]
unary: [sin(a), tanh(a), "-a", exp(a)]
binary: [a+b, a*b, a-b]
templates: [{tree_size: 5}]
"""
MIXED = """
name: mixed
parameters: {beta: {initial: 1.0, per: channel}}
constants: [0.5]
unary: [a, "-a", tanh(a), sigmoid(a), "exp(beta)*a", "beta*a", sin(a)]
binary: [a+b, a*b, "max(a,b)"]
factors: {max: 1}
templates: [{units: 1}, {tree_size: 6}]
"""


def loaded(folder: Path, text: str) -> Grammar:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return grammar(path)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Grammar:
    return loaded(tmp_path_factory.mktemp("mixed"), MIXED + "monotone: increasing\n")


def rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_every_way_out_gives_members(mixed: Grammar, seed: int) -> None:
    generator = rng(seed)
    f, g = mixed.sample(generator), mixed.sample(generator)
    drawn = [f, g, mixed.mutate(f, generator), mixed.crossover(f, g, generator)]
    drawn += [mixed.mutate(f, generator, kind) for kind, weight in mixed.kinds(f).items() if weight]
    drawn.append(mixed.decode({d.name: d.choices[generator.integers(len(d.choices))] for d in mixed.decisions()}))
    assert all(is_proved(each, "increasing") and each in mixed for each in drawn)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_vectors_repeat_and_give_their_member_back(mixed: Grammar, seed: int) -> None:
    generator = rng(seed)
    vector = {d.name: d.choices[generator.integers(len(d.choices))] for d in mixed.decisions()}
    decoded = mixed.decode(vector)
    assert mixed.decode(vector) is decoded
    own = mixed.encode(decoded)
    assert own is None or mixed.decode(own) is decoded


def test_enumeration_and_count_filter(tmp_path: Path) -> None:
    whole = loaded(tmp_path, SMALL)
    rising, falling = (loaded(tmp_path, f"{SMALL}monotone: {d}") for d in ("increasing", "decreasing"))
    everything = list(whole.enumerate())
    members = list(rising.enumerate())
    assert members == [f for f in everything if is_proved(f, "increasing")]
    assert rising.count() == len(members) > 0
    assert 0 < falling.count() < whole.count() == len(everything)
    assert parse("tanh(x)+2") in rising and parse("-tanh(x)") not in rising and parse("-tanh(x)") in falling
    assert parse("sin(x)") in whole and parse("sin(x)") not in rising
    assert rising.sizes() == whole.sizes()


def test_samples_are_those_of_the_whole_grammar_that_are_proved(tmp_path: Path) -> None:
    whole, rising = loaded(tmp_path, SMALL), loaded(tmp_path, SMALL + "monotone: increasing")
    generator, same = rng(3), rng(3)
    expected = [f for f in (whole.sample(generator, size=5) for _ in range(300)) if is_proved(f, "increasing")]
    assert [rising.sample(same, size=5) for _ in expected] == expected


def test_without_a_constraint_nothing_changes(tmp_path: Path) -> None:
    assert loaded(tmp_path, SMALL).constraint.is_none
    assert all(grammar(name).constraint.is_none for name in ("default", "pangaea"))


def test_what_is_not_proved_cannot_be_varied(mixed: Grammar) -> None:
    with pytest.raises(GrammarError, match=r"'sin\(x\)\+tanh\(x\)' is not proved increasing, as the members"):
        mixed.mutate(parse("sin(x)+tanh(x)"), rng(0))


def test_large_grammars_say_that_the_count_is_not_known(mixed: Grammar) -> None:
    with pytest.raises(GrammarError, match=r"how many members the grammar 'mixed' has is not known: it has [\d,]+"):
        mixed.count()


def test_a_grammar_without_members_is_refused(tmp_path: Path) -> None:
    text = 'name: n\nunary: [sin(a), "a**2"]\ntemplates: [{form: "unary(unary(x))"}]\nmonotone: increasing'
    with pytest.raises(GrammarError, match=r"mine.yaml: monotone: .* of 2,000 samples none is proved increasing"):
        loaded(tmp_path, text)


def test_a_size_without_members_is_said(tmp_path: Path) -> None:
    text = "name: n\nconstants: [1]\nunary: [cos(a)]\nbinary: [a+b]\ntemplates: [{tree_size: 3}]\nmonotone: increasing"
    chosen = loaded(tmp_path, text)
    assert chosen.sample(rng(0), size=3) in chosen
    with pytest.raises(GrammarError, match="samples of size 2 none is proved increasing"):
        chosen.sample(rng(0), size=2)


@pytest.mark.parametrize(
    ("given", "shown"), [("increasin", "'increasin'; did you mean 'increasing'"), ("true", "True")]
)
def test_other_words_are_refused(tmp_path: Path, given: str, shown: str) -> None:
    with pytest.raises(GrammarError, match=f"monotone: expected increasing or decreasing, got {shown}"):
        loaded(tmp_path, f"{SMALL}monotone: {given}")


def test_all_kinds_of_mutation_stay_inside(mixed: Grammar) -> None:
    seen: set[str] = set()
    generator = rng(1)
    f = mixed.sample(generator)
    for _ in range(60):
        for kind in [kind for kind, weight in mixed.kinds(f).items() if weight]:
            child = mixed.mutate(f, generator, kind)
            assert child in mixed
            seen |= {kind} if child is not f else set()
        f = mixed.mutate(f, generator)
    usual = [kind for kind, (_, weight) in KINDS.items() if weight]
    assert len(seen) >= len(usual) - 3
