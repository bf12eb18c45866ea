"""The condition that an item still is what was seen. Pure.

Every attribute that was seen must have its value, and what is about to be added must not be there,
as far as one expression holds: those that are about to change come first. What no expression can
say is that nothing else is there: an attribute that nobody has seen cannot be named. So a condition
keeps most newer items from being replaced, and the response, which gives what was there
(`ReturnValues`), tells of the rest.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

# An expression has at most 4 KB and 300 operators [DG:Constraints]. An attribute takes two of them:
# its own and the AND before it.
MOST_EXPRESSION_BYTES: Final = 4096
MOST_ATTRIBUTES: Final = 149
_AND: Final = " AND "

_decode_attributes = msgspec.json.Decoder(dict[str, Raw]).decode


class Condition(Struct, frozen=True):
    """A ConditionExpression with what it refers to, as they stand in a request."""

    ConditionExpression: str
    ExpressionAttributeNames: dict[str, str]
    ExpressionAttributeValues: dict[str, Raw] | None = None


def absent(partition_key: str) -> Condition:
    """Nothing is there."""
    return Condition("attribute_not_exists(#0)", {"#0": partition_key})


def unchanged(seen: bytes, replacement: bytes | None, keys: Sequence[str]) -> Condition:
    """What is there still is `seen`; `replacement` is what is about to take its place.

    :raises msgspec.MsgspecError: an item is not JSON
    """
    before = _decode_attributes(seen)
    after = {} if replacement is None else _decode_attributes(replacement)
    expression, names, values = "attribute_exists(#k)", {"#k": keys[0]}, dict[str, Raw]()
    for index, name in enumerate(_likeliest_to_change(before, after, keys)):
        is_there = name in before
        part = f"#{index} = :{index}" if is_there else f"attribute_not_exists(#{index})"
        if len(expression) + len(_AND) + len(part) > MOST_EXPRESSION_BYTES:
            break
        expression += _AND + part
        names[f"#{index}"] = name
        if is_there:
            values[f":{index}"] = before[name]
    return Condition(expression, names, values or None)


def _likeliest_to_change(
    before: Mapping[str, Raw], after: Mapping[str, Raw], keys: Sequence[str]
) -> list[str]:
    """The attributes to look at, those that will change first; not the key, which is what it is."""
    names = [name for name in before.keys() | after.keys() if name not in keys]

    def stays(name: str) -> bool:
        return name in before and name in after and bytes(before[name]) == bytes(after[name])

    return sorted(names, key=lambda name: (stays(name), name))[:MOST_ATTRIBUTES]
