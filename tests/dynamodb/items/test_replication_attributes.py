"""What a global table of version 2017.11.29 writes into items by itself is left out."""

from collections.abc import Sequence

import pytest
from msgspec import Raw

from dynaferry.dynamodb.items.replication_attributes import (
    LookupWithoutReplicationAttributes,
    PagesWithoutThem,
    RepairerWithoutReplicationAttributes,
    bytes_without_them,
    lookup_of,
    pages_of,
    without_them,
)
from dynaferry.errors import ConditionFailedError
from dynaferry.ports import FoundItems, Page, Replaced

OWN = (
    b'"aws:rep:deleting":{"BOOL":false},"aws:rep:updateregion":{"S":"us-east-1"},'
    b'"aws:rep:updatetime":{"N":"1678818915.000001"}'
)
PLAIN = b'{"pk":{"S":"a"},"n":{"N":"1.50"}}'
WITH_OWN = b'{"pk":{"S":"a"},%b,"n":{"N":"1.50"}}' % OWN


@pytest.mark.parametrize(
    ("item", "left"),
    [
        (WITH_OWN, PLAIN),
        (PLAIN, PLAIN),
        (b'{"pk":{"S":"aws:rep:x"}}', b'{"pk":{"S":"aws:rep:x"}}'),
        (b'{"pk":{"S":"a"},"m":{"M":{"aws:rep:x":{"S":""}}}}',) * 2,
        (b'{"pk": {"S":"a"}, "x": {"S":"\\"aws:rep:"}}',) * 2,
        (b'{"aws:rep:',) * 2,
        (b'{"aws:rep:x":"\xff"',) * 2,
    ],
)
def test_only_attributes_of_the_services_own_are_left_out(item: bytes, left: bytes) -> None:
    assert bytes(without_them(Raw(item))) == left


class Fake:
    """A source, a look-up and a target that hold `WITH_OWN`."""

    full_page_units = 128.0

    async def read_page(self, *_: object) -> Page:
        return Page([Raw(WITH_OWN), Raw(PLAIN)], b"key", 2, 100, 1.0)

    async def find_items(self, keys: Sequence[bytes]) -> FoundItems:
        return FoundItems([Raw(WITH_OWN)], keys, 1.0)

    async def put_if_unchanged(self, item: bytes, seen: bytes | None) -> Replaced:
        if seen is None:
            raise ConditionFailedError("changed", item=WITH_OWN, operation="PutItem")
        return Replaced(WITH_OWN, 1.0)

    async def delete_if_unchanged(self, key: bytes, seen: bytes) -> Replaced:
        return await self.put_if_unchanged(key, seen)


async def test_a_page_has_as_many_items_and_all_else_of_it_is_as_it_was() -> None:
    page = await PagesWithoutThem(Fake()).read_page(0, None)
    assert [bytes(item) for item in page.items] == [PLAIN, PLAIN]
    assert (page.last_evaluated_key, page.scanned_count, page.body_bytes) == (b"key", 2, 100)
    assert (page.consumed_units, PagesWithoutThem(Fake()).full_page_units) == (1.0, 128.0)


async def test_what_is_found_by_keys_is_without_them() -> None:
    found = await LookupWithoutReplicationAttributes(Fake()).find_items([b"k"])
    assert [bytes(item) for item in found.items] == [PLAIN]
    assert (found.unprocessed, found.consumed_units) == ([b"k"], 1.0)


async def test_what_a_write_replaced_or_found_in_its_way_is_without_them() -> None:
    target = RepairerWithoutReplicationAttributes(Fake())
    assert await target.put_if_unchanged(PLAIN, PLAIN) == Replaced(PLAIN, 1.0)
    assert await target.delete_if_unchanged(b"k", PLAIN) == Replaced(PLAIN, 1.0)
    with pytest.raises(ConditionFailedError) as caught:
        await target.put_if_unchanged(PLAIN, None)
    assert caught.value.item == PLAIN


def test_what_is_kept_of_an_item_is_bytes_of_its_own() -> None:
    assert bytes_without_them(Raw(WITH_OWN)) == PLAIN
    assert bytes_without_them(Raw(PLAIN)) == PLAIN


def test_where_nothing_is_left_out_pages_and_lookups_are_the_very_same() -> None:
    fake = Fake()
    assert pages_of(fake, leave_out=False) is fake
    assert lookup_of(fake, leave_out=False) is fake
    assert isinstance(lookup_of(fake, leave_out=True), LookupWithoutReplicationAttributes)
