"""What a page of one side is expected to cost, and what is believed of what it looks up."""

import math

import pytest
from msgspec import Raw

from dynaferry.errors import RequestRefusedError, ThrottledError
from dynaferry.ports import FoundItems
from dynaferry.throttle.limiter import CapLimiter
from dynaferry.throttle.retry import Patience, RetryPolicy
from dynaferry.verify.compare.side_reader import LEAST_PAGE_UNITS, SideReader
from dynaferry.verify.stats import ComparisonStats
from tests.copy.test_reader import FULL_PAGE_UNITS, Pace, Source

MB = 1024 * 1024


class NoLookup:
    async def find_items(self, keys: object) -> FoundItems:
        raise AssertionError("nothing is looked up here")


async def admitted(table_bytes: int, *, units_per_item: float = 0.001) -> list[float]:
    """What was asked of the pace for two pages of a table of this size."""
    limiter = Pace(math.inf)
    reader = SideReader(
        Source(units_per_item),
        NoLookup(),
        ComparisonStats(source="orders", target="orders", segments_total=1),
        key_of=bytes,
        limiter=limiter,
        retry=RetryPolicy("source", Patience(300.0)),
        table_bytes=table_bytes,
    )
    for _ in range(2):
        await reader.read_page(0, None)
    return limiter.admitted


@pytest.mark.parametrize(
    ("table_bytes", "expected"),
    [
        (0, FULL_PAGE_UNITS),
        (300, LEAST_PAGE_UNITS),
        (64 * 1024, 16.0),
        (MB, FULL_PAGE_UNITS),
        (10**12, FULL_PAGE_UNITS),
    ],
)
async def test_the_first_page_is_not_expected_to_cost_more_than_the_table_has(
    table_bytes: int, expected: float
) -> None:
    assert (await admitted(table_bytes))[0] == expected


async def test_a_page_that_cost_more_than_expected_is_expected_to_be_followed_by_such() -> None:
    first, second = await admitted(300, units_per_item=0.1)
    assert (first, second) == (LEAST_PAGE_UNITS, 100.0)


# What is looked up ------------------------------------------------------------------------------

A, B = b'{"pk":{"S":"a"}}', b'{"pk":{"S":"b"}}'


class Lookup:
    """Finds, or raises, what a test says, in turn."""

    def __init__(self, *answers: FoundItems | ThrottledError) -> None:
        self.answers = list(answers)

    async def find_items(self, keys: object) -> FoundItems:
        answer = self.answers.pop(0)
        if isinstance(answer, ThrottledError):
            raise answer
        return answer


async def looked_up(
    *answers: FoundItems | ThrottledError, stats: ComparisonStats | None = None
) -> dict[bytes, bytes]:
    async def no_wait(_: float) -> None:
        """At once."""

    reader = SideReader(
        Source(0.1),
        Lookup(*answers),
        stats or ComparisonStats(source="orders", target="orders", segments_total=1),
        key_of=bytes,
        limiter=CapLimiter([]),
        retry=RetryPolicy("source", Patience(300.0), sleep=no_wait),
    )
    return await reader.find_items([A, B])


@pytest.mark.parametrize(
    "impossible",
    [
        FoundItems(items=[Raw(A), Raw(A)], unprocessed=[]),
        FoundItems(items=[Raw(A)], unprocessed=[A]),
        FoundItems(items=[], unprocessed=[B, B]),
        FoundItems(items=[Raw(b'{"pk":{"S":"c"}}')], unprocessed=[]),
    ],
)
async def test_a_response_that_names_a_key_twice_or_another_is_asked_for_again(
    impossible: FoundItems,
) -> None:
    right = FoundItems(items=[Raw(B)], unprocessed=[])
    assert await looked_up(impossible, right) == {B: B}
    with pytest.raises(RequestRefusedError):
        await looked_up(*[impossible] * 20)


async def test_each_throttle_of_a_look_up_is_counted_with_its_reasons() -> None:
    """As a copy counts them, so that the reasons add up to the throttled requests."""
    reasons = [("TableReadProvisionedThroughputExceeded", "arn"), ("AccountLimitExceeded", "arn")]
    stats = ComparisonStats(source="orders", target="orders", segments_total=1)
    await looked_up(
        ThrottledError("slow down", code="ThrottlingException", reasons=reasons),
        ThrottledError("slow down", code="ThrottlingException"),
        FoundItems(items=[], unprocessed=[]),
        stats=stats,
    )
    both = "AccountLimitExceeded and TableReadProvisionedThroughputExceeded"
    assert stats.throttles == {
        ("BatchGetItem", both): 1,
        ("BatchGetItem", "ThrottlingException"): 1,
    }
    assert (stats.throttled_requests, stats.retried_requests) == (2, 2)
    assert (stats.read_requests, stats.requests_in_flight, stats.requests_waiting) == (3, 0, 0)
