"""What a candidate is: operators, expressions, equivalence, analysis, layers, lowering to code."""

from primitives.activation import Activation, replace
from primitives.analysis import Moments, finite, moments
from primitives.canonical import canonical
from primitives.classes import Fingerprint, fingerprint, same_function
from primitives.derivative import derivative
from primitives.errors import ActsearchError, ExpressionError, GrammarError, OperatorError, nearest
from primitives.evaluation import evaluate
from primitives.expressions import Expression, Parameter, apply, constant, parameter, variable
from primitives.operators import Operator, find_operator, operators
from primitives.pointwise import pointwise
from primitives.text import parse, to_text

__all__ = [
    "ActsearchError",
    "Activation",
    "Expression",
    "ExpressionError",
    "Fingerprint",
    "GrammarError",
    "Moments",
    "Operator",
    "OperatorError",
    "Parameter",
    "apply",
    "canonical",
    "constant",
    "derivative",
    "evaluate",
    "find_operator",
    "fingerprint",
    "finite",
    "moments",
    "nearest",
    "operators",
    "parameter",
    "parse",
    "pointwise",
    "replace",
    "same_function",
    "to_text",
    "variable",
]
