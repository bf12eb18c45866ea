import itertools
import random

from benchmarks.simulator.places import SPACE
from benchmarks.simulator.stored_items import Key, StoredItem, StoredItems

EVERYWHERE = (0, SPACE)


def a_key(number: int) -> Key:
    return number << 56, f"k{number}", ""


def an_item(text: bytes, size_bytes: int = 100) -> StoredItem:
    return StoredItem(text, size_bytes)


def bodies(items: StoredItems, *, seen_at: float | None = None) -> list[bytes]:
    page = items.page(EVERYWHERE, None, None, seen_at=seen_at)
    return [item.body for item in page.items]


def test_items_come_in_the_order_of_their_places_in_pages_that_leave_none_out() -> None:
    items, chance = StoredItems(), random.Random(1)
    keys = [(chance.randrange(SPACE), f"k{n}", str(n % 3)) for n in range(5000)]
    for key in keys:
        items.replace(key, an_item(key[1].encode(), 1000), 0.0)
    seen: list[bytes] = []
    after: Key | None = None
    pages = 0
    while pages == 0 or after is not None:
        page = items.page(EVERYWHERE, after, None)
        seen += [item.body for item in page.items]
        after, pages = page.last, pages + 1
    assert seen == [key[1].encode() for key in sorted(keys)]
    assert pages == 5


def test_segments_hold_every_item_once() -> None:
    items = StoredItems()
    for number in range(256):
        items.replace(a_key(number), an_item(b"%d" % number), 0.0)
    cuts = [n * SPACE // 7 for n in range(8)]
    pages = [items.page((low, high), None, None) for low, high in itertools.pairwise(cuts)]
    assert [item.body for page in pages for item in page.items] == bodies(items)


def test_what_is_deleted_is_gone_and_may_come_again() -> None:
    items = StoredItems()
    items.replace(a_key(1), an_item(b"a"), 0.0)
    assert items.replace(a_key(1), None, 1.0) == an_item(b"a")
    assert items.replace(a_key(1), None, 1.0) is None
    assert (bodies(items), items.keys(), len(items)) == ([], [], 0)
    items.replace(a_key(1), an_item(b"b"), 2.0)
    assert bodies(items) == [b"b"]


def test_a_read_that_is_not_consistent_may_show_what_was_there_a_moment_ago() -> None:
    items = StoredItems(stale_seconds=1.0, chance=random.Random(3))
    items.replace(a_key(1), an_item(b"old"), 0.0)
    items.forget(5.0)
    items.replace(a_key(1), an_item(b"new"), 5.0)
    items.replace(a_key(2), an_item(b"gone"), 5.0)
    items.replace(a_key(2), None, 5.1)
    seen = {tuple(bodies(items, seen_at=5.2)) for _ in range(200)}
    assert seen == {(b"new",), (b"old",), (b"new", b"gone"), (b"old", b"gone")}
    assert bodies(items) == [b"new"]
    items.forget(6.5)
    assert {tuple(bodies(items, seen_at=6.5)) for _ in range(50)} == {(b"new",)}
    assert items.keys() == [a_key(1)]
