"""What of a document scripts rely on: its keys, the types of their values, and its words."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tests.contract.world import Said

# Keys whose values are words that scripts compare with.
WORDS: Final = frozenset(
    {"status", "state", "run_status", "under_way", "undecided", "kind", "type", "bench", "origin"}
)
_TYPES: Final = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    type(None): "null",
}


def shape(*values: Any) -> dict[str, str]:
    """The JSON types under each path of a document, or of several of one kind.

    What only some elements of a list have is `absent` as well.
    """
    return dict(sorted(_paths("$", values)))


def _paths(
    path: str, values: Sequence[Any], *, optional: bool = False
) -> Iterator[tuple[str, str]]:
    types = {_type(value) for value in values} | ({"absent"} if optional else set())
    yield path, "|".join(sorted(types))
    objects = [value for value in values if isinstance(value, Mapping)]
    for key in dict.fromkeys(key for value in objects for key in value):
        found = [value[key] for value in objects if key in value]
        yield from _paths(f"{path}.{key}", found, optional=len(found) < len(objects))
    elements = [element for value in values if isinstance(value, list) for element in value]
    if elements:
        yield from _paths(f"{path}[]", elements)


def _type(value: Any) -> str:
    if isinstance(value, Mapping):
        return "object"
    return "array" if isinstance(value, list) else _TYPES[type(value)]


def words(value: Any) -> list[str]:
    """Every `key=word` of a document whose key is one of WORDS."""
    return sorted(set(_words(value)))


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            if key in WORDS:
                told = below if isinstance(below, list) else [below]
                yield from (f"{key}={word}" for word in told)
            else:
                yield from _words(below)
    elif isinstance(value, list):
        for element in value:
            yield from _words(element)


def contract_of(said: Said, *, lines: bool = False) -> dict[str, Any]:
    """What is recorded of a command that printed one document, or a document a line."""
    documents = [json.loads(line) for line in said.out.splitlines()] if lines else [said.document]
    return {"exit_code": said.code, "words": words(documents), "shape": shape(*documents)}
