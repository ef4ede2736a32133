"""An expression: an immutable, hash-consed graph of operators over the input, constants and parameters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakValueDictionary

import networkx as nx
from torch import Tensor

from primitives.errors import ExpressionError
from primitives.operators import find_operator, needs_formula

MAX_DEPTH = 100
MAX_SIZE = 400


@dataclass(frozen=True, slots=True)
class Parameter:
    """A learnable scalar: one per layer, or one per channel of the layer."""

    name: str
    initial: float = 1.0
    per_channel: bool = False


class Expression:
    """A node and all below it; equal expressions are one object, so ``==`` and ``hash`` go by identity.

    Build one with :func:`primitives.parse`, :func:`variable`, :func:`constant`, :func:`parameter` or :func:`apply`.

    Attributes:
        op: operator name, or ``"x"``, ``"constant"``, ``"parameter"`` for a leaf.
        args: the ordered inputs.
        value: the float of a constant, the :class:`Parameter` of a parameter leaf, else ``None``.
        size: number of nodes of the expression written as a tree.
        depth: number of nodes on the longest path to a leaf.
        has_formulas: an operator below has its value or derivative from a formula; see :mod:`primitives.formulas`.
        uses_input: the input occurs.
        is_learnable: a parameter occurs.
    """

    def __init__(self, op: str, args: tuple[Expression, ...], value: float | Parameter | None) -> None:
        self.op = op
        self.args = args
        self.value = value
        size, depth, has_formulas = 1, 1, needs_formula(op)
        uses_input, is_learnable = op == "x", isinstance(value, Parameter)
        for arg in args:
            size += arg.size
            depth = max(depth, arg.depth + 1)
            has_formulas = has_formulas or arg.has_formulas
            uses_input = uses_input or arg.uses_input
            is_learnable = is_learnable or arg.is_learnable
        self.size: int = size
        self.depth: int = depth
        self.has_formulas: bool = has_formulas
        self.uses_input: bool = uses_input
        self.is_learnable: bool = is_learnable

    def __repr__(self) -> str:
        if self.size > MAX_SIZE:  # a derivative, say: small as a graph, endless as text
            return f"<Expression {self.op}(...), {self.depth} levels>"
        return f"parse({self.text!r})"

    def __reduce__(self) -> tuple[Callable[[str], Expression], tuple[str]]:
        from primitives.text import parse

        return parse, (self.text,)

    def __copy__(self) -> Expression:
        return self

    def __deepcopy__(self, memo: object) -> Expression:
        return self

    def __call__(self, x: Tensor, **parameters: Tensor | float) -> Tensor:
        """Value at ``x``, elementwise, in the dtype of ``x``; parameters not named are at their initial values."""
        from primitives.evaluation import evaluate

        return evaluate((self,), x, self.bind(parameters))[0]

    def bind(self, given: Mapping[str, Tensor | float]) -> dict[str, Tensor | float]:
        """Fill in initial values for the parameters that are not given.

        Raises:
            ExpressionError: a given name is no parameter of this expression.
        """
        initial: dict[str, Tensor | float] = {p.name: p.initial for p in self.parameters}
        unknown = sorted(set(given) - set(initial))
        if unknown:
            raise ExpressionError(f"{self.text} has no parameter {unknown[0]!r}; it has {sorted(initial) or 'none'}")
        return initial | dict(given)

    @cached_property
    def text(self) -> str:
        """Infix text that :func:`primitives.parse` reads back to this very object."""
        from primitives.text import to_text

        return to_text(self)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The distinct parameters in the order of their first use."""
        if not self.is_learnable:
            return ()
        found = dict.fromkeys(node.value for node in postorder((self,)) if isinstance(node.value, Parameter))
        return tuple(found)

    @property
    def graph(self) -> nx.DiGraph[int]:
        """Directed acyclic graph, node -> input; each edge has ``slots``, the argument positions that it fills.

        Nodes are integers in evaluation order (the root comes last) with attributes ``op`` and ``value``.
        """
        graph: nx.DiGraph[int] = nx.DiGraph()
        number = {node: index for index, node in enumerate(postorder((self,)))}
        for node, index in number.items():
            graph.add_node(index, op=node.op, value=node.value)
            for slot, arg in enumerate(node.args):
                if graph.has_edge(index, number[arg]):
                    graph.edges[index, number[arg]]["slots"].append(slot)
                else:
                    graph.add_edge(index, number[arg], slots=[slot])
        return graph

    def canonical(self) -> Expression:
        """The expression after cheap, bounded rewriting; see :mod:`primitives.canonical`."""
        from primitives.canonical import canonical

        return canonical(self)

    def exact_class(self) -> str:
        """Hash of the outputs; equal functions share it. See :mod:`primitives.classes`."""
        from primitives.classes import fingerprint

        return fingerprint(self).exact

    def scale_class(self) -> str:
        """Hash of the outputs up to a positive factor."""
        from primitives.classes import fingerprint

        return fingerprint(self).scale

    def affine_class(self) -> str:
        """Hash of the outputs up to an affine map ``a*f + b``, a != 0."""
        from primitives.classes import fingerprint

        return fingerprint(self).affine


