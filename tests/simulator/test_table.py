import pytest

from benchmarks.simulator import (
    BrownOut,
    Change,
    Index,
    Latency,
    OnDemand,
    Partitions,
    Provisioned,
)
from benchmarks.simulator.places import SPACE
from tests.simulator.driven import (
    accepted,
    anywhere,
    batch,
    first_refusal,
    table_with,
    write_evenly,
)

MANY_PARTITIONS = Partitions(count=4, write_units=1e6, read_units=1e6)


def provisioned(units: float, **settings: float) -> Provisioned:
    chosen = {"burst_seconds": 1.0, **settings}
    return Provisioned(write_units=units, read_units=units, **chosen)


# Provisioned capacity ------------------------------------------------------------------------


def test_a_provisioned_table_takes_its_capacity_and_a_second_of_burst() -> None:
    table = table_with(capacity=provisioned(500), partitions=MANY_PARTITIONS)
    admissions = write_evenly(table, units_per_second=2000, seconds=(0, 20))
    assert accepted(admissions) == pytest.approx(500 + 20 * 500, rel=0.01)
    assert set(table.report(20.0).reasons) == {"TableWriteProvisionedThroughputExceeded"}


def test_five_minutes_of_unused_capacity_can_be_used_at_once() -> None:
    table = table_with(
        capacity=Provisioned(write_units=100, read_units=100), partitions=MANY_PARTITIONS
    )
    admissions = write_evenly(table, units_per_second=10_000, seconds=(0, 2))
    assert accepted(admissions) == 20_000
    later = write_evenly(table, units_per_second=10_000, seconds=(2, 4))
    assert accepted(later) == pytest.approx(300 * 100 + 4 * 100 - 20_000, abs=2)


def test_some_items_of_a_batch_fit_and_the_others_come_back_without_a_reason() -> None:
    table = table_with(capacity=provisioned(10), partitions=MANY_PARTITIONS)
    admission = table.write(batch(*map(anywhere, range(25))), 0.0)
    assert admission.accepted == 10
    assert admission.unprocessed == tuple(range(10, 25))
    assert admission.refusal is None
    assert admission.table_units == 10


def test_a_batch_of_which_nothing_fits_is_refused_with_the_reason_and_the_arn() -> None:
    table = table_with(capacity=provisioned(10), partitions=MANY_PARTITIONS)
    table.write(batch(*map(anywhere, range(25))), 0.0)
    refusal = table.write(batch(*map(anywhere, range(25))), 0.0).refusal
    assert refusal is not None
    assert refusal.code == "ProvisionedThroughputExceededException"
    assert [(reason.reason, reason.resource) for reason in refusal.reasons] == [
        (
            "TableWriteProvisionedThroughputExceeded",
            "arn:aws:dynamodb:us-east-1:123456789012:table/orders",
        )
    ]


@pytest.mark.parametrize(("size_bytes", "units"), [(1, 1), (1024, 1), (1025, 2), (409_600, 400)])
def test_an_item_costs_a_unit_for_each_started_kilobyte(size_bytes: int, units: int) -> None:
    table = table_with()
    items = batch(anywhere(1), anywhere(2), size_bytes=size_bytes)
    assert table.write(items, 0.0).units == 2 * units


# Partitions ----------------------------------------------------------------------------------


