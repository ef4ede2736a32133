"""What a candidate is: operators, expressions, equivalence, analysis, layers, lowering to code."""

from primitives.analysis import Analysis, EdgeOfChaos, Moments, analyse, edge_of_chaos, finite, moments
from primitives.catalogue import Entry, Match, catalogue, known_name
from primitives.equivalence.canonical import canonical
from primitives.equivalence.classes import Fingerprint, fingerprint, same_function
from primitives.errors import ActsearchError, ExpressionError, GrammarError, LoweringError, OperatorError, nearest
from primitives.expression.application import apply
from primitives.expression.derivative import derivative
from primitives.expression.evaluation import evaluate, value_at
from primitives.expression.expression import Expression, constant, parameter, variable
from primitives.expression.graph import to_networkx
from primitives.expression.parameters import Parameter
from primitives.expression.parsing import parse
from primitives.grammars import Decision, Grammar, grammar, grammar_names
from primitives.layers.activation import Activation
from primitives.layers.norm_activation import NormActivation
from primitives.layers.pointwise import pointwise
from primitives.layers.replacing import replace
from primitives.lowering import lower, targets
from primitives.monotone import MonotoneActivations, Monotonicity, monotone_activations, monotonicity
from primitives.operators.operator import Operator
from primitives.operators.registration import register
from primitives.operators.table import find_operator, operators

__all__ = [
    "Activation",
    "ActsearchError",
    "Analysis",
    "Decision",
    "EdgeOfChaos",
    "Entry",
    "Expression",
    "ExpressionError",
    "Fingerprint",
    "Grammar",
    "GrammarError",
    "LoweringError",
    "Match",
    "Moments",
    "MonotoneActivations",
    "Monotonicity",
    "NormActivation",
    "Operator",
    "OperatorError",
    "Parameter",
    "analyse",
    "apply",
    "canonical",
    "catalogue",
    "constant",
    "derivative",
    "edge_of_chaos",
    "evaluate",
    "find_operator",
    "fingerprint",
    "finite",
    "grammar",
    "grammar_names",
    "known_name",
    "lower",
    "moments",
    "monotone_activations",
    "monotonicity",
    "nearest",
    "operators",
    "parameter",
    "parse",
    "pointwise",
    "register",
    "replace",
    "same_function",
    "targets",
    "to_networkx",
    "value_at",
    "variable",
]
