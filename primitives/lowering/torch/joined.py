"""Torch: one function for each run of places: a module that puts the parts into a model in their order."""

from __future__ import annotations

from collections.abc import Sequence

from primitives.expression.expression import Expression
from primitives.lowering.python.text import class_name, python_names
from primitives.lowering.shipped import template

_MODULE = template("torch/joined.txt")


def joined_files(parts: Sequence[Expression], name: str) -> dict[str, str]:
    """The file that imports those of the parts, ``name_1``, ``name_2``, ..., with ``PARTS`` and ``replace``."""
    class_name(name)  # for its check of the name
    names = [f"{name}_{number}" for number in range(1, len(parts) + 1)]
    classes = [class_name(each) for each in names]
    # that of a part with statistics gives the channels of normalisation layers
    source = next((each for each, part in zip(names, parts, strict=True) if part.has_statistics), names[0])
    imports = [f"from {each} import {own}" for each, own in zip(names, classes, strict=True)]
    network = {python_names(part, ())[p.name] for part in parts for p in part.parameters if p.per == "network"}
    text = _MODULE.substitute(
        function=name,
        count=len(parts),
        listed="\n".join(f"    {each}    {part.text}" for each, part in zip(names, parts, strict=True)),
        imports="\n".join([*imports, f"from {source} import replace as _replace"]),
        parts="".join(f"{each}, " for each in classes).rstrip(),
        network=sorted(network),
    )
    return {f"{name}.py": text}
