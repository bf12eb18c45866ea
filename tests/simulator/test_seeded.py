import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulator.item_size import item_bytes
from benchmarks.simulator.places import place_of, segment_bounds
from benchmarks.simulator.seeded import PAGE_BYTES, ItemsDigest, SeededItems, seeded_digest
from benchmarks.simulator.settings import Table


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Tables of all forms: plain, with collections, with a hot key that may hold everything."""
    sizes: tuple[int | tuple[int, ...], ...] = (64, 1000, (200, 90_000, 1000))
    per_key = draw(st.integers(1, 7))
    hot = draw(st.sampled_from([0.0, 0.33, 0.9, 1.0]))
    return Table(
        name="source",
        items=draw(st.integers(0, 300)),
        item_bytes=draw(st.sampled_from(sizes)),
        items_per_key=per_key,
        hot_key_share=hot,
        sort_key="sk" if per_key > 1 or hot > 0 or draw(st.booleans()) else None,
    )


def read_segment(seeded: SeededItems, segment: int, total: int, limit: int | None) -> list[int]:
    """The ranks that a client sees who goes from page to page by the last key of each."""
    first, end_place = segment_bounds(segment, total)
    start, end = seeded.first_rank(first), seeded.first_rank(end_place)
    ranks: list[int] = []
    while True:
        page = seeded.extent(start, end, limit)
        ranks += range(page.start, page.end)
        if page.is_last:
            return ranks
        start = seeded.rank_after(*seeded.key(page.end - 1))


@given(tables(), st.integers(1, 20), st.sampled_from([None, 1, 10]))
def test_the_segments_of_a_scan_give_every_item_once(
    table: Table, total: int, limit: int | None
) -> None:
    seeded = SeededItems(table)
    ranks = [rank for s in range(total) for rank in read_segment(seeded, s, total, limit)]
    assert ranks == list(range(table.items))


@given(tables())
def test_items_come_in_the_order_of_their_places_and_then_of_their_sort_keys(table: Table) -> None:
    seeded = SeededItems(table)
    positions = [seeded.position(rank) for rank in range(table.items)]
    assert positions == sorted(set(positions))


@given(tables())
def test_an_item_is_of_the_size_that_was_asked_for_and_under_its_key(table: Table) -> None:
    seeded = SeededItems(table)
    page = seeded.extent(0, seeded.count, None)
    items = seeded.items(page)
    for rank, client in enumerate(items):
        item = msgspec.json.decode(client)
        assert item_bytes(item) == max(table.sizes[rank % len(table.sizes)], 64)
        partition_key, sort_key = seeded.key(rank)
        assert item["pk"] == {"S": partition_key}
        assert place_of(partition_key) == seeded.position(rank)[0]
        assert (item["sk"]["S"] if "sk" in item else None) == sort_key
    assert b"".join(seeded.pieces(page)) == b",".join(items)


@given(tables())
def test_a_page_holds_at_most_a_megabyte_and_never_nothing(table: Table) -> None:
    seeded = SeededItems(table)
    start, size = 0, 0
    while start < seeded.count:
        page = seeded.extent(start, seeded.count, None)
        assert page.end > start
        assert page.size_bytes <= PAGE_BYTES
        start, size = page.end, size + page.size_bytes
    assert size == seeded.size_bytes


def test_a_page_that_ends_for_its_limit_does_not_say_that_it_is_the_last() -> None:
    seeded = SeededItems(Table(name="source", items=10))
    assert not seeded.extent(0, 10, 10).is_last
    assert seeded.extent(10, 10, 10).is_last
    assert seeded.extent(0, 10, 11).is_last


def test_a_hot_key_holds_its_share_of_the_items() -> None:
    table = Table(name="source", items=3000, sort_key="sk", hot_key_share=1 / 3)
    seeded = SeededItems(table)
    places = [seeded.position(rank)[0] for rank in range(3000)]
    assert max(places.count(place) for place in set(places)) == 1000
    assert len(set(places)) == 2001


def test_a_billion_items_take_no_memory() -> None:
    seeded = SeededItems(Table(name="source", items=1_000_000_000))
    rank = seeded.rank_after(*seeded.key(700_000_000))
    assert rank == 700_000_001
    assert len(seeded.items(seeded.extent(rank, seeded.count, 3))) == 3


@pytest.mark.parametrize("order", [[b"a", b"b", b"c"], [b"c", b"a", b"b", b"a", b"c"]])
def test_a_digest_knows_neither_order_nor_repetition(order: list[bytes]) -> None:
    digest, other = ItemsDigest(), ItemsDigest()
    for item in order:
        digest.add(item)
    for item in (b"a", b"b", b"c"):
        other.add(item)
    assert (digest.distinct, digest.text) == (3, other.text)


def test_the_seeded_digest_changes_with_a_single_item() -> None:
    one = seeded_digest(Table(name="source", items=100))
    other = seeded_digest(Table(name="source", items=101))
    assert one == seeded_digest(Table(name="renamed", items=100))
    assert one != other
