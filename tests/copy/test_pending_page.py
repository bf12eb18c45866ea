from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from dynaferry.copy.pending_page import Batch, PendingPage, cut
from dynaferry.limits import BATCH_MAX_ITEMS, BATCH_TARGET_BYTES
from dynaferry.ports import Change

SMALL = st.lists(st.integers(1, 2000), max_size=120)
LARGE = st.lists(st.integers(100_000, 5_000_000), max_size=40)


def split(segment: int, page: int, items: Sequence[Raw]) -> Iterator[Batch]:
    uncut = PendingPage(segment, page, items, may_be_large=True)
    while uncut:
        yield uncut.claim().sample


def items_of(sizes: list[int]) -> list[Raw]:
    return [Raw(bytes(size)) for size in sizes]


@given(sizes=st.one_of(SMALL, LARGE))
def test_every_item_is_in_one_batch_and_in_its_order(sizes: list[int]) -> None:
    items = items_of(sizes)
    batched = [item for batch in split(3, 7, items) for item in batch.items]
    assert [id(item) for item in batched] == [id(item) for item in items]


@given(sizes=st.one_of(SMALL, LARGE))
def test_no_batch_is_over_a_limit_or_empty_or_smaller_than_it_could_be(sizes: list[int]) -> None:
    batches = list(split(3, 7, items_of(sizes)))
    for batch in batches:
        batch_bytes = sum(len(item) for item in batch.items)
        assert 1 <= len(batch.items) <= BATCH_MAX_ITEMS
        assert batch_bytes <= BATCH_TARGET_BYTES or len(batch.items) == 1
    for batch, following in pairwise(batches):
        batch_bytes = sum(len(item) for item in batch.items) + len(following.items[0])
        assert len(batch.items) == BATCH_MAX_ITEMS or batch_bytes > BATCH_TARGET_BYTES


def test_a_batch_knows_its_segment_and_page() -> None:
    (batch,) = split(3, 7, items_of([1]))
    assert (batch.segment, batch.page) == (3, 7)


def test_what_several_batches_cost_is_estimated_by_the_first_of_them() -> None:
    items = items_of([1] * 60)
    claim = PendingPage(3, 7, items, may_be_large=False).claim(9)
    assert (claim.count, list(claim.sample.items)) == (3, items[:25])
    assert [len(claim.page.next_batch()) for _ in range(3)] == [25, 25, 10]


@pytest.mark.parametrize(
    ("batches", "most", "counts"), [(41, 32, [21, 20]), (64, 32, [32, 32]), (7, 3, [3, 2, 2])]
)
def test_a_page_is_divided_evenly(batches: int, most: int, counts: list[int]) -> None:
    uncut = PendingPage(3, 7, items_of([1] * (25 * batches - 7)), may_be_large=False)
    assert [uncut.claim(most).count for _ in counts] == counts
    assert len(uncut) == 0


def test_of_items_that_may_be_large_one_batch_at_a_time_is_promised() -> None:
    uncut = PendingPage(3, 7, items_of([BATCH_TARGET_BYTES // 2] * 4), may_be_large=True)
    assert [(uncut.claim(9).count, len(uncut)) for _ in range(2)] == [(1, 2), (1, 0)]


@given(
    size=st.integers(1, 400),
    steps=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), max_size=40),
)
def test_what_is_promised_is_there_whoever_sends_and_whatever_is_taken_back(
    size: int, steps: list[tuple[int, int]]
) -> None:
    """Portions are promised, sent in part, and their rest is taken back, all in between."""
    items = items_of([size] * size)
    uncut, sent, under_way = (
        PendingPage(3, 7, items, may_be_large=False),
        list[Change](),
        list[list[int]](),
    )

    def send(claim: list[int], most: int) -> None:
        for _ in range(min(most, claim[0])):
            batch = uncut.next_batch() if claim[1] else single.pop()
            assert 1 <= len(batch) <= BATCH_MAX_ITEMS
            sent.extend(batch)
            claim[0] -= 1

    single = list[Sequence[Change]]()
    for most, sends in steps:
        if uncut:
            claim = uncut.claim(most)
            assert 1 <= claim.count <= most
            if claim.page is uncut:
                under_way.append([claim.count, True])
            else:
                single.append(claim.page.next_batch())
                under_way.append([1, False])
        if under_way and sends < 5:
            send(under_way[0], sends)
        elif under_way and under_way[0][1]:
            uncut.release(under_way.pop(0)[0])
    for portion_under_way in under_way:
        send(portion_under_way, 9)
    while uncut:
        sent.extend(uncut.claim().sample.items)
    assert sorted(map(id, sent)) == sorted(map(id, items))


def test_the_size_that_a_batch_aims_at_is_well_under_what_a_request_may_hold() -> None:
    assert BATCH_TARGET_BYTES <= 0.7 * 16 * 1024 * 1024


@given(sizes=st.lists(st.integers(1, 400_000), min_size=1, max_size=25), most=st.floats(0.1, 1e4))
def test_a_batch_is_cut_to_what_a_request_may_cost_down_to_one_item(
    sizes: list[int], most: float
) -> None:
    batch = Batch(3, 7, items_of(sizes))

    def units_of(items: Sequence[Change]) -> float:
        return float(sum(-(-len(item) // 1024) for item in items))

    first, rest = cut(batch, most, units_of)
    left = rest.items if rest is not None else []
    assert [id(item) for item in (*first.items, *left)] == [id(item) for item in batch.items]
    assert units_of(first.items) <= most or len(first.items) == 1
    if left:
        assert units_of([*first.items, left[0]]) > most
