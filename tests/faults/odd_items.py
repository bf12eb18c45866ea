"""Items for mixtures: odd keys, odd attributes, written in odd ways, some of them refused."""

import base64
import json
import random
from collections.abc import Sequence
from typing import Any, Literal

from tests.faults.service import POISON, TWICE
from tests.local.strange_items import attributes
from tests.worlds.table_client import KeyAttribute

KeyType = Literal["S", "N", "B"]
OWN_NAMES = ("Items", "LastEvaluatedKey", "UnprocessedItems", "PutRequest", "RequestItems", "Count")
TEXT = (
    "a",
    "Z",
    " ",
    '"',
    "\\",
    "/",
    "\x00",
    "\x1f",
    "\x7f",
    "é",
    "\u2028",
    "\ufeff",
    "\U0001f6a2",
)
# The same value in many notations: the service takes all of them and gives one back.
NUMBERS = ("{}", "{}.0", "{}.50", "-{}", "{}E+2", "{}e-3", "0.00{}", "{}00000000000000000000000000")


def odd_items(
    keys: Sequence[KeyAttribute], count: int, chance: random.Random, *, bad_share: float
) -> list[bytes]:
    """Items with different keys of these types; a `bad_share` of them is refused by any target."""
    strange = attributes()
    items = []
    for number in range(count):
        item: dict[str, Any] = dict(chance.choice(strange)) if chance.random() < 0.3 else {}
        if chance.random() < 0.3:
            item[chance.choice(OWN_NAMES)] = {"M": {chance.choice(OWN_NAMES): {"L": []}}}
        if chance.random() < bad_share:
            item["verdict"] = {"S": POISON.decode()}
        elif chance.random() < 0.02:
            item["verdict"] = {"S": TWICE.decode()}
        item["filler"] = {"S": "x" * chance.randrange(200)}
        item |= {name: key_value(kind, number, chance) for name, kind in keys}
        items.append(written_oddly(item, chance))
    return items


def key_value(kind: str, number: int, chance: random.Random) -> dict[str, str]:
    """A key attribute of this type; another number is another key."""
    if kind == "N":
        return {"N": chance.choice(NUMBERS).format(2 * number + 1)}
    text = "".join(chance.choice(TEXT) for _ in range(chance.randrange(6))) + f"-{number}"
    if kind == "B":
        return {"B": base64.b64encode(text.encode()).decode()}
    return {"S": text}


def written_oddly(item: dict[str, Any], chance: random.Random) -> bytes:
    """JSON has many ways to write the same; whichever it is, it must arrive as it is."""
    names = list(item)
    chance.shuffle(names)
    separators = chance.choice(((",", ":"), (", ", ": "), (" ,", " : ")))
    is_ascii = chance.random() < 0.5
    ordered = {name: item[name] for name in names}
    return json.dumps(ordered, ensure_ascii=is_ascii, separators=separators).encode()
