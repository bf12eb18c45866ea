"""What a group's answers mean, as one value: nothing here sends, stores or waits."""

import pytest

from dynaferry.copy.batch_cost import BatchCost
from dynaferry.copy.batch_group import BatchGroup
from dynaferry.copy.settlement import Settlement, Settler, Spend
from dynaferry.errors import (
    AccessDeniedError,
    ItemRefusedError,
    ThrottledError,
    UnavailableError,
    UnprocessedError,
)
from dynaferry.ports import Delete, WriteResult
from tests.copy.groups import SECONDS, group_of, items_of

WHOLE = WriteResult((), 25.0)
REFUSED = ItemRefusedError("no", code="ValidationException")


def settled(group: BatchGroup, *, segments: int = 1) -> Settlement:
    settler = Settler(BatchCost(lambda items: float(len(items))), now=0.0)
    return settler.settle(group, 1.0, segments=segments)


def test_what_is_written_whole_is_acknowledged_and_nothing_is_left() -> None:
    settlement = settled(group_of(items_of(50), WHOLE, WHOLE))
    assert (settlement.requests, settlement.written, settlement.consumed) == (2, 50, 50.0)
    assert (settlement.unsent, settlement.last.left) == (0, ())
    assert settlement.spends == [Spend(50.0, 50.0, latency_seconds=SECONDS, requests=2)]
    assert settlement.is_progress


def test_a_remainder_is_left_and_the_batches_behind_it_are_unsent() -> None:
    items = items_of(100)
    settlement = settled(group_of(items, WHOLE, WriteResult(items[40:50], 15.0)))
    assert (settlement.requests, settlement.written, settlement.unsent) == (2, 40, 2)
    assert [batch.items for batch in settlement.last.left] == [items[40:50]]
    assert settlement.written_units == 40.0
    unsent, whole, part = settlement.spends
    assert unsent == Spend(50.0, 0.0, requests=2)
    assert whole == Spend(25.0, 25.0, latency_seconds=SECONDS)
    assert (part.admitted, part.consumed, part.refused) == (25.0, 15.0, 10.0)
    assert settlement.last.starved is None


def test_deletes_that_were_left_are_sent_again_as_deletes() -> None:
    changes = [change for item in items_of(5) for change in (item, Delete(item))]
    settlement = settled(group_of(changes, WriteResult(changes[3:6], 7.0)))
    assert (settlement.written, settlement.written_units) == (7, 7.0)
    (left,) = settlement.last.left
    assert [id(change) for change in left.items] == [id(change) for change in changes[3:6]]


def test_a_batch_that_is_left_whole_is_no_progress() -> None:
    items = items_of(25)
    settlement = settled(group_of(items, WriteResult(items, 0.0)))
    assert (settlement.written, settlement.is_progress) == (0, False)
    assert isinstance(settlement.last.starved, UnprocessedError)
    assert [batch.items for batch in settlement.last.left] == [items]


def test_a_throttle_of_the_table_is_reported_instead_of_what_was_spent() -> None:
    items = items_of(50)
    error = ThrottledError("slow down", code="ThrottlingException")
    settlement = settled(group_of(items, WHOLE, error))
    assert (settlement.written, settlement.last.throttled) == (25, error)
    assert settlement.last.starved is error
    assert [batch.items for batch in settlement.last.left] == [items[25:]]
    assert settlement.spends == [Spend(25.0, 25.0, latency_seconds=SECONDS)]


def test_what_failed_in_passing_is_left_to_whom_it_failed_for() -> None:
    error = UnavailableError("a moment")
    settlement = settled(group_of(items_of(25), error))
    assert (settlement.last.failed, settlement.last.left) == (error, ())
    assert settlement.spends == [Spend(25.0, None)], "it may have been written"
    assert (settlement.written, settlement.is_progress) == (0, False)


def test_a_refused_batch_is_cut_in_two() -> None:
    items = items_of(25)
    settlement = settled(group_of(items, REFUSED))
    assert [batch.items for batch in settlement.last.left] == [items[:12], items[12:]]
    assert settlement.last.rejection is None
    assert settlement.written == 0
    assert settlement.is_progress


def test_a_refused_item_that_stands_alone_is_to_be_set_aside() -> None:
    items = items_of(1)
    settlement = settled(group_of(items, REFUSED))
    assert settlement.last.rejection is not None
    assert settlement.last.rejection.batch.items == items
    assert (settlement.written, settlement.last.left) == (0, ())


def test_of_what_is_cancelled_nothing_is_known_and_it_is_left() -> None:
    items = items_of(75)
    settlement = settled(group_of(items, WHOLE))
    assert (settlement.requests, settlement.written, settlement.unsent) == (1, 25, 1)
    assert [batch.items for batch in settlement.last.left] == [items[25:50]]
    assert settlement.spends[0] == Spend(50.0, 0.0, requests=2)


def test_what_ends_the_copy_leaves_the_batches_before_it_acknowledged() -> None:
    settlement = settled(group_of(items_of(75), WHOLE, AccessDeniedError("no")))
    assert (settlement.written, settlement.unsent, settlement.last.left) == (25, 1, ())
    assert settlement.last.failed is None


@pytest.mark.parametrize("happened", [(WHOLE,), (UnavailableError("a moment"),), (REFUSED,), ()])
def test_every_item_is_acknowledged_or_goes_on(
    happened: tuple[WriteResult | UnavailableError | ItemRefusedError, ...],
) -> None:
    settlement = settled(group_of(items_of(75), *happened))
    left = sum(len(batch.items) for batch in settlement.last.left)
    again = 25 * (settlement.last.failed is not None)
    assert settlement.written + left + again + 25 * settlement.unsent == 75
