"""Insertions: rules that are put in above a part of a tree, with what stands beside the part."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import torch

from primitives.equivalence.canonical import canonical
from primitives.equivalence.tensors import tensors
from primitives.expression.evaluation import value_at
from primitives.expression.parameters import Parameter
from primitives.grammars.derivation import Derivation, X, write
from primitives.grammars.patterns import Rule

#: A rule and its inputs; None stands for the part.
Insertion = tuple[Rule, tuple[Derivation | None, ...]]


def inserted(insertion: Insertion, part: Derivation) -> Derivation:
    """The rule above the part."""
    rule, inputs = insertion
    return (rule, *chain(*[part if given is None else given for given in inputs]))


def growing(unary: Sequence[Rule], binary: Sequence[Rule]) -> tuple[Insertion, ...]:
    """Each unary rule above the part, each binary rule above it and ``x`` in both orders."""
    above_x: tuple[Insertion, ...] = tuple((rule, pair) for rule in binary for pair in ((None, (X,)), ((X,), None)))
    return (*((rule, (None,)) for rule in unary), *above_x)


def neutral(leaves: Sequence[Rule], unary: Sequence[Rule], binary: Sequence[Rule]) -> tuple[Insertion, ...]:
    """The insertions that leave the function as it is while parameters are at their initial values.

    Such are ``1*a``, ``a+0``, ``max(a,a)``, and ``beta*a`` where beta starts at 1 [2006.03179 inserts its binary
    operators so]. Beside the part, only leaves that start at 0 or 1 are tried.
    """
    units = [(leaf,) for leaf in leaves if _start(leaf) in (0.0, 1.0)]
    pairs: list[tuple[Derivation | None, ...]] = [(None, None)]
    for unit in units:
        pairs += [(None, unit), (unit, None)]
    tried: list[Insertion] = [*((rule, (None,)) for rule in unary), *((r, pair) for r in binary for pair in pairs)]
    return tuple(insertion for insertion in tried if _is_neutral(insertion))


def _start(leaf: Rule) -> float | None:
    """The value of a leaf before training; None for ``x``."""
    value = leaf.pattern.value
    return value.initial if isinstance(value, Parameter) else value


def _is_neutral(insertion: Insertion) -> bool:
    """True if ``x`` comes out as ``x``, to a relative 1e-12.

    A function is tried at 81 numbers from -20 to 20; one with a statistic or ``z`` at tensors with examples, channels
    and positions, as a statistic over axes that are not there would leave any number as it is. Of a pair the derivative
    must be that of ``x``, too, and the canonical form tells.
    """
    f = write(inserted(insertion, (X,)))
    if f.is_paired:
        return canonical(f) is X.pattern
    if f.is_pointwise:
        points = torch.linspace(-20, 20, 81, dtype=torch.float64) + 2**0.5 / 1000
        values = value_at(f, points)
    else:
        points, z, *_ = tensors()
        values = value_at(f, points, **({"z": z} if "z" in f.inputs else {}))
    return bool(((values - points).abs() <= 1e-12 * points.abs()).all())
