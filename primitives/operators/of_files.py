"""Operators of users' files: rows that a config or a command names, registered in each process."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeGuard

from primitives.ending import contained
from primitives.errors import OperatorError
from primitives.operators.operator import Operator
from primitives.operators.registration import register
from primitives.operators.table import operators
from primitives.user_file import Wanted, load, parts_of


def _is_operator(found: object) -> TypeGuard[Operator]:
    return isinstance(found, Operator)


_WANTED = Wanted("operator", "an instance of primitives.Operator", _is_operator)


def register_of_files(references: Iterable[str]) -> None:
    """Register operators by references to rows in files, ``path/to/file.py:row``; what is registered is left alone.

    Raises:
        UserFileError: see :func:`primitives.user_file.load`; or the row ends the process.
        OperatorError: an operator is refused; the message names the file.
    """
    for reference in references:
        row = load(reference, _WANTED)
        if operators().get(row.name) is row:
            continue
        try:
            with contained():
                register(row)
        except OperatorError as error:
            path = Path(parts_of(reference)[0])
            again = " (a file that was changed needs a new process)" if row.name in operators() else ""
            raise OperatorError(f"{path}: {error}{again}") from None
