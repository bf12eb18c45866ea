"""Synthetic items of a given size, for the keys of a given table. Pure."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from itertools import count

from msgspec import Raw

from dynaferry.dynamodb.tables.description import KeyAttribute

ITEMS_PER_KEY = 100  # of one partition key, where there is a sort key
KEY_PREFIX = "dynaferry-bench"


def synthetic_items(keys: Sequence[KeyAttribute], item_bytes: int, token: str) -> Iterator[Raw]:
    """Items without end, each with a key of its own, of about `item_bytes` as the service counts.

    Partition keys follow one another in no order of their hash, so that all partitions take part.
    `token` keeps runs apart.
    """
    for number in count():
        values = _key_values(keys, number, token)
        used = sum(len(key.name) + size for key, (_, size) in zip(keys, values, strict=True))
        filler = "x" * max(0, item_bytes - used - len("filler"))
        attributes = [f'"{k.name}":{value}' for k, (value, _) in zip(keys, values, strict=True)]
        yield Raw(f'{{{",".join(attributes)},"filler":{{"S":"{filler}"}}}}'.encode())


def _key_values(keys: Sequence[KeyAttribute], number: int, token: str) -> list[tuple[str, int]]:
    """Each key attribute's value in wire form, and its size as the service counts it."""
    if len(keys) == 1:
        return [_value(keys[0].type, number, token)]
    partition, place = divmod(number, ITEMS_PER_KEY)
    return [_value(keys[0].type, partition, token), _value(keys[1].type, place, token)]


def _value(kind: str, number: int, token: str) -> tuple[str, int]:
    if kind == "N":
        digits = f"{int(token, 16)}{number:012d}"
        return f'{{"N":"{digits}"}}', len(digits) // 2 + 1
    text = f"{KEY_PREFIX}-{token}-{number:012d}"
    if kind == "B":
        return f'{{"B":"{b64encode(text.encode()).decode()}"}}', len(text)
    return f'{{"S":"{text}"}}', len(text)
