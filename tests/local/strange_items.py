"""Items that a copy may get wrong: what the service takes, and what SDKs and tools stumble on."""

import base64
from collections.abc import Iterator, Sequence

from tests.worlds.client import WireItem, WireValue
from tests.worlds.table_client import KeyAttribute

MAX_ITEM_BYTES = 400 * 1024
ALL_BYTES = base64.b64encode(bytes(range(256))).decode()
LONGEST_NUMBER = "12345678901234567890123456789012345678"


def key_value(type_name: str, number: int) -> WireValue:
    """The key attribute of this type with this number."""
    match type_name:
        case "S":
            return {"S": f"schlüssel-{number}"}
        case "N":
            return {"N": str(number - 1000)}
        case _:
            return {"B": base64.b64encode(number.to_bytes(4, "big") + b"\xff\x00").decode()}


def nested(levels: int) -> WireValue:
    """A leaf under this many maps and lists by turns."""
    value: WireValue = {"S": "leaf"}
    for level in range(levels):
        value = {"M": {"inner": value}} if level % 2 else {"L": [value, {"NULL": True}]}
    return value


def attributes() -> list[dict[str, WireValue]]:
    """Sets of non-key attributes, each strange in its own way."""
    return [
        {},
        {"empty": {"S": ""}, "empty binary": {"B": ""}, "list": {"L": []}, "map": {"M": {}}},
        {"binary": {"B": ALL_BYTES}, "binaries": {"BS": ["AA==", "", "/w==", ALL_BYTES]}},
        {"long": {"N": LONGEST_NUMBER}, "negative": {"N": f"-{LONGEST_NUMBER}"}},
        {"small": {"N": "0." + "0" * 129 + "1"}, "large": {"N": "9" * 38 + "0" * 88}},
        {"fraction": {"N": "0." + LONGEST_NUMBER}, "zero": {"N": "0"}},
        {"numbers": {"NS": [LONGEST_NUMBER, "-1", "0.5", "2.25"]}},
        {"strings": {"SS": ["", "b", "a", "ä", "\u2028", "\U0001f6a2"]}},
        {"deep": nested(31)},  # and the item itself: 32 levels
        {
            "Items": {"L": [{"M": {"LastEvaluatedKey": {"S": "no"}}}]},
            "LastEvaluatedKey": {"M": {"pk": {"S": "no"}}},
            "Count": {"N": "0"},
            "ConsumedCapacity": {"NULL": True},
            "UnprocessedItems": {"BOOL": False},
        },
        {
            "text": {
                "S": 'quote " backslash \\ slash / nul \x00 bell \x07 del \x7f \ufeff \U0001f6a2'
            }
        },
        {'a "name" \\ with\n\tall\x01': {"BOOL": True}, "ключ": {"S": "значение"}},
    ]


def full_size_item(key: WireItem) -> WireItem:
    """The largest item that the service takes: names and texts of 400 KB in UTF-8."""
    used = sum(len(name) + len(str(next(iter(value.values())))) for name, value in key.items())
    return key | {"v": {"S": "x" * (MAX_ITEM_BYTES - used - 1)}}


def strange_items(keys: Sequence[KeyAttribute], count: int) -> Iterator[WireItem]:
    """Items with keys of these types and every set of strange attributes by turns.

    Where there is a sort key, the first of three items always has the same partition key.
    """
    strange = attributes()
    partition_key, *sort_key = keys
    for number in range(count):
        partition = 0 if sort_key and number % 3 == 0 else number
        item = strange[number % len(strange)] | {
            partition_key[0]: key_value(partition_key[1], partition)
        }
        for name, type_name in sort_key:
            item[name] = key_value(type_name, number)
        yield item
