"""A go lacks no record, however late one shows within what is waited for, and takes no longer."""

import statistics

from hypothesis import given, settings
from hypothesis import strategies as st

from dynaferry.follow.cut_over import Go, NotReady
from dynaferry.follow.quiet import LEAST_SECONDS
from tests.model.quiet_world import QuietWorld, cut_over

USUAL = (0.2, 0.8)
LATE = (0.2, 4.9)


@given(
    seed=st.integers(0, 10**6),
    late=st.integers(0, 2),
    asked_after=st.floats(0.5, 4.0),
    splits_at=st.one_of(st.none(), st.floats(0.5, 6.0)),
)
@settings(max_examples=60)
def test_no_go_lacks_a_record_where_some_show_late_and_a_shard_splits(
    seed: int, late: int, asked_after: float, splits_at: float | None
) -> None:
    """Asked before the writers stop or behind; with the shards that show late others do not."""
    world = QuietWorld(seed, [LATE] * late + [USUAL] * 2)
    ended = cut_over(world, asked_after=asked_after, splits_at=splits_at)
    assert isinstance(ended.end, Go)
    assert ended.unread == 0


@given(seed=st.integers(0, 10**6), writes=st.sampled_from([0.4, 3.0, 40.0]))
@settings(max_examples=40)
def test_asked_once_the_writers_have_stopped_all_shards_may_show_late(
    seed: int, writes: float
) -> None:
    world = QuietWorld(seed, [LATE] * 2)
    ended = cut_over(world, writes_per_second=writes, stop_after=2.0, asked_after=2.1)
    assert isinstance(ended.end, Go)
    assert ended.unread == 0


def test_what_shows_later_than_is_waited_for_is_missed_so_that_this_could_fail() -> None:
    missed = 0
    for seed in range(20):
        world = QuietWorld(seed, [(7.0, 9.0)])
        ended = cut_over(world, writes_per_second=0.4, stop_after=2.0, asked_after=2.1)
        missed += ended.unread > 0
    assert missed


def test_where_delays_are_as_usual_the_outage_is_little_more_than_the_least_silence() -> None:
    seconds = []
    for seed in range(15):
        world = QuietWorld(seed, [USUAL] * 8)
        ended = cut_over(world, asked_after=12.0, stop_after=14.0, writes_per_second=100.0)
        assert isinstance(ended.end, Go)
        # Two empty pages in the middle are our own polls, twice.
        assert world.watch.asked_seconds < LEAST_SECONDS + 1.0
        seconds.append(ended.seconds)
    assert statistics.median(seconds) < LEAST_SECONDS + 2.5
    assert max(seconds) < LEAST_SECONDS + 4.0


def test_a_late_record_is_waited_for_in_the_next_cut_over() -> None:
    world = QuietWorld(1, [(3.9, 4.0)])
    ended = cut_over(world, asked_after=12.0, stop_after=14.0)
    assert isinstance(ended.end, Go)
    assert ended.seconds > 3 * 2.8


def test_writers_that_never_stop_end_it_at_its_time() -> None:
    world = QuietWorld(1, [USUAL] * 4)
    ended = cut_over(world, stop_after=None, timeout_seconds=30.0)
    assert isinstance(ended.end, NotReady)
    assert "30 s are over: stop the writers now" in ended.end.reasons[0]
    # The rate of a trickle is not seen within a second: then silence is what is waited for.
    trickle = cut_over(
        QuietWorld(1, [USUAL]), stop_after=None, writes_per_second=0.3, timeout_seconds=30.0
    )
    assert isinstance(trickle.end, NotReady)
