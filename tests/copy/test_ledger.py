import asyncio
import math

import anyio
import pytest
from msgspec import Raw

from dynaferry.copy.ledger import FIRST_PAGE_BYTES, ITEM_BYTES, MAX_PAGES_AHEAD, Ledger
from dynaferry.copy.pending_page import Batch
from dynaferry.copy.read_ahead import MOST_BYTES_AHEAD
from dynaferry.ports import Page
from dynaferry.state.records import SegmentRecord


def page_of(items: int, last_evaluated_key: bytes | None = b"k") -> Page:
    return Page(
        items=[Raw(b"{}")] * items,
        last_evaluated_key=last_evaluated_key,
        scanned_count=items,
        body_bytes=2 * items,
    )


def batch_of(segment: int, page: int, items: int) -> Batch:
    return Batch(segment, page, [Raw(b"{}")] * items)


def complete(segment: int) -> SegmentRecord:
    return SegmentRecord(
        segment=segment,
        pages=1,
        last_evaluated_key=None,
        complete=True,
        items_read=5,
        items_written=5,
        items_rejected=0,
        items_filtered=0,
        bytes_read=10,
    )


def test_complete_segments_are_not_read_again() -> None:
    ledger = Ledger(4, [complete(2), complete(0)])
    assert ledger.segments_to_read() == [1, 3]
    assert ledger.complete_segments == 2


def test_only_what_moved_is_to_be_stored_and_only_until_it_is() -> None:
    ledger = Ledger(4)
    page = ledger.page_read(1, page_of(2))
    assert ledger.changed_records() == []
    ledger.acknowledge(1, page, written=1, rejected=1)
    (record,) = ledger.changed_records()
    assert (record.segment, record.items_written, record.items_rejected) == (1, 1, 1)
    ledger.stored([record])
    assert ledger.changed_records() == []


def test_what_moves_on_while_it_is_stored_is_still_to_be_stored() -> None:
    ledger = Ledger(1)
    ledger.acknowledge(0, ledger.page_read(0, page_of(1)), written=1)
    being_stored = ledger.changed_records()
    ledger.acknowledge(0, ledger.page_read(0, page_of(1)), written=1)
    ledger.stored(being_stored)
    assert [record.pages for record in ledger.changed_records()] == [2]


def test_a_segment_that_ends_counts_as_complete_once() -> None:
    ledger = Ledger(2)
    ledger.acknowledge(0, ledger.page_read(0, page_of(1)), written=1)
    ledger.page_read(0, page_of(0, last_evaluated_key=None))
    assert ledger.complete_segments == 1
    assert ledger.segments_to_read() == [1]


@pytest.mark.parametrize("first_to_settle", [0, 1])
async def test_a_reader_gets_room_only_when_the_watermark_moves(first_to_settle: int) -> None:
    ledger = Ledger(1)
    pages = [ledger.page_read(0, page_of(1)) for _ in range(MAX_PAGES_AHEAD)]
    got_room = anyio.Event()

    async def reader() -> None:
        await ledger.wait_for_room(0)
        got_room.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reader)
        await anyio.wait_all_tasks_blocked()
        ledger.acknowledge(0, pages[first_to_settle], written=1)
        await anyio.wait_all_tasks_blocked()
        assert got_room.is_set() == (first_to_settle == 0)
        if first_to_settle == 1:
            ledger.acknowledge(0, pages[0], written=1)
            await anyio.wait_all_tasks_blocked()
            assert got_room.is_set()


async def test_what_is_in_memory_of_all_segments_is_bounded_in_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dynaferry.copy.ledger.MOST_BYTES_AHEAD", 10)
    monkeypatch.setattr("dynaferry.copy.ledger.ITEM_BYTES", 0)
    ledger = Ledger(8)
    for segment in range(3):
        await ledger.wait_for_room(segment)
        ledger.page_read(segment, page_of(2))
    got_room = anyio.Event()

    async def reader() -> None:
        await ledger.wait_for_room(7)
        got_room.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reader)
        await anyio.wait_all_tasks_blocked()
        assert not got_room.is_set()
        ledger.acknowledge(1, 0, written=2)
    assert got_room.is_set()


