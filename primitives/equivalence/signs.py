"""Signs: the functions f(-x), -f(x) and -f(-x), which a network can take for f by other signs of its weights.

A layer whose weights are drawn symmetric about 0 computes W x as often as -W x. So f(-x) with weights -W before it, and
-f(x) with weights -V after it, are the same network as f with W and V; every step of SGD or Adam keeps it so, with
LayerNorm between, too. They are one choice wherever the weights on both sides of every place are so, and differ where
something else than weights meets the place: max pooling after it, a skip connection around it, weights of one sign.

Of layers with statistics, gates and ``layers(...)`` no images are formed: whether they train alike is found out for
functions of one number, and would have to be found out anew for two inputs, or for one function in each place.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from primitives.equivalence.classes import class_of, same_function
from primitives.equivalence.kinds import plainest, pointwise_form
from primitives.expression.expression import Expression, constant, make_node, variable
from primitives.expression.traversal import rewrite

#: f(-x), -f(x) and -f(-x), as names say them.
SIGNS = ("mirrored", "negated", "point-reflected")


@dataclass(frozen=True, slots=True)
class Signed:
    """``outer * f(inner * x)`` of some f.

    Args:
        inner: 1 or -1.
        outer: 1 or -1.
        expression: the function.
    """

    inner: int
    outer: int
    expression: Expression

    @property
    def said(self) -> str:
        """For people: what it is to f, see :func:`said_of`."""
        return said_of(self.inner, self.outer)


def said_of(inner: int, outer: int) -> str:
    """The word for ``outer * f(inner * x)``; "" for f itself."""
    return dict(zip(((-1, 1), (1, -1), (-1, -1)), SIGNS, strict=True)).get((inner, outer), "")


def sign_orbit(expression: Expression) -> tuple[Signed, ...]:
    """f, f(-x), -f(x) and -f(-x), as they are; for an even or an odd f some are equal.

    Raises:
        ExpressionError: it is no function of one number.
    """
    expression = pointwise_form(expression, "signs")
    mirrored = _mirrored(expression)
    return (
        Signed(1, 1, expression),
        Signed(-1, 1, mirrored),
        Signed(1, -1, make_node("neg", expression)),
        Signed(-1, -1, make_node("neg", mirrored)),
    )


def _mirrored(expression: Expression) -> Expression:
    minus = make_node("mul", constant(-1.0), variable())

    def at_minus(node: Expression, args: tuple[Expression, ...]) -> Expression:
        return minus if node.op == "x" else make_node(node.op, *args) if args else node

    return rewrite(expression, at_minus)


def sign_class(expression: Expression, *, exact: bool, signs: Collection[str] = SIGNS) -> str:
    """The hash of an expression's class up to signs: the smallest hash of its orbit.

    Args:
        expression: any.
        exact: a factor of the output counts, as in :func:`primitives.equivalence.classes.class_of`.
        signs: those of the orbit that count as the function; all, one, or none, which leaves the class as it is, as
            they leave that of what is no function of one number.
    """
    return min(class_of(each, exact=exact) for each in _images(expression, signs))


def same_up_to_signs(f: Expression, g: Expression, *, exact: bool, signs: Collection[str] = SIGNS) -> bool:
    """True if ``f`` or one of its images is ``g``, as :func:`primitives.equivalence.classes.same_function` verifies."""
    return any(same_function(each, g, scale=not exact) for each in _images(f, signs))


def _images(expression: Expression, signs: Collection[str]) -> list[Expression]:
    """The expression, then those of its orbit that count as it."""
    orbit = sign_orbit(expression) if signs and plainest(expression).is_pointwise else ()
    return [expression, *(each.expression for each in orbit if each.said in signs)]
