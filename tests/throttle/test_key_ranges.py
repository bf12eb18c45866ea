"""Which key ranges are full: segments of one share its rate, and others are left alone."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.throttle.key_ranges import EVEN_MORE, FINER_SECONDS, PAUSE_SECONDS, KeyRanges
from dynaferry.throttle.range_rate import RATE_FALL_SHARE


def written(units_per_second: float, *, total_segments: int = 256) -> KeyRanges:
    """Ranges of a table that was written at this rate for a second, everywhere alike."""
    ranges = KeyRanges(total_segments, now=0.0)
    for segment in range(total_segments):
        ranges.note_written(segment, units_per_second / total_segments)
    return ranges


def test_before_a_refusal_nothing_is_delayed() -> None:
    ranges = written(12_000.0)
    assert ranges.count == 0
    assert ranges.free_at(7) == -math.inf
    assert ranges.most_units_at_once(7) == math.inf


def test_neighbours_in_the_hash_share_a_range_and_those_far_away_do_not() -> None:
    ranges = written(2000.0)
    ranges.note_throttled(10, 1.0, segments=32)
    assert ranges.free_at(11) == 1.0 + PAUSE_SECONDS
    assert ranges.free_at(200) == -math.inf


@pytest.mark.parametrize("units_per_second", [100.0, 1000.0, 4000.0, 12_000.0, 60_000.0])
def test_there_are_some_ranges_for_each_partition_that_it_takes_at_least(
    units_per_second: float,
) -> None:
    ranges = written(units_per_second)
    ranges.note_throttled(0, 1.0, segments=32)
    partitions = max(1.0, units_per_second / 1000)
    assert min(256, 2 * partitions) <= ranges.count <= 8 * partitions


def test_a_range_begins_at_an_even_share_of_what_is_written() -> None:
    """Of the segments that are written, where they are fewer than ranges."""
    ranges = written(32_000.0)
    ranges.note_throttled(0, 1.0, segments=32)
    assert ranges.free_at(0) == 1.0 + PAUSE_SECONDS
    ranges.note_sent(0, 100.0, 2.0)
    after = ranges.free_at(0) - 2.0
    assert after == pytest.approx(100.0 / (EVEN_MORE * 1000.0), rel=RATE_FALL_SHARE)


def test_the_next_segment_of_a_range_begins_at_its_rate() -> None:
    ranges = written(2000.0)
    ranges.note_throttled(10, 1.0, segments=32)
    before = ranges.most_units_at_once(10)
    assert before < math.inf
    assert ranges.most_units_at_once(11) == before


def test_with_far_more_written_or_far_less_they_are_cut_anew() -> None:
    ranges = written(2000.0)
    ranges.note_throttled(10, 1.0, segments=32)
    few = ranges.count
    ranges.note_written(10, 40_000.0)
    ranges.note_throttled(10, 2.0, segments=32)
    many = ranges.count
    ranges.note_throttled(10, 60.0, segments=32)
    assert few < many
    assert ranges.count < many


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["sent", "wrote", "refused"]),
            st.integers(0, 63),
            st.floats(0.0, 500.0),
            st.floats(0.0, 3.0),
        ),
        max_size=120,
    )
)
def test_no_range_is_delayed_for_long_whatever_happens(
    events: list[tuple[str, int, float, float]],
) -> None:
    """What is sent at 22 units a second at least waits for its own units alone."""
    ranges, now = KeyRanges(64, now=0.0), 0.0
    sent = [0.0]
    for event, segment, units, later in events:
        now += later
        if event == "sent":
            ranges.note_sent(segment, units, now)
            sent.append(sent[-1] + units)
        elif event == "wrote":
            ranges.note_written(segment, units)
        else:
            ranges.note_throttled(segment, now, segments=8)
    held = max(ranges.free_at(segment) for segment in range(64)) - now
    assert held <= PAUSE_SECONDS + sent[-1] / 22.0 + 1e-6
    assert all(earlier <= later for earlier, later in pairwise(sent))


def test_ranges_that_all_hold_back_for_partitions_smaller_than_known_are_cut_finer() -> None:
    """Else what is written stays low, and so does the number of ranges that is made of it."""
    ranges, now = written(300.0), 1.0
    counts = []
    for _ in range(12):
        for segment in range(0, 256, 8):
            ranges.note_written(segment, 5.0)
            ranges.note_throttled(segment, now, segments=32)
        counts.append(ranges.count)
        now += 0.6
    assert counts[0] == 2
    assert counts == sorted(counts)
    assert counts[-1] == 64  # two for each segment that is written


def test_a_few_slow_ranges_are_no_reason_to_cut_the_others() -> None:
    ranges, now = written(12_000.0), 1.0
    ranges.note_throttled(0, now, segments=32)
    before = ranges.count
    for _ in range(40):
        now += 0.6
        for segment in range(256):
            ranges.note_written(segment, 12_000.0 * 0.6 / 256)
        ranges.note_throttled(0, now, segments=32)
    assert ranges.count == before


def test_ranges_that_hold_all_are_cut_finer_without_another_refusal() -> None:
    """At a rate of next to nothing the next refusal is long in coming."""
    ranges = written(300.0)
    for now in (1.0, 1.2, 1.4):
        for segment in (10, 200):
            ranges.note_throttled(segment, now, segments=32)
    assert ranges.count == 2
    ranges.note_all_delayed(1.4 + FINER_SECONDS, segments=32)
    assert ranges.count == 4


def test_what_holds_nothing_is_not_cut() -> None:
    ranges = written(300.0)
    ranges.note_all_delayed(5.0, segments=32)
    assert ranges.count == 0


def test_a_trial_that_brings_nothing_is_taken_back() -> None:
    """Full partitions, each in a range that holds many segments of it."""
    ranges, now, counts = written(1800.0), 1.0, []
    for _ in range(400):
        for segment in range(256):
            ranges.note_written(segment, 180.0 / 256)
        full = [s for s in range(8, 256, 16) if ranges.most_units_at_once(s) * 10 > 450.0]
        for segment in full:
            ranges.note_throttled(segment, now, segments=32)
        ranges.note_all_delayed(now, segments=32)
        now += 0.1
        counts.append(ranges.count)
    tried = [later > before for before, later in pairwise(counts)]
    assert 2 <= sum(tried) <= 8, "less and less often"
    assert set(counts) == {4, 8}
    assert counts.count(4) > len(counts) / 2


def test_each_segment_for_itself_has_nothing_to_be_cut() -> None:
    ranges = KeyRanges(None, now=0.0)
    ranges.note_throttled(3, 1.0, segments=2)
    ranges.note_all_delayed(9.0, segments=2)
    assert ranges.most_units_at_once(3) < math.inf
