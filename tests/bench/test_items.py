"""Synthetic items fit the table's keys, differ, and have the size that was asked for."""

import json
from itertools import islice

import pytest

from dynaferry.bench.items import synthetic_items
from dynaferry.dynamodb.items.keys import KeyReader
from dynaferry.dynamodb.tables.description import KeyAttribute

HASH_S = KeyAttribute("pk", "S", "HASH")
SHAPES = [
    (HASH_S,),
    (KeyAttribute("id", "N", "HASH"),),
    (KeyAttribute("id", "B", "HASH"), KeyAttribute("at", "N", "RANGE")),
    (HASH_S, KeyAttribute("sk", "S", "RANGE")),
]


@pytest.mark.parametrize("keys", SHAPES)
def test_every_item_has_a_key_of_its_own_of_the_tables_types(
    keys: tuple[KeyAttribute, ...],
) -> None:
    items = list(islice(synthetic_items(keys, 1024, "cafe0123"), 1000))
    identity = KeyReader([key.name for key in keys]).identity
    assert len({identity(item) for item in items}) == 1000
    for key in keys:
        assert {tuple(json.loads(bytes(item))[key.name]) for item in items} == {(key.type,)}


@pytest.mark.parametrize("size", [100, 1024, 400 * 1024])
def test_an_item_has_about_the_size_that_was_asked_for(size: int) -> None:
    (item,) = islice(synthetic_items((HASH_S,), size, "cafe0123"), 1)
    attributes = json.loads(bytes(item))
    counted = sum(len(name) + len(value["S"]) for name, value in attributes.items())
    assert counted == size


def test_two_runs_never_write_the_same_key() -> None:
    identity = KeyReader(["pk"]).identity
    keys = [
        {identity(item) for item in islice(synthetic_items((HASH_S,), 100, token), 100)}
        for token in ("cafe0123", "beef4567")
    ]
    assert not keys[0] & keys[1]
