"""YAML from outside: plain data alone, no key twice, and one error that has the place of whatever is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from primitives.errors import ActsearchError
from primitives.quoting import quoted

LONGEST = 1 << 18  #: characters; PyYAML takes 2 s for so many
LONGEST_NUMBER = 100  #: characters
DEEPEST = 50  #: levels of lists and mappings in each other


_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


class YamlError(ActsearchError):
    """A text is not YAML."""


class _Loader(yaml.SafeLoader):
    """Refuses what no file here needs.

    A few aliases can stand for more than fits into memory, and tags give values of any kind. YAML forbids a key that
    stands twice in a mapping; PyYAML takes the last one and says nothing.
    """

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        peek: Callable[[], yaml.Event] = self.peek_event
        event = peek()
        if isinstance(event, yaml.AliasEvent):
            raise _refused("no alias (*name): write its value out", event)
        if getattr(event, "tag", None):
            raise _refused("no tag (!name): a value shows its kind", event)
        if self.depth == DEEPEST:
            raise _refused(f"at most {DEEPEST} levels in each other", event)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        if isinstance(node, yaml.ScalarNode) and node.tag in _NUMBERS and len(node.value) > LONGEST_NUMBER:
            raise _refused(f"a number of at most {LONGEST_NUMBER} characters", event)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {quoted(key.value)} stands twice", problem_mark=key.start_mark
                )
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
        return super().construct_mapping(node, deep)


def _refused(expected: str, event: yaml.Event) -> yaml.MarkedYAMLError:
    mark = event.start_mark
    return yaml.MarkedYAMLError(
        problem=f"expected {expected}", problem_mark=mark if isinstance(mark, yaml.Mark) else None
    )


def loaded(text: str, place: str) -> object:
    """The data in a text.

    Raises:
        YamlError: the message begins with ``place`` and names line and column, where there are any.
    """
    if len(text) > LONGEST:
        raise YamlError(f"{place}: expected at most {LONGEST:,} characters, got {len(text):,}")
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise YamlError(f"{place}{where} is not YAML: {error.problem}") from None
    except RecursionError:
        raise YamlError(f"{place} is not YAML: too many brackets in each other") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # a wrong character, a date that is none
        raise YamlError(f"{place} is not YAML: {str(error).splitlines()[0]}") from None
