"""The packed torch module of one function, in a file that somebody names."""

from __future__ import annotations

from pathlib import Path

from primitives.errors import ActsearchError
from primitives.expression.expression import Expression
from primitives.lowering.torch.packed import packed_source
from primitives.quoting import quoted
from search.storage.files import write_atomically


def write_packed(pair: Expression, path: Path) -> None:
    """Write the module, whose function has the file's name; a file that is there is replaced.

    Raises:
        ActsearchError: the name does not end in .py, or the folder does not exist.
        LoweringError: the file's name cannot be that of a function.
        FileError: the file cannot be written.
    """
    shown = quoted(str(path))
    if path.suffix != ".py":
        raise ActsearchError(f"cannot write {shown}: expected a name that ends in .py, such as {path.stem or 'act'}.py")
    if not path.parent.is_dir():
        raise ActsearchError(f"cannot write {shown}: the folder {quoted(str(path.parent))} does not exist")
    write_atomically(path, packed_source(pair, name=path.stem))