async def test_pages_on_their_way_take_room_as_large_as_the_last_ones_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dynaferry.copy.ledger.MOST_BYTES_AHEAD", 10)
    monkeypatch.setattr("dynaferry.copy.ledger.ITEM_BYTES", 0)
    monkeypatch.setattr("dynaferry.copy.ledger.FIRST_PAGE_BYTES", 10)
    ledger = Ledger(4)
    await ledger.wait_for_room(0)
    got_room: list[int] = []

    async def reader(segment: int) -> None:
        await ledger.wait_for_room(segment)
        got_room.append(segment)

    async with anyio.create_task_group() as tasks:
        for segment in (1, 2, 3):
            tasks.start_soon(reader, segment)
        await anyio.wait_all_tasks_blocked()
        assert got_room == [], "an unknown page may be as large as a page can be"
        ledger.page_read(0, page_of(2))
        await anyio.wait_all_tasks_blocked()
        # 4 of 10 bytes are held now, and each page on its way counts for half of what was feared.
        assert sorted(got_room) == [1, 3]
        tasks.cancel_scope.cancel()


async def test_the_last_page_of_a_segment_says_nothing_of_the_size_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dynaferry.copy.ledger.ITEM_BYTES", 0)
    monkeypatch.setattr("dynaferry.copy.ledger.FIRST_PAGE_BYTES", 10)
    ledger = Ledger(32)
    ledger.keep_ahead(math.inf, 24)
    await ledger.wait_for_room(0)
    ledger.page_read(0, page_of(5))
    for segment in range(1, 9):  # all segments end at about the same time
        await ledger.wait_for_room(segment)
        ledger.page_read(segment, page_of(0, last_evaluated_key=None))
    # 10 bytes are here, and pages of 10 are expected.
    assert [await has_room(ledger, segment) for segment in (9, 10, 11)] == [True, True, False]


async def test_many_small_last_pages_are_believed_in_the_end() -> None:
    ledger = Ledger(2000)
    ledger.page_read(0, page_of(500_000))
    expected = [ledger.bytes_in_flight(pages=1, items=0)]
    for segment in range(1, 1001):
        ledger.page_read(segment, page_of(0, last_evaluated_key=None))
        expected.append(ledger.bytes_in_flight(pages=1, items=0))
    assert expected[0] == FIRST_PAGE_BYTES // 2
    assert 0.55 < expected[32] / expected[0] < 0.65, "as many as end together"
    assert expected[-1] < 1000


async def test_where_every_page_is_the_last_of_its_segment_they_are_what_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dynaferry.copy.ledger.FIRST_PAGE_BYTES", 1024)
    ledger = Ledger(64)
    ledger.keep_ahead(math.inf, 1024)
    for segment in range(10):
        await ledger.wait_for_room(segment)
        ledger.page_read(segment, page_of(0, last_evaluated_key=None))
    assert all([await has_room(ledger, segment) for segment in range(10, 64)])


async def test_an_item_takes_memory_beside_its_bytes() -> None:
    ledger = Ledger(8)
    ledger.keep_ahead(math.inf, 10 * (ITEM_BYTES + 2))
    for segment, others_have_room in ((0, True), (1, False)):
        await ledger.wait_for_room(segment)
        ledger.page_read(segment, page_of(5))
        ledger._page_bytes = 0
        assert await has_room(ledger, 5) == others_have_room


async def test_more_bytes_are_for_whoever_waits() -> None:
    ledger = Ledger(8)
    ledger.keep_ahead(math.inf, 100)
    await ledger.wait_for_room(0)
    ledger.page_read(0, page_of(50))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ledger.wait_for_room, 1)
        await anyio.wait_all_tasks_blocked()
        ledger.keep_ahead(math.inf, MOST_BYTES_AHEAD)


async def test_what_is_in_flight_is_guessed_from_what_is_here() -> None:
    ledger = Ledger(8)
    assert ledger.bytes_in_flight(pages=0, items=50) == 0
    ledger.page_read(0, page_of(10))
    ledger._page_bytes = 100
    assert ledger.bytes_in_flight(pages=2, items=4) == 2 * 100 + 4 * 2
    assert ledger.bytes_in_flight(pages=0, items=50) == 10 * 2, "no more than what is here"


async def has_room(ledger: Ledger, segment: int) -> bool:
    with anyio.move_on_after(0):
        await ledger.wait_for_room(segment)
        return True
    return False


