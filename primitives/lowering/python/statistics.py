"""Statistics in generated Python: code of the axes, and the forms of a function that has them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from primitives.expression.expression import Expression
from primitives.expression.parameters import Parameter
from primitives.layers.population import population
from primitives.lowering.lines import Language, Lines
from primitives.lowering.python.text import operand_names
from primitives.lowering.reference import scaled
from primitives.lowering.shipped import template
from primitives.operators.axes import ALL_AXES, channel_axis
from primitives.operators.statistics import STATISTICS

_AXES = template("python/axes.txt")

#: What the targets in Python write for statistics; ``axes`` stands for an object of the class of axes.txt.
STATISTIC_TEMPLATES = {name: f'axes.{name.partition("_")[0]}({{0}}, "{letters}")' for name, letters, _ in STATISTICS}


def axes_text(module: str, functions: Mapping[str, str]) -> str:
    """The class of axes in a module ``torch``, ``np`` or ``jnp``, with functions of ``value`` and ``dims``."""
    rule = inspect.getsource(channel_axis).replace("def channel_axis", "def _channel_axis", 1)
    return f"{_AXES.substitute(functions, np=module)}\n\n{rule}"


@final
@dataclass(frozen=True, slots=True)
class Forms:
    """The forms of a function with statistics, as lines of code.

    Args:
        names: of ``z`` and the parameters in the code.
        running: of the numbers that stand for statistics over examples in inference; none where there are none.
        training: lines of the function of a batch; the last returns a pair, the value and the statistics over examples.
        inference: lines of the function that knows the running numbers.
        parameters: the parameters that the running numbers are; see :mod:`primitives.layers.population`.
    """

    names: Mapping[str, str]
    running: tuple[str, ...]
    training: str
    inference: str
    parameters: tuple[Parameter, ...]


def forms(expression: Expression, factor: float, language: Language, taken: frozenset[str], zeros: str) -> Forms:
    """Write the forms of ``factor * expression``.

    Args:
        expression: the function, with statistics.
        factor: of its output.
        language: of the target, with :data:`STATISTIC_TEMPLATES`.
        taken: names that parameters cannot have.
        zeros: the text of zeros in the shape of x.
    """
    whole = population(expression)
    operands = operand_names(expression, taken)
    running = operand_names(whole.form, {*taken, *operands.values()})
    own = {p.name: running[p.name] for p in whole.running}
    training = Lines([scaled(expression, factor), *whole.statistics], language, operands)
    values = [_full(training.roots[0], training.results[0], zeros), *training.results[1:]]
    inference = Lines([scaled(whole.form, factor)], language, operands | own)
    last = f"return {values[0]}, ({''.join(f'{each}, ' for each in values[1:]).rstrip()})"
    return Forms(
        operands,
        tuple(own.values()),
        _indented([*training.lines, last]),
        _indented([*inference.lines, f"return {_full(inference.roots[0], inference.results[0], zeros)}"]),
        whole.running,
    )


def _full(root: Expression, text: str, zeros: str) -> str:
    """The text of a value in the shape of x."""
    return text if root.axes == ALL_AXES else f"{zeros} + {text}"


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)
