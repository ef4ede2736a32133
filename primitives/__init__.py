"""What a candidate is: operators, expressions, equivalence, analysis, layers, lowering to code."""

from primitives.activation import Activation, replace
from primitives.analysis import Analysis, EdgeOfChaos, Moments, analyse, edge_of_chaos, finite, moments
from primitives.application import apply
from primitives.canonical import canonical
from primitives.catalogue import Entry, Match, catalogue, known_name
from primitives.classes import Fingerprint, fingerprint, same_function
from primitives.derivative import derivative
from primitives.errors import ActsearchError, ExpressionError, GrammarError, LoweringError, OperatorError, nearest
from primitives.evaluation import evaluate, value_at
from primitives.expressions import Expression, constant, parameter, variable
from primitives.grammars import Decision, Grammar, grammar, grammar_names
from primitives.graph import to_networkx
from primitives.lowering import lower, targets
from primitives.operators import Operator, find_operator, operators
from primitives.parameters import Parameter
from primitives.parsing import parse
from primitives.pointwise import pointwise
from primitives.registration import register

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