_interned: WeakValueDictionary[tuple[str, tuple[Expression, ...], float | Parameter | None], Expression]
_interned = WeakValueDictionary()


def _intern(op: str, args: tuple[Expression, ...], value: float | Parameter | None) -> Expression:
    key = (op, args, value)
    found = _interned.get(key)
    if found is None:
        found = _interned[key] = Expression(op, args, value)
    return found


def variable() -> Expression:
    """The input ``x``."""
    return _intern("x", (), None)


def constant(value: float) -> Expression:
    """A fixed number.

    Raises:
        ExpressionError: the number is not finite.
    """
    value = float(value)
    if not math.isfinite(value):
        raise ExpressionError(f"a constant must be finite, got {value}")
    return _intern("constant", (), value + 0.0)  # -0.0 + 0.0 is 0.0: one zero


def parameter(name: str, initial: float = 1.0, *, per_channel: bool = False) -> Expression:
    """A learnable scalar with its initial value."""
    return _intern("parameter", (), Parameter(name, float(initial), per_channel))


def apply(op: str, *args: Expression) -> Expression:
    """An operator applied to expressions.

    Raises:
        OperatorError: the operator is unknown.
        ExpressionError: the number of arguments is wrong, or the result, with formulas written out, is
            too deep or too large.
    """
    from primitives.formulas import written_out

    row = find_operator(op)
    if len(args) != row.arity:
        raise ExpressionError(f"{row.name} takes {row.arity} argument(s), got {len(args)}")
    node = join(row.name, *args)
    written = written_out(node, "forward")
    if written.depth > MAX_DEPTH:
        raise ExpressionError(f"the expression is {written.depth} operators deep; at most {MAX_DEPTH} are allowed")
    if written.size > MAX_SIZE:
        raise ExpressionError(f"the expression has {written.size} nodes; at most {MAX_SIZE} are allowed")
    return node


def join(op: str, *args: Expression) -> Expression:
    """Like :func:`apply` without its checks: for derivatives, which share so much that only their graph is small."""
    return _intern(op, args, None)


def check_names(root: Expression) -> Expression:
    """Return the expression if each parameter name stands for one parameter, else raise ExpressionError."""
    names = [p.name for p in root.parameters]
    for name in names:
        if names.count(name) > 1:
            raise ExpressionError(f"parameter {name!r} has two different initial values or granularities")
    return root


def inputs_of(node: Expression) -> tuple[Expression, ...]:
    """The inputs of a node."""
    return node.args


def postorder(
    roots: Iterable[Expression],
    stop: Container[Expression] = (),
    inputs: Callable[[Expression], tuple[Expression, ...]] = inputs_of,
) -> list[Expression]:
    """The distinct nodes below the roots, inputs before users, left to right; what is below ``stop`` is left out."""
    seen: dict[Expression, None] = {}
    above: list[Expression] = []  # the nodes whose inputs are being visited, and where the visits stand
    visits = [iter(roots)]
    while visits:
        for node in visits[-1]:
            if node not in seen:
                below = inputs(node)
                if below and node not in stop:
                    above.append(node)
                    visits.append(iter(below))
                    break
                seen[node] = None
        else:
            visits.pop()
            if above:
                seen[above.pop()] = None
    return list(seen)


def preorder(root: Expression) -> Iterator[Expression]:
    """The nodes of the expression written as a tree, each before its inputs."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.args))


def rewrite(root: Expression, change: Callable[[Expression, tuple[Expression, ...]], Expression]) -> Expression:
    """Rebuild bottom-up: ``change(node, new_args)`` gives the new node; each distinct node is visited once."""
    new: dict[Expression, Expression] = {}
    for node in postorder((root,)):
        new[node] = change(node, tuple([new[arg] for arg in node.args]))
    return new[root]


def same(node: Expression, args: tuple[Expression, ...]) -> Expression:
    """The node with new inputs; the change that changes nothing else."""
    return node if args == node.args else join(node.op, *args)


def with_numbered_parameters(root: Expression) -> Expression:
    """Give every parameter leaf of the tree a name of its own where one name stands for different parameters.

    Names keep their stem: ``beta``, ``beta2``, ``beta3`` in the order of first use.
    """
    names: dict[Parameter, str] = {}
    uses: Counter[str] = Counter()
    for p in root.parameters:
        stem = p.name.rstrip("0123456789") or p.name
        uses[stem] += 1
        names[p] = stem if uses[stem] == 1 else f"{stem}{uses[stem]}"
    if all(p.name == name for p, name in names.items()):
        return root

    def change(node: Expression, args: tuple[Expression, ...]) -> Expression:
        if isinstance(node.value, Parameter):
            old = node.value
            return parameter(names[old], old.initial, per_channel=old.per_channel)
        return same(node, args)

    return rewrite(root, change)
