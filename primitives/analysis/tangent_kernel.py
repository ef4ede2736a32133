"""The classifier that a network becomes when it is infinitely wide and infinitely deep.

Its tangent kernel follows from the correlation map C of a layer, C(c) = E[f(u) f(v)] / E f^2 for standard normals u and
v of correlation c: K <- C(K), T <- C(K) + T C'(K). Both maps are power series in c, with the shares of f's Hermite
coefficients as coefficients, so that C(0) = A^2, C'(0) = A'^2 and C'(1) = B'.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from primitives.analysis.analyse import analyse
from primitives.equivalence.kinds import pointwise_form
from primitives.expression.expression import Expression

Classifier = Literal["none", "majority", "nearest", "singular"]
NOTHING = 1e-12  # a share of E f^2 that counts as 0; sums over the grid leave less than 1e-20


@dataclass(frozen=True, slots=True)
class DeepLimit:
    """What the classifier by a network's tangent kernel tends to as the depth grows.

    Args:
        classifier: ``"majority"``, the class that most training examples have, whatever the input; ``"nearest"``, the
            class of the nearest training example; ``"singular"``, a vote of all of them, weighted by |x - x_i|^-order;
            ``"none"`` where none of the three is known to be the limit.
        order: of a singular kernel, else None. It is optimal for inputs of as many dimensions.
    """

    classifier: Classifier
    order: float | None = None


def deep_limit(expression: Expression) -> DeepLimit:
    """The limit for f divided by sqrt(E f(z)^2), weights of variance 1 / fan_in and no biases.

    With A = E f(z), A' = E f'(z), B' = E f'(z)^2 of that function, for inputs on a sphere:

    - A != 0: all inputs become equally alike, "majority".
    - A = A' = 0: correlations fall to 0 faster than by any factor, so that the nearest example decides, "nearest".
    - A = 0, A' != 0, B' > 1: distant inputs lose a factor of A'^2 a layer, near ones part by B' a layer, "singular" of
      order -4 log |A'| / log B'.

    These are the three classes of Radhakrishnan, Belkin and Uhler 2023 (arXiv:2204.14126). Their abstract names them;
    UNVERIFIED: the conditions are not taken from their theorems but derived from the two maps above, and tested by
    iterating these. ``"none"`` is the limit of linear functions, of those that jump or have a derivative of their own,
    for which there is no such kernel, and of those without a positive finite E f(z)^2 and a finite E f'(z)^2.

    Raises:
        ExpressionError: it is no function of one number.
    """
    function = pointwise_form(expression, "the limit of deep networks")
    found = analyse(function)
    known = found.gaussian
    jumps = found.shape is None or found.shape.smoothness == "discont"
    if known is None or known.chi is None or jumps or function.is_paired:
        return DeepLimit("none")
    if known.mean_share > NOTHING:
        return DeepLimit("majority")
    if known.linear_share <= NOTHING:
        return DeepLimit("nearest")
    if 1.0 - known.linear_share <= NOTHING:
        return DeepLimit("none")
    return DeepLimit("singular", -2.0 * math.log(known.linear_share) / math.log(known.chi))
