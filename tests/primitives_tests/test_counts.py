"""Sizes of two published spaces, counted as the literature does and on the project's own points.

The reference numbers: expressions that are finite, not constant and distinct at 4 significant digits on 1,000 clipped
normals, and of these those distinct up to an affine map of the output; ``docs/equivalence.md`` has the table.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from primitives import Expression, constant, fingerprint, value_at
from primitives.equivalence.outputs import outputs
from primitives.expression.expression import make_node
from primitives.expression.parameters import Parameter
from primitives.expression.traversal import rewrite
from primitives.grammars import grammar

Array = NDArray[np.float64]

# size, not finite, constant, usable and distinct, distinct up to output scale, shift and sign
REFERENCE = {"swish2017": (6_250, 490, 146, 2_808, 2_280), "aquasurf": (5_103, 490, 249, 2_412, 1_827)}
TOLERANCE = 0.02


@cache
def space(name: str) -> tuple[Expression, ...]:
    """Every derivation of a preset; its parameters, which start at 1, are frozen there."""
    return tuple(rewrite(expression, _freeze) for expression in grammar(name).enumerate())


def _freeze(node: Expression, args: tuple[Expression, ...]) -> Expression:
    if isinstance(node.value, Parameter):
        return constant(node.value.initial)
    return make_node(node.op, *args) if args else node


def is_constant(values: Array) -> bool:
    return bool(np.ptp(values) <= 1e-9 * max(1.0, float(np.abs(values).max())))


def digits(values: Array) -> bytes:
    """The values at 4 significant digits."""
    exponent = np.floor(np.log10(np.abs(values), out=np.zeros_like(values), where=values != 0))
    unit = 10.0 ** (np.maximum(exponent, -300) - 3)
    rounded: Array = np.rint(values / unit) * unit + 0.0
    return rounded.tobytes()


def standardised(values: Array) -> Array:
    values = values / np.abs(values).max()  # or the squares of some overflow
    centred = (values - values.mean()) / values.std()
    first = int((np.abs(centred) > 0.5 * np.abs(centred).max()).argmax())
    return centred * np.sign(centred[first])


def counted(rows: Iterable[Array]) -> tuple[int, int, int, int]:
    """Not finite, constant, distinct among the rest, distinct up to an affine map."""
    infinite = constants = 0
    distinct, affine = set(), set()
    for values in rows:
        if not np.isfinite(values).all():
            infinite += 1
        elif is_constant(values):
            constants += 1
        else:
            distinct.add(digits(values))
            affine.add(digits(standardised(values)))
    return infinite, constants, len(distinct), len(affine)


@pytest.mark.parametrize("name", REFERENCE)
def test_counts_on_normals_are_the_reference(name: str) -> None:
    size, infinite, constants, distinct, affine = REFERENCE[name]
    x = torch.from_numpy(np.random.Generator(np.random.PCG64(0)).standard_normal(1000)).clip(-5.0, 5.0)
    assert (x != 0.0).all()
    assert len(space(name)) == grammar(name).count() == size
    found = counted(value_at(expression, x).numpy() for expression in space(name))
    assert found[0] == pytest.approx(infinite, abs=3)
    assert found[1] == pytest.approx(constants, abs=10)
    assert found[2:] == pytest.approx((distinct, affine), rel=TOLERANCE)


@pytest.mark.parametrize("name", REFERENCE)
def test_classes_on_our_own_points_are_as_many(name: str) -> None:
    _, _, _, distinct, affine = REFERENCE[name]
    usable = [f for f in space(name) if np.isfinite(outputs(f)).all() and not is_constant(outputs(f)[0])]
    found = [fingerprint(f) for f in usable]
    assert len({each.exact for each in found}) == pytest.approx(distinct, rel=TOLERANCE)
    assert len({each.affine for each in found}) == pytest.approx(affine, rel=TOLERANCE)


def test_a_parameter_that_is_learnt_keeps_functions_apart() -> None:
    learnable = {fingerprint(f).exact for f in grammar("swish2017").enumerate()}
    assert len(learnable) > 1.2 * len({fingerprint(f).exact for f in space("swish2017")})
