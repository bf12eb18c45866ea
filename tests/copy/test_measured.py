import pytest

from dynaferry.copy.batch_cost import BatchCost
from dynaferry.copy.measured import MeasuredSource, note_writes, outcome_of
from dynaferry.copy.settlement import Settler
from dynaferry.errors import (
    AccessDeniedError,
    CorruptAnswerError,
    DynaferryError,
    ItemRefusedError,
    ThrottledError,
    UnavailableError,
)
from dynaferry.observe.stats import MOST_REASONS, OTHER_REASONS, TableStats
from tests.copy.groups import QuarterClock, group_of, items_of
from tests.worlds.fakes import FakeSource


def stats_of(segments: int = 4) -> TableStats:
    return TableStats(source="orders", target="orders", segments_total=segments)


def note(stats: TableStats, items: int, error: DynaferryError) -> None:
    group = group_of(items_of(items), error)
    settler = Settler(BatchCost(lambda items: float(len(items))), now=0.0)
    note_writes(stats, group, settler.settle(group, 1.0, segments=1), lambda: 17.0)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ThrottledError("slow down", code="ThrottlingException"), "throttled"),
        (UnavailableError("gone"), "unavailable"),
        (CorruptAnswerError("cut short"), "corrupt"),
        (ItemRefusedError("no", code="ValidationException"), "refused"),
        (AccessDeniedError("no"), "stopped"),
    ],
)
def test_a_write_that_fails_is_counted_by_what_came_of_it(
    error: DynaferryError, outcome: str
) -> None:
    stats = stats_of()
    note(stats, 2, error)
    assert outcome_of(error) == outcome
    assert (stats.write_requests, stats.batch_writes.outcomes) == (1, {outcome: 1})
    assert stats.batch_writes.seconds == 0.25
    assert stats.rejections == {}


async def test_a_page_is_timed_and_its_segment_is_under_way() -> None:
    stats = stats_of()
    source = MeasuredSource(FakeSource([[["a", "b"], ["c"]]]), stats, clock=QuarterClock())
    page = await source.read_page(0, None)
    assert len(page.items) == 2
    assert source.full_page_units == 128.0
    assert stats.scans.outcomes == {"ok": 1}
    assert stats.scans.seconds == 0.25
    assert list(stats.segments.running) == [0]


def test_an_item_that_is_refused_alone_is_a_rejection_with_the_targets_words() -> None:
    stats = stats_of()
    error = ItemRefusedError("too large", code="ValidationException")
    note(stats, 1, error)
    assert stats.rejections == {"ValidationException: too large": 1}


def test_reasons_are_bounded() -> None:
    stats = stats_of()
    for number in range(MOST_REASONS + 5):
        stats.note_rejection(f"reason {number}")
    stats.note_rejection("reason 0")
    assert len(stats.rejections) == MOST_REASONS + 1
    assert stats.rejections[OTHER_REASONS] == 5
    assert stats.rejections["reason 0"] == 2


def test_a_failure_is_logged_with_its_facts_in_the_message_and_nothing_of_the_item(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="dynaferry.copy.measured")
    reason = ("TableWriteProvisionedThroughputExceeded", "arn:aws:dynamodb:…:table/orders")
    note(stats_of(), 3, ThrottledError("slow", code="ThrottlingException", reasons=[reason]))
    note(stats_of(), 1, ItemRefusedError("the key k-17 is bad", code="ValidationException"))
    assert [record.getMessage() for record in caplog.records] == [
        "BatchWriteItem on orders throttled: TableWriteProvisionedThroughputExceeded",
        "BatchWriteItem on orders refused: ValidationException",
    ]
    assert "k-17" not in repr([record.__dict__ for record in caplog.records])
