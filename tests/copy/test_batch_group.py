"""What a row notes of its answers, by a clock that moves when it is told to."""

from collections.abc import Callable

from dynaferry.copy.batch_group import STEP_SECONDS, BatchGroup
from dynaferry.copy.pending_page import PendingPage
from dynaferry.errors import UnavailableError
from dynaferry.ports import BatchExchange, WriteResult
from tests.worlds.fakes import key_in, wire_item

WHOLE = WriteResult((), 25.0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def row_of(
    items: int, *, batches: int, may_go_on: Callable[[], bool] = lambda: True
) -> tuple[BatchGroup, BatchExchange, Clock]:
    """A row of so many batches of a page of so many items."""
    clock = Clock()
    page = PendingPage(
        3, 7, [wire_item(str(number)) for number in range(items)], may_be_large=False
    )
    row = BatchGroup(page.claim(batches), 25.0, 20.0)
    return row, row.batches(clock, may_go_on), clock


def is_over_after(batches: BatchExchange, result: WriteResult) -> bool:
    try:
        batches.send(result)
    except StopIteration:
        return True
    return False


def test_batches_are_sent_in_the_order_of_the_page() -> None:
    _, batches, _ = row_of(60, batches=3)
    sent = [*next(batches), *batches.send(WHOLE), *batches.send(WHOLE)]
    assert [key_in(item) for item in sent] == [str(number) for number in range(60)]


def test_responses_are_counted_timed_and_summed() -> None:
    row, batches, clock = row_of(60, batches=3)
    next(batches)
    over = []
    for seconds, units in ((0.25, 25.0), (0.5, 25.0), (1.0, 10.0)):
        clock.now += seconds
        over.append(is_over_after(batches, WriteResult((), units)))
    assert over == [False, False, True]
    assert (row.sent, row.responses, row.seconds) == (3, 3, [0.25, 0.5, 1.0])
    assert (row.items_written, row.consumed, row.all_units) == (60, 60.0, 75.0)
    assert (row.segment, row.page, row.left) == (3, 7, None)


def test_units_that_the_service_does_not_say_are_not_known_for_the_whole_group() -> None:
    row, batches, _ = row_of(60, batches=3)
    next(batches)
    for units in (1.0, None, 1.0):
        is_over_after(batches, WriteResult((), units))
    assert (row.responses, row.consumed) == (3, None)


def test_a_response_that_is_not_whole_ends_the_group() -> None:
    row, batches, clock = row_of(75, batches=3)
    next(batches)
    second = batches.send(WHOLE)
    clock.now += 2.0
    assert is_over_after(batches, WriteResult(second[20:], 20.0))
    assert (row.items_written, row.consumed, row.last_seconds) == (25, 25.0, 2.0)
    assert (row.sent, row.responses, len(row.claim.page)) == (2, 2, 0)
    assert row.last.items is second


def test_a_failure_is_of_the_batch_that_was_sent_last() -> None:
    row, batches, clock = row_of(75, batches=3)
    next(batches)
    second = batches.send(WHOLE)
    clock.now += 0.5
    row.fail(UnavailableError("a moment"))
    assert row.last_seconds == 0.5
    assert (row.sent, row.responses, row.failed, row.requests) == (2, 1, True, 2)
    assert (row.last.segment, row.last.page, row.last.items) == (3, 7, second)


def test_whether_it_may_go_on_is_asked_at_once_and_then_in_time_but_not_after_every_response() -> (
    None
):
    """At once, since it may have waited long until it was admitted."""
    replies, asked = [False, True], list[float]()

    def may_go_on() -> bool:
        asked.append(clock.now)
        return replies.pop()

    row, batches, clock = row_of(100, batches=4, may_go_on=may_go_on)
    next(batches)
    assert not is_over_after(batches, WHOLE)
    assert asked == [100.0]
    clock.now += STEP_SECONDS / 2
    assert not is_over_after(batches, WHOLE)
    assert asked == [100.0]
    clock.now += STEP_SECONDS / 2 + 1e-6
    assert is_over_after(batches, WHOLE)
    assert len(asked) == 2
    assert row.sent == row.responses == 3
