"""What a function is shown beside: ReLU, GELU, SiLU, the nearest known function, and one of the user's."""

from __future__ import annotations

from evaluators.controls import CONTROLS
from evaluators.errors import EvaluationError
from evaluators.results.control_labels import label_of
from primitives.equivalence.classes import same_function
from primitives.equivalence.nearest import nearest_known
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse

CURRENT = "yours"


def company_of(expression: str, current: str | None = None) -> dict[str, str]:
    """Names for people by the text of each function: the function itself first, then those beside it.

    Args:
        expression: of one number, such as ``"x*tanh(x)"``.
        current: the function that the user's network has now, if it is not one of the others.

    Raises:
        ExpressionError: a text is no expression.
        EvaluationError: one is no function of one number: a gate, or a layer with statistics.
    """
    own = _function(expression)
    names = {own.text: own.text} | {text: label_of(name) for name, text in CONTROLS.items() if text != own.text}
    if current is not None:
        names.setdefault(_function(current).text, CURRENT)
    nearest = nearest_known(own)
    if nearest is not None and not any(same_function(parse(text), nearest.entry.expression) for text in names):
        names[nearest.entry.expression.text] = nearest.entry.name
    return names


def _function(text: str) -> Expression:
    found = parse(text)
    if not found.is_pointwise:
        raise EvaluationError(f"a profile is of functions of one number, such as x*tanh(x); {text} is none")
    return found
