"""A table's counters pass from shape to shape, and none is lost on the way."""

import msgspec
import pytest

from dynaferry.copy.counters import counters_of, sample_of, stats_of, summary_of
from dynaferry.observe.stats import TableStats
from dynaferry.observe.summary import TableSummary
from dynaferry.state.records import (
    Sample,
    TableCounters,
    TableIdentity,
    TableTotals,
    ThrottleCount,
)

TOTALS = TableTotals(
    segments_complete=2,
    items_read=100,
    items_written=90,
    items_rejected=7,
    items_filtered=3,
    bytes_read=12_345,
)
COUNTERS = TableCounters(
    read_units=10.25,
    write_units=20.55,
    throttled_requests=5,
    retried_requests=6,
    unprocessed_items=8,
    dollars=0.5,
    throttles=(
        ThrottleCount(operation="Scan", reason="", times=1),
        ThrottleCount(operation="BatchWriteItem", reason="index", times=4),
    ),
    bottleneck="index by-owner",
    throttled_at=1_700_000_000.0,
)
IDENTITY = TableIdentity(
    source_arn="arn:source",
    source_table_id=None,
    source_endpoint="here",
    target_arn="arn:target",
    target_table_id=None,
    target_endpoint="there",
    total_segments=4,
)


def test_every_stored_field_has_a_value_here_that_differs_from_its_default() -> None:
    for shape in (TOTALS, COUNTERS):
        of_none = msgspec.structs.asdict(type(shape)())
        assert all(value != of_none[name] for name, value in msgspec.structs.asdict(shape).items())


def resumed() -> TableStats:
    return stats_of(
        TOTALS,
        COUNTERS,
        source="orders",
        target="orders-2",
        segments_total=4,
        dollars_per_read_unit=0.01,
        dollars_per_write_unit=0.01,
    )


def test_what_is_stored_is_gone_on_from_and_stored_again_as_it_was() -> None:
    stats = resumed()
    for name in TableTotals.__struct_fields__:
        assert getattr(stats, name) == getattr(TOTALS, name)
    again = counters_of(stats)
    assert msgspec.structs.replace(again, dollars=0.0) == msgspec.structs.replace(
        COUNTERS, dollars=0.0
    )
    # The units at the prices of this attempt: what they cost is not gone on from.
    assert again.dollars == pytest.approx((10.25 + 20.55) * 0.01)
    assert stats.items_at_start == stats.items_done == 100


def test_what_earlier_units_cost_otherwise_stays_in_what_they_cost() -> None:
    stats = resumed()
    stats.dollars_before = COUNTERS.dollars - stats.dollars
    assert counters_of(stats) == COUNTERS


def test_a_summary_has_all_that_is_stored_by_the_same_names_and_rounds_the_units() -> None:
    summary = summary_of(
        TOTALS,
        COUNTERS,
        IDENTITY,
        source="orders",
        target="orders-2",
        status="rejected",
        segments_total=4,
        seconds=1.23456,
        items_per_second=80.04,
    )
    assert summary == TableSummary(
        source="orders",
        target="orders-2",
        status="rejected",
        items_read=100,
        items_written=90,
        items_rejected=7,
        items_filtered=3,
        bytes_read=12_345,
        read_units=10.2,
        write_units=20.6,
        throttled_requests=5,
        retried_requests=6,
        unprocessed_items=8,
        segments_total=4,
        segments_complete=2,
        seconds=1.235,
        items_per_second=80.0,
        source_arn="arn:source",
        target_arn="arn:target",
    )


def test_a_sample_is_of_the_moment_and_of_the_limits_that_hold() -> None:
    stats = resumed()
    stats.read_rate_limit_units, stats.write_rate_limit_units = 100.0, 200.0
    assert sample_of(stats, 3, 7.0) == Sample(
        table=3,
        time=7.0,
        items_written=90,
        bytes_read=12_345,
        read_units=10.25,
        write_units=20.55,
        throttled_requests=5,
        read_limit_units=100.0,
        write_limit_units=200.0,
    )
