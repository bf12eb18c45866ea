"""A follower's requests are counted, timed and attributed as a copy's are."""

from collections.abc import Sequence

import pytest
from msgspec import Raw

from dynaferry.control.run_limits import RunCaps
from dynaferry.copy.limiters import Limiters
from dynaferry.errors import DynaferryError, ThrottledError, UnavailableError
from dynaferry.follow.measured import MeasuredLookup, MeasuredTarget
from dynaferry.observe.monitor import RunMonitor
from dynaferry.observe.stats import RunStats, TableStats
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.ports import BatchExchange, Change, Delete, FoundItems, WriteResult
from tests.observe.test_prometheus import scrape

BATCHES = [[Delete(Raw(b'{"pk":{"S":"a"}}'))], [Delete(Raw(b'{"pk":{"S":"b"}}'))]]


class Target:
    """Takes batches, a second each, and answers as it is told."""

    def __init__(self, answers: Sequence[WriteResult | DynaferryError]) -> None:
        self.answers = list(answers)
        self.now = 0.0

    async def write_batches(self, batches: BatchExchange) -> None:
        next(batches)
        for answer in self.answers:
            self.now += 1.0
            if isinstance(answer, DynaferryError):
                raise answer
            try:
                batches.send(answer)
            except StopIteration:
                return

    def units_of(self, changes: Sequence[Change], /) -> float:
        return 7.0 * len(changes)

    def key_of(self, change: Change, /) -> bytes:
        return b"key"


def exchange() -> BatchExchange:
    for batch in BATCHES:
        _ = yield batch


async def measured(*answers: WriteResult | DynaferryError) -> TableStats:
    stats = TableStats("orders", "orders", 1)
    await measured_into(stats, *answers)
    return stats


async def measured_into(stats: TableStats, *answers: WriteResult | DynaferryError) -> None:
    target = Target(answers)
    caps = RunCaps(CopyPlan(tables=(TablePlan("orders", "orders"),), max_write_units=50.0))
    own = caps.of_table(TablePlan("orders", "orders"))
    limiters = Limiters(own.read_limiter(), own.write_limiter())
    measuring = MeasuredTarget(target, stats, limiters, clock=lambda: target.now)
    assert (measuring.units_of(BATCHES[0]), measuring.key_of(BATCHES[0][0])) == (7.0, b"key")
    await measuring.write_batches(exchange())


def a_throttle(reason: str, resource: str) -> ThrottledError:
    arn = f"arn:aws:dynamodb:eu-west-1:222222222222:table/orders{resource}"
    return ThrottledError("slow down", code="ThrottlingException", reasons=[(reason, arn)])


async def test_each_request_is_counted_with_its_time_and_the_rate_that_is_allowed() -> None:
    done = WriteResult(unprocessed=[], consumed_units=1.0)
    stats = await measured(done, done)
    assert stats.batch_writes.outcomes == {"ok": 2}
    assert stats.batch_writes.seconds == 2.0
    assert stats.write_rate_limit_units == 50.0


async def test_what_is_left_undone_counts_as_a_throttle_without_a_word() -> None:
    undone = WriteResult(unprocessed=BATCHES[0], consumed_units=1.0)
    stats = await measured(undone, WriteResult(unprocessed=[], consumed_units=1.0))
    assert stats.batch_writes.outcomes == {"unprocessed": 1, "ok": 1}
    assert stats.unprocessed_items == 1
    assert stats.throttled_at is not None


@pytest.mark.parametrize(
    ("reason", "resource", "words"),
    [
        ("TableWriteProvisionedThroughputExceeded", "", "table orders"),
        ("TableWriteKeyRangeThroughputExceeded", "", "a hot partition of orders"),
        ("IndexWriteProvisionedThroughputExceeded", "/index/by-owner", "index by-owner"),
    ],
)
async def test_what_the_service_names_is_the_bottleneck(
    reason: str, resource: str, words: str
) -> None:
    stats = TableStats("orders", "orders", 1)
    with pytest.raises(ThrottledError):
        await measured_into(stats, a_throttle(reason, resource))
    assert stats.bottleneck == words
    assert stats.batch_writes.outcomes == {"throttled": 1}


async def test_a_failure_is_counted_as_one() -> None:
    stats = TableStats("orders", "orders", 1)
    with pytest.raises(UnavailableError):
        await measured_into(stats, UnavailableError("gone"))
    assert stats.batch_writes.outcomes == {"unavailable": 1}
    assert stats.bottleneck is None


class Lookup:
    """Answers as it is told."""

    def __init__(self, *answers: FoundItems | DynaferryError) -> None:
        self.answers = list(answers)

    async def find_items(self, keys: Sequence[bytes]) -> FoundItems:
        answer = self.answers.pop(0)
        if isinstance(answer, DynaferryError):
            raise answer
        return answer


async def test_what_is_read_again_is_counted_too_and_is_no_scan() -> None:
    stats = TableStats("orders", "orders", 1)
    lookup = Lookup(FoundItems([], []), FoundItems([], [b"{}"]), UnavailableError("gone"))
    measuring = MeasuredLookup(lookup, stats)
    await measuring.find_items([b"{}"])
    await measuring.find_items([b"{}"])
    with pytest.raises(UnavailableError):
        await measuring.find_items([b"{}"])
    assert stats.lookups.outcomes == {"ok": 1, "unprocessed": 1, "unavailable": 1}
    assert stats.scans.count == 0
    monitor = RunMonitor("orders", readers=1)
    monitor.stats = RunStats("orders", [stats])
    labels = {"source": "orders", "target": "orders", "operation": "BatchGetItem", "outcome": "ok"}
    assert scrape(monitor)["dynaferry_requests_total", frozenset(labels.items())] == 1
