"""YAML from outside: plain data alone, no key twice, and one error that has the place of whatever is wrong."""

from __future__ import annotations

from typing import Any

import yaml

from primitives.errors import ActsearchError


class YamlError(ActsearchError):
    """A text is not YAML."""


class _Loader(yaml.SafeLoader):
    """YAML forbids a key that stands twice in a mapping; PyYAML takes the last one and says nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} stands twice", problem_mark=key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
        return super().construct_mapping(node, deep)


def loaded(text: str, place: str) -> object:
    """The data in a text.

    Raises:
        YamlError: the message begins with ``place`` and names line and column, where there are any.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise YamlError(f"{place}{where} is not YAML: {error.problem}") from None
    except RecursionError:
        raise YamlError(f"{place} is not YAML: too many brackets in each other") from None
    except (yaml.YAMLError, ValueError) as error:  # a wrong character, a date that is none, a number without an end
        raise YamlError(f"{place} is not YAML: {str(error).splitlines()[0]}") from None
