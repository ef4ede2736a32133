"""ONNX: a model of plain operators, in float32, for any runtime.

Opset 12, the lowest that has ``GreaterOrEqual``; no functions and no operators of other domains. ONNX has no
gradients: a second model holds the derivative by x, of a gate a third one that by z. A function with statistics has
neither; it is written in its form of inference, where parameters stand for the statistics over examples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from primitives.errors import LoweringError
from primitives.expression.evaluation import constants
from primitives.expression.expression import Expression, make_node, with_args
from primitives.expression.parameters import Parameter
from primitives.expression.reduction import ONE
from primitives.expression.traversal import postorder, rewrite
from primitives.layers.population import population
from primitives.lowering.column import Column
from primitives.lowering.onnx.statistics import NODES, VARIANCES, statistic, varies
from primitives.lowering.python.norm_self_test import norm_self_test
from primitives.lowering.python.self_test import points_text, python_self_test
from primitives.lowering.reference import roots_of, scaled
from primitives.lowering.substitutes import SPECIAL, substituted
from primitives.lowering.target import ALL_KINDS, Target
from primitives.operators.axes import PER_GROUP
from primitives.operators.kernels import COMPARISONS

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

OPSET = 12

#: operators that are one node; its type
_NODES = {
    **{"add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "pow": "Pow", "max": "Max", "min": "Min"},
    **{"neg": "Neg", "abs": "Abs", "sign": "Sign", "floor": "Floor", "reciprocal": "Reciprocal", "where": "Where"},
    **{"gt": "Greater", "ge": "GreaterOrEqual", "lt": "Less", "le": "LessOrEqual"},
    **{"exp": "Exp", "log": "Log", "sqrt": "Sqrt", "sin": "Sin", "cos": "Cos", "atan": "Atan", "erf": "Erf"},
    **{"sinh": "Sinh", "cosh": "Cosh", "tanh": "Tanh", "asinh": "Asinh", "relu": "Relu"},
}

_FORMULAS = {**SPECIAL, **VARIANCES}
_COLUMN = Column("onnx", {**_NODES, **NODES} | dict.fromkeys(_FORMULAS, "substituted"))


def onnx_model(expression: Expression, name: str, factor: float) -> bytes:
    """A model of ``factor * expression``, from ``x`` to ``y``, both float32 of one shape (n, c, h, w).

    A gate takes ``z`` of the same shape, too. ONNX wants the number of dims of a model's ends to be known; the nodes
    take any but for statistics. Parameters are initializers of their own names. One per channel has the shape
    [1, 1, 1]; for C channels put one of shape [C, 1, 1] in its place. Statistics over examples are such parameters,
    ``running1``, ...: put the averages of training there.

    Returns:
        The serialized ``ModelProto``.

    Raises:
        LoweringError: the package onnx is missing, or ONNX cannot express an operator.
    """
    return _model(scaled(population(expression).form, factor), expression, name, factor)


def onnx_derivative(expression: Expression, name: str, factor: float, by: str = "x") -> bytes:
    """A model of the derivative of ``factor * expression`` by x or z; else as :func:`onnx_model`."""
    return _model(roots_of(expression, factor)[by], expression, f"{name}_derivative", factor)


def _model(root: Expression, expression: Expression, name: str, factor: float) -> bytes:
    onnx = _onnx()
    graph = _Graph(_spelled(root))
    real = onnx.TensorProto.FLOAT
    given = ["x", *(["z"] if "z" in expression.inputs else [])]
    ends = [onnx.helper.make_tensor_value_info(end, real, list("nchw")) for end in (*given, "y")]
    opset = onnx.helper.make_opsetid("", OPSET)
    model = onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, name, ends[:-1], ends[-1:], initializer=graph.initializers),
        opset_imports=[opset],
        ir_version=onnx.helper.find_min_ir_version_for([opset]),
        producer_name="actsearch",
        doc_string=f"{name}, opset {OPSET}: {factor!r} times {expression.text}",
    )
    onnx.helper.set_model_props(model, {"expression": expression.text, "factor": repr(factor)})
    serialized: bytes = model.SerializeToString(deterministic=True)
    return serialized


def _onnx() -> Any:
    try:
        import onnx
    except ImportError:
        raise LoweringError("the target onnx needs the package onnx: pip install 'actsearch[onnx]'") from None
    return onnx


def _spelled(root: Expression) -> Expression:
    """The same function over operators that are one node."""
    return rewrite(substituted(_COLUMN.expand(root), _FORMULAS), _reciprocal)


def _reciprocal(node: Expression, args: tuple[Expression, ...]) -> Expression:
    """1/a is a node of its own: onnxruntime 1.32 breaks the graph of (2*x + 0) * (1/a)."""
    return make_node("reciprocal", args[1]) if node.op == "div" and args[0] is ONE else with_args(node, args)


class _Graph:
    """Nodes and initializers of a model; what is shared is computed once, numbers are folded."""

    def __init__(self, root: Expression) -> None:
        onnx = _onnx()
        self.helper, self.types = onnx.helper, onnx.TensorProto
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self.numbers: dict[float, str] = {}
        self.values: dict[Expression, str] = {}
        self.truths: dict[Expression, str] = {}
        folded = constants((root,))
        for node in postorder((root,), stop=folded):
            self.visit(node, folded)
        self.finish(root)

    def visit(self, node: Expression, folded: Mapping[Expression, float]) -> None:
        if node in folded:
            self.values[node] = self.number(folded[node])
        elif isinstance(node.value, Parameter):
            self.values[node] = self.parameter(node.value)
        elif not node.args:
            self.values[node] = node.op
        elif node.op in COMPARISONS:
            self.truths[node] = self.node(_COLUMN.template(node.op), *map(self.value, node.args))
        elif node.op in NODES:
            self.values[node] = statistic(self, node, self.value(node.args[0]))
        elif node.op == "where":
            self.values[node] = self.node("Where", self.truth(node.args[0]), *map(self.value, node.args[1:]))
        else:
            self.values[node] = self.node(_COLUMN.template(node.op), *map(self.value, node.args))

    def finish(self, root: Expression) -> None:
        """The output has the shape of x, whether it depends on x or not."""
        value = self.value(root)
        if varies(root):
            self.node("Identity", value, output="y")
        else:
            self.node("Expand", value, self.node("Shape", "x"), output="y")

    def value(self, node: Expression) -> str:
        """Name of a node's value as a number."""
        if node not in self.values:
            self.values[node] = self.node("Cast", self.truths[node], to=self.types.FLOAT)
        return self.values[node]

    def truth(self, node: Expression) -> str:
        """Name of a node's value as a truth value."""
        if node not in self.truths:
            self.truths[node] = self.node("Cast", self.values[node], to=self.types.BOOL)
        return self.truths[node]

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node and return its output, by default a name that no parameter can have."""
        output = output or f"/{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(kind, inputs, [output], **attributes))
        return output

    def number(self, value: float) -> str:
        if value not in self.numbers:
            self.numbers[value] = self.tensor(f"/{value!r}", (), value)
        return self.numbers[value]

    def tensor(self, name: str, shape: tuple[int, ...], value: float) -> str:
        with np.errstate(over="ignore"):  # beyond float32 is infinite
            rounded = float(np.float32(value))
        self.initializers.append(self.helper.make_tensor(name, self.types.FLOAT, shape, [rounded]))
        return name

    def whole_numbers(self, values: Sequence[int]) -> str:
        """The name of a constant tensor of int64."""
        name = f"/{[*values]}"
        if name not in {each.name for each in self.initializers}:
            self.initializers.append(self.helper.make_tensor(name, self.types.INT64, (len(values),), [*values]))
        return name

    def parameter(self, p: Parameter) -> str:
        name = f"{p.name}_" if p.name in {"x", "y", "z"} else p.name
        return self.tensor(name, (1, 1, 1) if p.per == "channel" else (), p.initial)


_IMPORTS = """
import numpy as np
import onnxruntime"""

_COMPUTED = Template("""
inputs = {name: np.array(each, np.float32).reshape(1, 1, 1, -1) for name, each in zip("xz", ($points,))}
sessions = [onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]) for file in $files]
return [session.run(None, inputs)[0].ravel().tolist() for session in sessions]
""")


def _beside(expression: Expression, name: str, factor: float) -> dict[str, str | bytes]:
    """The models of derivatives, and the self-test of all."""
    if expression.has_statistics:
        return _norm_test(expression, name, factor)
    by = {"x": f"{name}_derivative.onnx"} | ({"z": f"{name}_derivative_z.onnx"} if "z" in expression.inputs else {})
    test = python_self_test(
        expression,
        f"{name}.onnx",
        factor=factor,
        imports=_IMPORTS,
        computed=_COMPUTED.substitute(files=(f"{name}.onnx", *by.values()), points=points_text(expression)),
        dtype=torch.float32,
        by_parameters=False,
    )
    return {file: onnx_derivative(expression, name, factor, wrt) for wrt, file in by.items()} | test


_COMPUTED_OF_STATISTICS = Template("""
inputs = {name: np.array(each, np.float32) for name, each in zip("xz", INPUTS)}
session = onnxruntime.InferenceSession("$name.onnx", providers=["CPUExecutionProvider"])
return {"start": session.run(None, inputs)[0].ravel().tolist()}
""")


def _norm_test(expression: Expression, name: str, factor: float) -> dict[str, str | bytes]:
    test = norm_self_test(
        expression,
        f"{name}.onnx",
        factor=factor,
        imports=_IMPORTS,
        computed=_COMPUTED_OF_STATISTICS.substitute(name=name),
        dtype=torch.float32,
        names=["start"],
        per_group=PER_GROUP,
    )
    return {**test}


ONNX = Target(".onnx", onnx_model, _beside, ALL_KINDS)
