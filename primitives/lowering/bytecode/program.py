"""From expressions to bytecode: straight-line code over few registers."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import heappop, heappush

from primitives.errors import LoweringError
from primitives.expression.evaluation import constants
from primitives.expression.expression import Expression
from primitives.expression.parameters import Parameter
from primitives.expression.traversal import postorder
from primitives.lowering.bytecode.opcodes import OPCODES, OPERATORS
from primitives.operators.formulas import expand
from primitives.operators.kernels import COMPARISONS
from primitives.operators.operator import LAYERS

MAX_REGISTERS = 255
WORDS = 5

_FLIPPED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}


@dataclass(frozen=True, slots=True)
class Bytecode:
    """A program over registers: 0 holds x, then come parameters, constants, and what is computed.

    Args:
        code: int32 in the machine's order, shape (n, 5): opcode, destination, and three operands, 0 where there are
            fewer. A destination may be one of the operands.
        constants: in float64; an interpreter rounds them to its type.
        parameters: their names.
        outputs: the register of each root, in the order of the roots; two may be the same, and may be an input.
        registers: how many there are.
    """

    code: bytes
    constants: tuple[float, ...]
    parameters: tuple[str, ...]
    outputs: tuple[int, ...]
    registers: int

    @property
    def length(self) -> int:
        """How many instructions there are."""
        return len(self.code) // (4 * WORDS)

    @property
    def rows(self) -> tuple[tuple[int, ...], ...]:
        """The instructions as numbers."""
        words = array("i", self.code).tolist()
        return tuple(tuple(words[at : at + WORDS]) for at in range(0, len(words), WORDS))


@lru_cache(maxsize=4096)
def bytecode(roots: tuple[Expression, ...], parameters: tuple[str, ...]) -> Bytecode:
    """The program of some pointwise expressions; subexpressions without ``x`` and parameters become numbers.

    Args:
        roots: the expressions.
        parameters: the names of all parameters that occur, in the order of their registers.

    Raises:
        LoweringError: an operator has neither an opcode nor a formula over those that have, or takes more than one
            element; or the program would need more than 255 registers.
    """
    for root in roots:
        if not root.is_pointwise:
            what = root.op if root.op == LAYERS else "z" if "z" in root.inputs else "a statistic"
            raise LoweringError(f"bytecode is of functions of one number, got {what}")
    return _Writer(tuple([expand(root, "bytecode", OPERATORS) for root in roots]), parameters).finished()


def bytecode_or_none(roots: tuple[Expression, ...], parameters: tuple[str, ...]) -> Bytecode | None:
    """The same; None for what :func:`bytecode` refuses."""
    try:
        return bytecode(roots, parameters)
    except LoweringError:
        return None


# an instruction before registers are given: opcode, and values. Value 0 is x, 1.. are parameters, negative ones
# constants, those from the number of leaves on the results of instructions, in order
_Line = tuple[str, tuple[int, ...]]


class _Writer:
    """Writes the instructions of some expressions, each distinct node once."""

    def __init__(self, roots: tuple[Expression, ...], parameters: tuple[str, ...]) -> None:
        self.parameters = parameters
        self.lines: list[_Line] = []
        self.constants: dict[str, int] = {}
        self.numbers: list[float] = []
        self.place = {name: 1 + index for index, name in enumerate(parameters)}
        self.value: dict[Expression, int] = {}
        self.known = constants(roots)
        for node in postorder(roots, inputs=self._inputs):
            if node not in self.known:
                self.value[node] = self._node(node)
        self.outputs = tuple([self._of(root) for root in roots])

    def _inputs(self, node: Expression) -> tuple[Expression, ...]:
        """``where`` over a comparison takes the comparison's own, and Mish's tanh likewise; a number takes none."""
        if node in self.known:
            return ()
        if _is_of_mish(node):
            return node.args[0].args
        if node.op == "where" and node.args[0].op in COMPARISONS and node.args[0] not in self.known:
            return (*node.args[0].args, *node.args[1:])
        return node.args

    def _of(self, node: Expression) -> int:
        return self._number(self.known[node]) if node in self.known else self.value[node]

    def _number(self, value: float) -> int:
        key = value.hex()  # tells the zeros apart, and NaN is NaN
        if key not in self.constants:
            self.numbers.append(value)
            self.constants[key] = -len(self.numbers)
        return self.constants[key]

    def _line(self, op: str, *inputs: int) -> int:
        self.lines.append((op, inputs))
        return len(self.parameters) + len(self.lines)

    def _node(self, node: Expression) -> int:
        if isinstance(node.value, Parameter):
            return self.place[node.value.name]
        if node.op == "x":
            return 0
        if node.op == "where":
            return self._selection(node)
        if _is_of_mish(node):
            return self._line("tanh_softplus", self._of(node.args[0].args[0]))
        if node.op == "pow" and node.args[1] in self.known:
            return self._power(self._of(node.args[0]), self.known[node.args[1]])
        return self._line(node.op, *[self._of(arg) for arg in node.args])

    def _selection(self, node: Expression) -> int:
        condition, *rest = node.args
        values = [self._of(arg) for arg in rest]
        if condition in self.known or condition.op not in COMPARISONS:
            return self._line("select", self._of(condition), *values)
        left, right = condition.args
        if self.known.get(right) == 0.0:
            return self._line(f"select_{condition.op}", self._of(left), *values)
        if self.known.get(left) == 0.0:
            return self._line(f"select_{_FLIPPED[condition.op]}", self._of(right), *values)
        return self._line("select", self._line(condition.op, self._of(left), self._of(right)), *values)

    def _power(self, base: int, exponent: float) -> int:
        """Powers that are a product or a root, as torch has them; the fourth is 1.5 ulp from the true one."""
        if exponent in (0.5, -0.5):
            root = self._line("sqrt", base)
            return root if exponent > 0 else self._line("reciprocal", root)
        if exponent not in (1.0, 2.0, 3.0, 4.0, -1.0, -2.0):
            return self._line("pow", base, self._number(exponent))
        value = square = base
        if abs(exponent) != 1.0:
            value = square = self._line("mul", base, base)
        if exponent > 2.0:
            value = self._line("mul", square, base if exponent == 3.0 else square)
        return value if exponent > 0 else self._line("reciprocal", value)

    def finished(self) -> Bytecode:
        """The program, with registers given to what is computed; one whose value was used for the last time is free."""
        own = 1 + len(self.parameters)
        register = {value: value for value in range(own)}
        register |= {-1 - index: own + index for index in range(len(self.numbers))}
        last = {value: at for at, (_, inputs) in enumerate(self.lines) for value in inputs}
        last |= dict.fromkeys(self.outputs, len(self.lines))
        free: list[int] = []
        used = len(register)
        code = array("i")
        for at, (op, inputs) in enumerate(self.lines):
            operands = [register[value] for value in inputs]
            for value in dict.fromkeys(inputs):
                if value >= own and last[value] == at:
                    heappush(free, register[value])
            if not free:
                heappush(free, used)
                used += 1
            register[own + at] = heappop(free)
            code.extend(_instruction(op, register[own + at], operands))
        if used > MAX_REGISTERS:
            raise LoweringError(f"bytecode has at most {MAX_REGISTERS} registers, and this program needs {used}")
        outputs = tuple([register[value] for value in self.outputs])
        return Bytecode(code.tobytes(), tuple(self.numbers), self.parameters, outputs, used)


def _is_of_mish(node: Expression) -> bool:
    return node.op == "tanh" and node.args[0].op == "softplus"


def _instruction(op: str, destination: int, operands: Sequence[int]) -> list[int]:
    return [OPCODES[op], destination, *operands, *[0] * (WORDS - 2 - len(operands))]
