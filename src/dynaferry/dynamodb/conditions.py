"""The condition that an item still is what was seen. Pure.

Every attribute that was seen must have its value, and what is about to be added must not be there.
An attribute that nobody has seen cannot be named, so one that was added since goes unnoticed; so
do attributes beyond what an expression may hold, where those that are about to change come first.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

# An expression has at most 4 KB and 300 operators; an attribute takes some 16 bytes and 2 operators
# [DG:Constraints].
MOST_ATTRIBUTES: Final = 100

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
    names = _most_telling(before, after, keys)
    conditions = ["attribute_exists(#k)"]
    values: dict[str, Raw] = {}
    for index, name in enumerate(names):
        if name in before:
            values[f":{index}"] = before[name]
            conditions.append(f"#{index} = :{index}")
        else:
            conditions.append(f"attribute_not_exists(#{index})")
    return Condition(
        " AND ".join(conditions),
        {"#k": keys[0]} | {f"#{index}": name for index, name in enumerate(names)},
        values or None,
    )


def _most_telling(
    before: Mapping[str, Raw], after: Mapping[str, Raw], keys: Sequence[str]
) -> list[str]:
    """The attributes to look at, those that will change first; not the key, which is what it is."""
    names = [name for name in before.keys() | after.keys() if name not in keys]

    def stays(name: str) -> bool:
        return name in before and name in after and bytes(before[name]) == bytes(after[name])

    return sorted(names, key=lambda name: (stays(name), name))[:MOST_ATTRIBUTES]