def test_one_hot_partition_is_refused_for_its_key_range_while_others_take_on() -> None:
    table = table_with(partitions=Partitions(count=10))
    hot = write_evenly(table, units_per_second=4000, seconds=(0, 5), place=lambda _: SPACE // 2)
    assert accepted(hot) == pytest.approx(1000 + 5 * 1000, rel=0.01)
    assert set(table.report(5.0).reasons) == {"TableWriteKeyRangeThroughputExceeded"}
    elsewhere = table.write(batch(0, SPACE - 1), 5.0)
    assert elsewhere.accepted == 2


def test_evenly_spread_writes_use_all_partitions() -> None:
    table = table_with(partitions=Partitions(count=10))
    admissions = write_evenly(table, units_per_second=9000, seconds=(0, 5))
    assert accepted(admissions) == pytest.approx(45_000, rel=0.01)
    second = table.report(5.0).seconds[2]
    assert len(second.partition_write_units) == 10
    assert sum(second.partition_write_units) == second.write_units
    assert second.write_capacity == 10_000


def test_capacity_that_is_raised_brings_the_partitions_for_it() -> None:
    table = table_with(capacity=provisioned(1000))
    assert table.offer().partitions == 1
    table.change(Change(write_units=8000), 0.0)
    assert table.offer().partitions == 8
    assert table.offer().write_units == 8000


# On-demand capacity --------------------------------------------------------------------------


def test_a_new_on_demand_table_takes_4000_writes_and_doubles_when_they_last() -> None:
    table = table_with(capacity=OnDemand(doubling_seconds=5))
    write_evenly(table, units_per_second=30_000, seconds=(0, 15))
    taken = [second.write_units for second in table.report(15.0).seconds]
    assert taken[2] == pytest.approx(4000, rel=0.05)
    assert taken[7] == pytest.approx(8000, rel=0.05)
    assert taken[12] == pytest.approx(16_000, rel=0.05)


def test_growing_too_fast_is_refused_as_a_throttling_exception_for_the_key_range() -> None:
    table = table_with(capacity=OnDemand())
    refusal = first_refusal(table, 0.0)
    assert refusal.code == "ThrottlingException"
    write_evenly(table, units_per_second=20_000, seconds=(0, 3))
    assert set(table.report(20.0).reasons) == {"TableWriteKeyRangeThroughputExceeded"}


def test_the_quota_of_the_account_is_named_as_the_reason() -> None:
    table = table_with(
        capacity=OnDemand(write_units=2000, write_quota=2000), partitions=MANY_PARTITIONS
    )
    refusal = first_refusal(table, 0.0)
    assert refusal.code == "RequestLimitExceeded"
    assert [reason.reason for reason in refusal.reasons] == ["TableWriteAccountLimitExceeded"]


def test_the_owners_maximum_is_named_as_the_reason() -> None:
    table = table_with(capacity=OnDemand(max_write_units=500))
    admissions = write_evenly(table, units_per_second=3000, seconds=(0, 5))
    assert accepted(admissions) == pytest.approx(500 + 2500, rel=0.02)
    assert set(table.report(20.0).reasons) == {"TableWriteMaxOnDemandThroughputExceeded"}
    assert table.offer().write_units == 500


# Indexes -------------------------------------------------------------------------------------


def test_an_index_holds_the_writes_of_its_table_back_and_is_named() -> None:
    table = table_with(indexes=(Index(name="by-owner", capacity=provisioned(300)),))
    admissions = write_evenly(table, units_per_second=2000, seconds=(0, 10))
    assert accepted(admissions) == pytest.approx(300 + 3000, rel=0.02)
    refusal = first_refusal(table, 9.99)
    assert refusal.reasons[0].reason == "IndexWriteProvisionedThroughputExceeded"
    assert refusal.reasons[0].resource.endswith(":table/orders/index/by-owner")
    second = table.report(10.0).seconds[5]
    assert second.index_write_units == {"by-owner": second.write_units}
    assert second.index_write_capacity == {"by-owner": 300}


def test_an_index_with_one_key_is_one_hot_partition() -> None:
    index = Index(name="by-day", capacity=provisioned(10_000), keys=1)
    table = table_with(indexes=(index,))
    admissions = write_evenly(table, units_per_second=5000, seconds=(0, 4))
    assert accepted(admissions) == pytest.approx(1000 + 4000, rel=0.02)
    assert set(table.report(20.0).reasons) == {"IndexWriteKeyRangeThroughputExceeded"}


def test_a_sparse_index_costs_for_its_share_and_its_own_entry_size() -> None:
    index = Index(name="open", capacity=provisioned(1e6), share=0.25, entry_bytes=100)
    table = table_with(indexes=(index,))
    items = batch(*map(anywhere, range(4000)), size_bytes=10_000)
    admission = table.write(items, 0.0)
    assert admission.table_units == 40_000
    assert admission.index_units["open"] == pytest.approx(1000, rel=0.1)


def test_the_capacity_of_an_index_can_be_raised_by_itself() -> None:
    table = table_with(indexes=(Index(name="by-owner", capacity=provisioned(300)),))
    table.change(Change(index="by-owner", write_units=900), 0.0)
    assert table.offer().indexes == {"by-owner": 900}


# Reads ---------------------------------------------------------------------------------------

MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("size_bytes", "consistent", "units"),
    [(MEGABYTE, False, 128), (MEGABYTE, True, 256), (1, False, 0.5), (0, True, 1)],
)
def test_a_page_costs_half_a_unit_for_each_started_4_kilobytes_or_one_when_consistent(
    size_bytes: int, consistent: bool, units: float
) -> None:
    assert table_with().read(0, size_bytes, 0.0, consistent=consistent).units == units


def test_reads_are_refused_for_the_table_and_for_the_key_range() -> None:
    table = table_with(capacity=provisioned(100), partitions=MANY_PARTITIONS)
    hot = table_with(partitions=Partitions(count=2))
    for tick in range(50):
        table.read(0, MEGABYTE, tick * 0.01)
        hot.read(0, MEGABYTE, tick * 0.01)
    assert set(table.report(1.0).reasons) == {"TableReadProvisionedThroughputExceeded"}
    assert set(hot.report(1.0).reasons) == {"TableReadKeyRangeThroughputExceeded"}
    assert hot.report(1.0).seconds[0].throttled_reads > 0
    assert hot.read(SPACE - 1, MEGABYTE, 1.0).refusal is None


