"""Python text: names and numbers in generated Python."""

from __future__ import annotations

import builtins
import keyword
import math
import re
from collections.abc import Container

from primitives.errors import LoweringError
from primitives.expression.expression import Expression
from primitives.quoting import quoted

_RESERVED = frozenset([*keyword.kwlist, *keyword.softkwlist, *dir(builtins)])


def self_test_file(file: str) -> str:
    """The name of an exported file's self-test: of ``act.py`` it is ``test_act.py``, of ``act.c`` ``test_act_c.py``."""
    return f"test_{file}" if file.endswith(".py") else f"test_{file.replace('.', '_')}.py"


def class_name(name: str, taken: Container[str] = ()) -> str:
    """``act_3_7`` -> ``Act37``, the class that goes with a function's name.

    Raises:
        LoweringError: the name is not snake case, or it or the class name is taken.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise LoweringError(f"a function's name is snake case, such as 'act_3_7', got {quoted(name)}")
    camel = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    if any(n in _RESERVED or n in taken or re.fullmatch(r"t\d+", n) for n in (name, camel)):
        raise LoweringError(f"the name {quoted(name)} has a meaning in the generated module; choose another one")
    return camel


def python_names(expression: Expression, taken: Container[str]) -> dict[str, str]:
    """Parameter -> its name in the source: the same, or with underscores behind it where that is taken."""
    names: dict[str, str] = {}
    for p in expression.parameters:
        free = p.name if p.name.isidentifier() and not p.name.startswith("_") else f"p_{len(names)}"
        while free in _RESERVED or free in taken or free in names.values() or re.fullmatch(r"t\d+", free):
            free += "_"
        names[p.name] = free
    return names


def operand_names(expression: Expression, taken: Container[str]) -> dict[str, str]:
    """The same for all that a function takes beside x, in order: ``z`` of a gate, then the parameters."""
    second = {"z": "z"} if "z" in expression.inputs else {}
    return second | python_names(expression, taken)


def python_number(value: float, module: str = "math") -> str:
    """A float as Python writes it; a module has the others as ``nan`` and ``inf``."""
    if math.isfinite(value):
        return repr(value)
    return f"{module}.nan" if math.isnan(value) else f"{module}.inf" if value > 0 else f"-{module}.inf"
