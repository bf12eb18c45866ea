"""How far reads run ahead, and how large a page is: the decision alone."""

from typing import Any

import pytest

from dynaferry.copy.read_ahead import (
    EARLY_SECONDS,
    FEWEST_PAGES,
    FIRST_PAGE_ITEMS,
    IN_FLIGHT_SHARE,
    LEAST_BYTES,
    MOST_BYTES_AHEAD,
    SECONDS_AHEAD,
    WRITTEN_GROWTH,
    Ahead,
    ReadAhead,
    page_limit,
)

# Where neither key ranges nor the scans limit anything.
FREELY: Any = {"by_key_range": False, "scans": 32, "scan_seconds": 0.0}


def settled(
    *,
    written_per_second: int,
    units_per_second: float,
    is_limited: bool = True,
    in_flight: int = 0,
    how: Any = FREELY,
) -> Ahead:
    """What holds after two seconds at this rate."""
    read_ahead, ahead = ReadAhead(), Ahead(0.0, 0.0)
    for tenth in range(21):
        ahead = read_ahead.update(
            tenth / 10,
            items_written=written_per_second * tenth // 10,
            items_in_flight=in_flight,
            bytes_in_flight=0,
            bytes_per_item=2000.0,
            units_per_item=2.0,
            units_per_second=units_per_second,
            is_limited=is_limited,
            segments=32,
            **how,
        )
    return ahead


def test_it_is_a_part_of_a_second_of_what_is_allowed_and_what_is_in_flight() -> None:
    ahead = settled(written_per_second=1000, units_per_second=2000.0, in_flight=50)
    assert ahead.items == pytest.approx(1000 * SECONDS_AHEAD + 50)
    assert ahead.page_items == pytest.approx(ahead.items / 32)


def test_what_is_allowed_counts_however_little_was_written() -> None:
    """With fewer pages fewer segments are written: it would follow its own effect downwards."""
    written = [0, 100, 1000, 10_000]
    ahead = [settled(written_per_second=each, units_per_second=10_000.0).items for each in written]
    assert set(ahead) == {5000 * SECONDS_AHEAD}


def test_at_a_low_rate_what_is_allowed_counts_since_few_responses_say_nothing() -> None:
    assert settled(written_per_second=0, units_per_second=200.0).items == 100 * SECONDS_AHEAD


def test_where_nothing_limits_a_few_large_pages_will_do() -> None:
    ahead = settled(written_per_second=40_000, units_per_second=1e6, is_limited=False)
    assert ahead.items == pytest.approx(40_000 * WRITTEN_GROWTH * SECONDS_AHEAD)
    assert ahead.page_items == pytest.approx(ahead.items / FEWEST_PAGES)


def test_where_key_ranges_limit_every_segment_is_to_have_a_page() -> None:
    """A segment without one is a partition that is not written, however much may be ahead."""

    def smallest(segments: int, *, by_key_range: bool) -> int | None:
        ahead = ReadAhead().update(
            0.0,
            items_written=0,
            items_in_flight=0,
            bytes_in_flight=0,
            bytes_per_item=200.0,
            units_per_item=1.0,
            units_per_second=6000.0,
            is_limited=True,
            by_key_range=by_key_range,
            segments=segments,
            scans=32,
            scan_seconds=0.0,
        )
        return page_limit(ahead, 0.025, 128.0)

    assert smallest(81, by_key_range=True) == 25
    assert smallest(40, by_key_range=True) == 50
    assert smallest(81, by_key_range=False) == 150


def test_a_page_holds_what_so_many_scans_at_once_can_keep_up_with() -> None:
    """Small pages of a slow source would hold back what the target takes."""

    def page_items(scan_seconds: float) -> float:
        how = {"by_key_range": True, "scans": 4, "scan_seconds": scan_seconds}
        return settled(written_per_second=0, units_per_second=20_000.0, how=how).page_items

    spread_out = 10_000 * SECONDS_AHEAD / 32
    assert page_items(0.01) == pytest.approx(spread_out)
    assert page_items(0.05) == pytest.approx(WRITTEN_GROWTH * 10_000 * 0.05 / 4)
    assert page_items(5.0) == pytest.approx(10_000 * SECONDS_AHEAD / 12), "for 12 segments, still"