async def test_first_pages_have_so_many_items_and_second_ones_as_many_again() -> None:
    ledger = Ledger(8)
    ledger.page_items = 10
    ledger.keep_ahead(25.0)
    for segment in (0, 1):
        assert await has_room(ledger, segment)
    assert not await has_room(ledger, 2), "pages on their way count for what is expected of them"
    for segment in (0, 1):
        ledger.page_read(segment, page_of(10))
    assert not await has_room(ledger, 2), "what is written of three pages might be written again"
    for segment in (0, 1):
        assert await has_room(ledger, segment), "of a second page, nothing is written before"
        ledger.page_read(segment, page_of(10))
    ledger.acknowledge(0, 0, written=10)
    assert not await has_room(ledger, 2), "the second page is the first one now"
    ledger.acknowledge(0, 1, written=9, rejected=1)
    assert await has_room(ledger, 2)


async def test_one_page_may_always_be_read_and_more_when_more_may_be_ahead() -> None:
    ledger = Ledger(8)
    ledger.page_items = 10
    ledger.keep_ahead(1.0)
    assert await has_room(ledger, 0)
    ledger.page_read(0, page_of(10))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ledger.wait_for_room, 1)
        await anyio.wait_all_tasks_blocked()
        ledger.keep_ahead(20.0)


async def test_a_second_page_of_a_segment_takes_half_of_the_room_and_leaves_the_rest_to_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dynaferry.copy.ledger.MOST_BYTES_AHEAD", 12)
    monkeypatch.setattr("dynaferry.copy.ledger.ITEM_BYTES", 0)
    monkeypatch.setattr("dynaferry.copy.ledger.FIRST_PAGE_BYTES", 0)
    ledger = Ledger(8)
    for segment in range(2):
        await ledger.wait_for_room(segment)
        ledger.page_read(segment, page_of(2))
    got_room: list[int] = []

    async def reader(segment: int) -> None:
        await ledger.wait_for_room(segment)
        got_room.append(segment)

    async with anyio.create_task_group() as tasks:
        # 8 of 12 bytes are held: too many for a second page, and not for a first.
        tasks.start_soon(reader, 0)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(reader, 5)
        await anyio.wait_all_tasks_blocked()
        assert got_room == [5]
        ledger.page_read(5, page_of(0))
        ledger.acknowledge(1, 0, written=2)
        await anyio.wait_all_tasks_blocked()
        assert got_room == [5, 0]


async def test_room_for_one_page_wakes_one_reader_the_one_that_waited_longest() -> None:
    ledger, got_room = Ledger(8), list[int]()
    ledger.page_items, most = 2, 6.0
    ledger.keep_ahead(most)
    for segment in range(3):
        await ledger.wait_for_room(segment)
        ledger.page_read(segment, page_of(2))

    async def reader(segment: int) -> None:
        await ledger.wait_for_room(segment)
        got_room.append(segment)

    async with anyio.create_task_group() as tasks:
        for segment in (7, 5, 6):
            tasks.start_soon(reader, segment)
            await anyio.wait_all_tasks_blocked()
        assert got_room == []
        for freed in range(3):
            ledger.acknowledge(freed, 0, written=2)
            await anyio.wait_all_tasks_blocked()
            assert got_room == [7, 5, 6][: freed + 1]


@pytest.mark.parametrize("has_room", [False, True])
async def test_a_reader_that_is_cancelled_takes_no_room(has_room: bool) -> None:
    ledger = Ledger(8)
    ledger.page_items = 2
    ledger.keep_ahead(2.0)
    await ledger.wait_for_room(0)
    ledger.page_read(0, page_of(2))
    doomed = asyncio.create_task(ledger.wait_for_room(1))
    await asyncio.sleep(0)
    following = asyncio.create_task(ledger.wait_for_room(2))
    await asyncio.sleep(0)
    if has_room:
        ledger.acknowledge(0, 0, written=2)
    doomed.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doomed
    if not has_room:
        ledger.acknowledge(0, 0, written=2)
    await asyncio.wait_for(following, 10.0)


async def test_whoever_waits_for_the_end_of_a_segment_is_woken_by_it() -> None:
    ledger = Ledger(2)
    page = ledger.page_read(0, page_of(1, last_evaluated_key=None))
    ended: list[int] = []

    async def wait() -> None:
        await ledger.wait_until_complete(0)
        ended.append(0)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        ledger.page_read(1, page_of(0, last_evaluated_key=None))
        await anyio.wait_all_tasks_blocked()
        assert ended == []
        ledger.acknowledge(0, page, written=1)
        await anyio.wait_all_tasks_blocked()
        assert ended == [0]


def test_a_ledger_shows_what_is_complete_and_what_is_ahead() -> None:
    shown = "<Ledger 0 of 4 segments complete, 0 items ahead, 0 pages on their way, "
    assert repr(Ledger(4)) == shown + "0 readers waiting>"