def test_a_scan_that_takes_everything_costs_production_its_reads() -> None:
    def lost(pages_per_second: int) -> float:
        table = table_with(capacity=provisioned(1000), production_read_units=400)
        for tick in range(10 * pages_per_second):
            table.read(0, MEGABYTE, tick / pages_per_second)
        seconds = table.report(10.0).seconds
        assert sum(second.production_units for second in seconds) == pytest.approx(4000)
        return sum(second.production_lost_units for second in seconds)

    assert lost(pages_per_second=4) == 0
    assert lost(pages_per_second=20) > 1000


# Disturbance ---------------------------------------------------------------------------------


def test_a_change_takes_effect_when_its_time_comes() -> None:
    table = table_with(
        capacity=provisioned(1000),
        changes=(Change(at_seconds=6, write_units=2000), Change(at_seconds=3, write_units=200)),
        partitions=MANY_PARTITIONS,
    )
    write_evenly(table, units_per_second=5000, seconds=(0, 9))
    taken = [second.write_units for second in table.report(9.0).seconds]
    assert taken[2] == pytest.approx(1000, abs=50)
    assert taken[4] == pytest.approx(200, abs=50)
    assert taken[7] == pytest.approx(2000, abs=50)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("throttle", "ProvisionedThroughputExceededException"),
        ("500", "InternalServerError"),
        ("503", "ServiceUnavailable"),
    ],
)
def test_nothing_is_taken_in_a_brown_out_and_everything_after_it(answer: str, code: str) -> None:
    brown_out = BrownOut(start_seconds=1, seconds=2, answer=answer)  # type: ignore[arg-type]
    table = table_with(brown_outs=(brown_out,))
    assert table.write(batch(0), 0.9).accepted == 1
    for now in (1.0, 2.9):
        written, read = table.write(batch(0), now).refusal, table.read(0, 1, now).refusal
        assert written is not None
        assert read is not None
        assert (written.code, read.code) == (code, code)
    assert table.write(batch(0), 3.0).accepted == 1


def test_a_brown_out_can_be_ordered_while_it_runs() -> None:
    table = table_with()
    table.write(batch(0), 10.0)
    table.brown_out(BrownOut(seconds=1), 10.0)
    assert table.write(batch(0), 10.5).refusal is not None
    assert table.write(batch(0), 11.0).refusal is None


# What is counted -----------------------------------------------------------------------------


def test_every_second_is_there_whether_anything_happened_in_it_or_not() -> None:
    table = table_with()
    table.write(batch(0), 0.2)
    table.write(batch(0, 1), 3.5)
    seconds = table.report(5.2).seconds
    assert [second.second for second in seconds] == [0, 1, 2, 3, 4, 5]
    assert [second.items_written for second in seconds] == [1, 0, 0, 2, 0, 0]


def test_whole_throttles_partial_responses_and_failures_are_counted_apart() -> None:
    table = table_with(
        capacity=provisioned(10),
        brown_outs=(BrownOut(start_seconds=0.5, seconds=0.1, answer="500"),),
    )
    table.write(batch(*map(anywhere, range(25))), 0.0)
    table.write(batch(*map(anywhere, range(25))), 0.0)
    table.write(batch(0), 0.5)
    (second,) = table.report(0.9).seconds
    assert (second.items_written, second.unprocessed_items) == (10, 15)
    assert (second.throttled_writes, second.failed_requests, second.write_requests) == (1, 1, 3)


def test_the_requests_in_flight_are_those_that_are_not_answered_yet() -> None:
    latency = Latency(write_seconds=0.1, tail_seconds=0, queue_seconds=0)
    table = table_with(latency=latency)
    for tick in range(100):
        table.write(batch(0), tick * 0.01)
    (second,) = table.report(0.999).seconds
    assert second.in_flight in (10, 11)
    assert table.report(1.02).seconds[1].in_flight in (9, 10)
    assert second.write_latency is not None
    assert second.write_latency.p50 == pytest.approx(0.1)
    assert second.read_latency is None


def test_a_table_near_saturation_responds_more_slowly() -> None:
    latency = Latency(tail_seconds=0)
    table = table_with(capacity=provisioned(1000), latency=latency, partitions=MANY_PARTITIONS)
    idle = write_evenly(table, units_per_second=100, seconds=(0, 5))
    busy = write_evenly(table, units_per_second=900, seconds=(5, 10))
    assert busy[-1].latency_seconds > 2 * idle[-1].latency_seconds


def test_a_thousand_seconds_can_be_simulated_from_any_start() -> None:
    table = table_with(capacity=provisioned(50))
    write_evenly(table, units_per_second=100, seconds=(0, 1000))
    report = table.report(1000.0)
    assert report.total(lambda second: second.items_written) == pytest.approx(50_050, rel=0.01)
