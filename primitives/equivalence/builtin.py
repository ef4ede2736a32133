"""Built-in forms: a formula that equals one of torch's own activations is computed by torch's kernels."""

from __future__ import annotations

from functools import cache, lru_cache

from primitives.equivalence.classes import class_of, same_function
from primitives.expression.application import apply
from primitives.expression.expression import Expression, variable

#: Operators that torch has as one function with derivatives of every order.
DIFFERENTIABLE = (
    *("relu", "elu", "selu", "gelu", "gelu_tanh", "silu", "mish", "softplus", "log_sigmoid", "softsign", "sigmoid"),
    *("tanh", "erf", "exp", "expm1", "sin", "cos", "sinh", "cosh", "atan", "asinh"),
)
#: Those of which it has not: the second derivative of hard_sigmoid is missing, those of the others carry no graph.
_OTHERS = ("leaky_relu", "relu6", "hardtanh", "hard_sigmoid", "hard_swish")
_TORCH_FUNCTIONS = (*DIFFERENTIABLE, *_OTHERS)


@lru_cache(maxsize=4096)
def as_builtin(expression: Expression) -> Expression:
    """The single operator over ``x`` that an expression equals, if torch has it as one function; else the expression.

    Equality is that of :func:`primitives.same_function`. Expressions with parameters, gates and
    layers with statistics have no built-in form.
    """
    if (
        not expression.is_pointwise
        or expression.is_learnable
        or (expression.size <= 2 and expression.op in _TORCH_FUNCTIONS)
    ):
        return expression
    candidates = _forms().get(class_of(expression, exact=True), ())
    return next((form for form in candidates if same_function(form, expression)), expression)


@cache
def _forms() -> dict[str, tuple[Expression, ...]]:
    """By class hash, which relu and relu6 share."""
    forms: dict[str, tuple[Expression, ...]] = {}
    for name in _TORCH_FUNCTIONS:
        form = apply(name, variable())
        key = class_of(form, exact=True)
        forms[key] = (*forms.get(key, ()), form)
    return forms