def test_in_the_first_second_reads_get_a_start_unless_something_limits() -> None:
    def first(*, is_limited: bool, at_seconds: float) -> float:
        read_ahead, items = ReadAhead(), 0.0
        for now in (0.0, at_seconds):
            items = read_ahead.update(
                now,
                items_written=0,
                items_in_flight=0,
                bytes_in_flight=0,
                bytes_per_item=2000.0,
                units_per_item=1.0,
                units_per_second=500.0,
                is_limited=is_limited,
                segments=32,
                **FREELY,
            ).items
        return items

    assert first(is_limited=False, at_seconds=0.5) > 500 * SECONDS_AHEAD
    assert first(is_limited=True, at_seconds=0.5) == 500 * SECONDS_AHEAD
    late = first(is_limited=False, at_seconds=EARLY_SECONDS)
    assert late < first(is_limited=False, at_seconds=0.5)


def most_bytes(
    bytes_in_flight: int,
    *,
    looks: int = 60,
    burst: int = 0,
    is_limited: bool = False,
    bytes_per_item: int = 1000,
) -> int:
    """How many bytes may be ahead while so many are in flight, and at last a burst of more.

    At 100,000 items a second.
    """
    read_ahead, most = ReadAhead(), 0
    for tenth in range(looks):
        most = read_ahead.update(
            tenth / 10,
            items_written=10_000 * tenth,
            items_in_flight=100,
            bytes_in_flight=bytes_in_flight + (burst if tenth == looks - 1 else 0),
            bytes_per_item=bytes_per_item,
            units_per_item=1.0,
            units_per_second=1e6,
            is_limited=is_limited,
            segments=32,
            **FREELY,
        ).bytes
    return most


def test_few_bytes_are_ahead_where_many_are_written_a_second() -> None:
    assert most_bytes(int(0.25 * LEAST_BYTES)) == LEAST_BYTES


def test_more_bytes_are_ahead_where_many_of_them_are_on_their_way() -> None:
    in_flight = int(0.5 * LEAST_BYTES)
    assert LEAST_BYTES < most_bytes(in_flight) < MOST_BYTES_AHEAD
    assert in_flight < IN_FLIGHT_SHARE * most_bytes(in_flight)
    assert most_bytes(LEAST_BYTES) == MOST_BYTES_AHEAD
    assert most_bytes(MOST_BYTES_AHEAD) == MOST_BYTES_AHEAD


def test_a_burst_makes_no_more_room() -> None:
    assert most_bytes(0, burst=LEAST_BYTES) == LEAST_BYTES


@pytest.mark.parametrize("how", [{"looks": 1}, {"is_limited": True}, {"bytes_per_item": 500}])
def test_at_what_a_table_takes_by_default_there_are_pages_for_many_partitions(
    how: dict[str, Any],
) -> None:
    assert most_bytes(0, **how) == MOST_BYTES_AHEAD


@pytest.mark.parametrize(
    ("page_items", "most_items", "units_per_item", "limit"),
    [
        (1e9, 1e9, None, FIRST_PAGE_ITEMS),
        (1e9, 1e9, 0.125, None),
        (1e9, 1e9, 0.0, None),
        (1024.0, 1e9, 0.125, None),
        (1023.0, 1e9, 0.125, 1000),
        (49.0, 1e9, 0.125, 25),
        (1.0, 1e9, 0.125, 25),  # 4 units are 32 items
        (1.0, 12.0, 0.125, 12),
        (1.0, 0.5, 0.125, 1),
        (1.0, 1e9, 50.0, 1),
    ],
)
def test_a_page_has_whole_batches_and_is_no_smaller_than_what_rounding_costs(
    page_items: float, most_items: float, units_per_item: float | None, limit: int | None
) -> None:
    ahead = Ahead(items=most_items, page_items=page_items)
    assert page_limit(ahead, units_per_item, 128.0) == limit
