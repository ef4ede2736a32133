"""Lineage: the ancestors of a candidate."""

from __future__ import annotations

from collections.abc import Mapping

from search.records.class_row import ClassRow


def ancestors(name: str, rows: Mapping[str, ClassRow], most: int) -> list[ClassRow]:
    """The nearest ancestors of a candidate, parents first, each once.

    Args:
        name: the candidate's id.
        rows: classes of a run by id, see :func:`search.engine.recorder.class_row`.
        most: how many at most.
    """
    names: dict[str, None] = dict.fromkeys(rows[name].parents)
    for parent in (queue := list(names)):
        if len(names) >= most:
            break
        elders = rows[parent].parents if parent in rows else ()
        new = [each for each in elders if each not in names and each != name]
        names.update(dict.fromkeys(new))
        queue += new
    return [rows[each] for each in list(names)[:most] if each in rows]
