"""The rows that ``actsearch list`` prints."""

from __future__ import annotations

from collections.abc import Callable

from evaluators.objectives import OBJECTIVES
from evaluators.tasks import task, task_names_with_extras
from primitives.catalogue import KINDS, catalogue
from primitives.errors import ActsearchError, nearest
from primitives.grammars import grammar, grammar_names
from primitives.lowering import TARGETS
from primitives.operators.operator import LAYERS, Operator
from primitives.operators.table import CHAINS, operators
from primitives.quoting import quoted
from search.config import shipped_configs
from search.strategies import STRATEGIES

Cells = dict[str, str | float | None]


#: Index sets in words.
_AXES = {
    "np": "examples and positions",
    "cp": "channels and positions",
    "p": "positions",
    "gp": "a group of channels and positions",
    "c": "channels",
}


def listed(what: str) -> list[Cells]:
    """One row for each operator, grammar, ...; all rows have the same keys.

    Raises:
        ActsearchError: there is no such list; the message names the nearest one.
    """
    if what not in LISTS:
        raise ActsearchError(f"cannot list {quoted(what)}{nearest(what, LISTS)}; available: {', '.join(LISTS)}")
    return LISTS[what]()


def _operators() -> list[Cells]:
    rows: list[Cells] = [
        {"name": o.name, "inputs": o.arity, "cost": o.cost or "", "formula": _formula(o)} for o in operators().values()
    ]
    chains: list[Cells] = [
        {"name": n, "inputs": "any", "cost": "", "formula": f"{op}(a,{op}(b,...))"} for n, op in CHAINS.items()
    ]
    roots: list[Cells] = [{"name": LAYERS, "inputs": "any", "cost": "", "formula": "a function for each run of places"}]
    return [*rows, *chains, *roots]


def _formula(row: Operator) -> str:
    if row.reduces and not row.formula:
        return f"over {_AXES[row.reduces]}"
    return f"{row.formula}, with the derivative of b" if row.is_pair else row.formula


def _grammars() -> list[Cells]:
    return [
        {"name": n, "expressions": grammar(n).count(), "what": grammar(n).description, "source": grammar(n).source}
        for n in grammar_names()
    ]


def _catalogue() -> list[Cells]:
    return [
        {"name": e.name, "kind": e.kind, "expression": e.expression.text, "year": e.year, "source": e.source}
        for kind in KINDS
        for e in catalogue(kind)
    ]


def _task(name: str) -> Cells:
    chosen = task(name)
    return {"name": name, "steps": chosen.steps, "batch": chosen.batch_size, "what": _doc(chosen)}


def _doc(thing: object) -> str:
    return (thing.__doc__ or "").strip().partition("\n")[0]


LISTS: dict[str, Callable[[], list[Cells]]] = {
    "operators": _operators,
    "grammars": _grammars,
    "catalogue": _catalogue,
    "tasks": lambda: [_task(name) for name in task_names_with_extras()],
    "strategies": lambda: [{"name": name, "what": _doc(kind)} for name, kind in STRATEGIES.items()],
    "objectives": lambda: [
        {
            "name": o.name,
            "unit": o.unit,
            "direction": o.direction,
            "kind": o.kind,
            "formula": o.formula,
            "source": o.source,
        }
        for o in OBJECTIVES.values()
    ],
    "targets": lambda: [{"name": name, "file": f"NAME{target.suffix}"} for name, target in TARGETS.items()],
    "configs": lambda: [{"name": name, "path": str(path)} for name, path in shipped_configs().items()],
}
