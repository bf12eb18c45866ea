"""Quiet is only what stayed empty for long enough, on every shard, with everything listed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaferry.follow.delays import DELAY_WINDOW_SECONDS
from dynaferry.follow.quiet import (
    LEAST_POLLS,
    LEAST_SECONDS,
    Listing,
    Quiet,
    QuietWatch,
    Spooled,
)

NOW = 1_800_000_000.0
NOTHING = Spooled()
TICK = 0.2


class Watched:
    """A watch over shards that are polled five times a second."""

    def __init__(self, *shards: str) -> None:
        self.now = NOW
        self.watch = QuietWatch(NOW)
        self.shards = list(shards)
        for shard in shards:
            self.watch.opened(shard, NOW)

    def poll(self, seconds: float, *shards: str) -> None:
        until = self.now + seconds
        while self.now < until - TICK / 2:
            self.now += TICK
            for shard in shards or self.shards:
                self.watch.read(shard, self.now, self.now)

    def record(self, shard: str, delay: float = 0.0) -> None:
        created = self.now - delay
        self.watch.read(shard, self.now, self.now, records=1, created_at=(created, created))

    def list(self, unread: int = 0, childless: int = 0) -> None:
        self.watch.listed(Listing(self.now, unread, childless))

    def verdict(self, spooled: Spooled = NOTHING) -> Quiet:
        return self.watch.verdict(self.now, spooled)


def quiet_world(*shards: str) -> Watched:
    world = Watched(*shards)
    world.poll(LEAST_SECONDS / 2)
    world.list()
    world.poll(LEAST_SECONDS / 2 + TICK)
    return world


def test_it_is_quiet_once_every_shard_stayed_empty_and_all_are_listed() -> None:
    world = quiet_world("a", "b")
    assert world.verdict() == Quiet(True, (), 0.0, NOW)


def test_nothing_that_was_not_read_is_quiet_however_long_it_is_waited() -> None:
    world = Watched("a")
    world.now += 3600
    world.list()
    assert world.verdict().waits_for == ("empty reads of 1 of 1 shards",)


def test_a_stream_of_which_no_shard_is_read_is_not_quiet() -> None:
    world = Watched()
    world.now += 3600
    world.list()
    assert world.verdict().waits_for == ("a shard that is read",)


def test_a_record_of_any_shard_begins_it_anew_for_all() -> None:
    world = quiet_world("a", "b")
    world.record("b")
    verdict = world.verdict()
    assert not verdict.holds
    assert verdict.seconds == LEAST_SECONDS
    assert len(verdict.waits_for) == 3
    world.poll(LEAST_SECONDS - TICK)
    assert not world.verdict().holds
    world.list()
    world.poll(2 * TICK)
    assert world.verdict().holds


def test_five_reads_at_once_are_not_enough_and_neither_is_one_at_the_end() -> None:
    world = Watched("a")
    world.poll(1.5)
    world.now += LEAST_SECONDS
    world.list()
    assert world.verdict().waits_for == ("empty reads of 1 of 1 shards",)
    other = Watched("a")
    other.now += LEAST_SECONDS
    other.list()
    other.poll(2 * TICK)
    assert other.verdict().waits_for == ("empty reads of 1 of 1 shards",)
    other.poll(LEAST_POLLS * TICK)
    assert other.verdict().holds


def test_a_shard_that_is_not_read_any_more_holds_it_up() -> None:
    world = Watched("a", "b")
    world.poll(2.0)
    world.list()
    world.poll(LEAST_SECONDS, "a")
    assert world.verdict().waits_for == ("empty reads of 1 of 2 shards",)


def test_a_read_that_was_asked_for_before_the_record_came_counts_for_nothing() -> None:
    world = Watched("a", "b")
    world.record("a")
    recorded_at = world.now
    for _ in range(2 * LEAST_POLLS):
        world.watch.read("b", recorded_at - 0.1, recorded_at + 0.1)
    world.poll(LEAST_SECONDS + TICK, "a")
    world.list()
    assert world.verdict().waits_for == ("empty reads of 1 of 2 shards",)


def test_a_listing_from_before_the_last_record_or_the_last_new_shard_is_old() -> None:
    world = Watched("a")
    world.list()
    world.record("a")
    world.poll(LEAST_SECONDS + TICK)
    assert world.verdict().waits_for == ("a fresh listing of the shards",)
    assert world.verdict().needs_listing
    world.list()
    assert world.verdict().holds
    world.watch.ended("a", world.now + TICK)
    world.watch.opened("b", world.now + TICK)
    world.shards = ["b"]
    world.poll((LEAST_POLLS + 2) * TICK)
    assert world.verdict().waits_for == ("a fresh listing of the shards",)
    world.list()
    assert world.verdict().holds


def test_a_shard_that_appears_is_read_as_often_and_all_are_listed_once_more() -> None:
    world = quiet_world("a")
    world.watch.opened("b", world.now)
    world.shards = ["a", "b"]
    world.poll((LEAST_POLLS - 1) * TICK)
    world.list()
    assert world.verdict().waits_for == ("empty reads of 1 of 2 shards",)
    world.poll(TICK)
    assert world.verdict().holds
    # One that appears early is read until the time is over, as the others are.
    early = Watched("a")
    early.poll(1.0)
    early.watch.opened("b", early.now)
    early.shards = ["a", "b"]
    early.poll(1.5)
    early.list()
    early.poll(LEAST_SECONDS - 3.0)
    early.shards = ["a"]
    early.poll(1.0)
    assert early.verdict().waits_for == ("empty reads of 1 of 2 shards",)


def test_no_listing_is_asked_for_while_records_come() -> None:
    world = Watched("a")
    world.record("a")
    assert not world.verdict().needs_listing
    world.poll(1.2)
    assert world.verdict().needs_listing


@pytest.mark.parametrize(
    ("listing", "told"),
    [({"unread": 2}, "2 shards that are not read"), ({"childless": 1}, "children of 1 shards")],
)
def test_what_a_listing_leaves_unread_holds_it_up(listing: dict[str, int], told: str) -> None:
    world = quiet_world("a")
    world.list(**listing)
    (waits,) = world.verdict().waits_for
    assert told in waits


@pytest.mark.parametrize("spooled", [Spooled(waiting=1), Spooled(in_flight=1)])
def test_what_is_not_applied_holds_it_up(spooled: Spooled) -> None:
    world = quiet_world("a")
    assert not world.verdict(spooled).holds
    assert not world.watch.verdict(world.now, spooled, is_drained=True).holds


def test_a_stream_whose_shards_have_all_ended_needs_no_time() -> None:
    world = Watched("a")
    world.record("a")
    world.watch.ended("a", world.now)
    assert world.watch.verdict(world.now, NOTHING, is_drained=True).holds


def test_the_longest_delay_of_late_makes_it_wait_three_times_as_long() -> None:
    world = Watched("a")
    world.poll(5.0)
    # Of 5 s one is the second that its time is rounded to: 4 s are surely the service's.
    world.record("a", delay=5.0)
    assert world.watch.asked_seconds == pytest.approx(12.0)
    world.poll(11.0)
    world.list()
    assert not world.verdict().holds
    world.poll(1.2)
    assert world.verdict().holds


def test_a_delay_that_may_have_been_makes_it_wait_twice_as_long() -> None:
    world = Watched("a")
    world.poll(5.0)
    # Two seconds before it was not there. What is surely the service's is 0.9 s of 3.9 s.
    world.now += 1.8
    world.record("a", delay=3.7)
    assert world.watch.delays.at_least == pytest.approx(0.9)
    assert world.watch.asked_seconds == pytest.approx(2 * 3.7)


def test_polls_and_whole_seconds_alone_ask_for_no_more_than_the_least() -> None:
    world = Watched("a")
    world.poll(5.0)
    # 0.8 s are the service's; nearly a second the rounding's, and a poll and the disk ours.
    asked_at, created = world.now + TICK, world.now + TICK - 1.95
    world.watch.read(
        "a", asked_at, asked_at + 3.0, records=9, came_at=asked_at + 0.1, created_at=(created,) * 2
    )
    assert world.watch.asked_seconds == LEAST_SECONDS


def test_a_delay_is_forgotten_after_ten_minutes_and_a_shorter_one_counts_then() -> None:
    world = Watched("a")
    world.poll(10.0)
    world.record("a", delay=10.0)
    world.poll(300.0)
    world.record("a", delay=4.0)
    world.poll(DELAY_WINDOW_SECONDS - 299.0)
    world.verdict()
    assert world.watch.asked_seconds == pytest.approx(9.0)


def test_what_waited_because_nobody_read_says_nothing_of_the_service() -> None:
    world = Watched("a")
    delays = world.watch.delays
    world.record("a", delay=900.0)  # the first read after a pause of a quarter of an hour
    assert delays.at_most == 0.0
    world.watch.read("a", world.now, world.now, records=1000, is_full=True)
    world.record("a", delay=800.0)  # behind a full page
    assert delays.at_most == 0.0
    world.now += TICK
    world.record("a", delay=700.0)  # it may have shown before the shard was read
    assert delays.at_most == pytest.approx(TICK)
    world.poll(TICK)
    world.now += 600.0
    world.record("a", delay=500.0)
    assert delays.at_most == pytest.approx(TICK)  # it was written while nobody read
    world.now += 3.0
    world.record("a", delay=8.0)
    assert delays.at_least == pytest.approx(4.0)  # 3 s of it nobody read, and 1 s is rounding


EVENTS = st.tuples(
    st.sampled_from(["poll", "poll", "poll", "poll", "record", "list", "split"]),
    st.integers(0, 2),
)


@given(
    st.lists(st.tuples(EVENTS, st.sampled_from([0.2, 0.5, 1.0, 3.0])), min_size=1, max_size=60),
    st.integers(0, 1),
)
@settings(max_examples=300)
def test_it_says_what_a_look_through_all_that_happened_says(
    history: list[tuple[tuple[str, int], float]], waiting: int
) -> None:
    """The same rule told another way: over the whole history, instead of as it happens."""
    now, shards, opened_at, changed_at = NOW, ["0"], {"0": NOW}, NOW
    watch = QuietWatch(NOW)
    watch.opened("0", NOW)
    records, polls, listed_at = [NOW], [], -1.0
    for (what, which), pause in history:
        now += pause
        shard = shards[which % len(shards)]
        if what == "record":
            watch.read(shard, now, now, records=1)
            records.append(now)
        elif what == "poll":
            watch.read(shard, now, now)
            polls.append((now, shard))
        elif what == "list":
            watch.listed(Listing(now))
            listed_at = now
        elif len(shards) < 3:
            shards.append(str(len(shards)))
            opened_at[shards[-1]] = changed_at = now
            watch.opened(shards[-1], now)
    last, silent = records[-1], True
    for shard in shards:
        since = max(last, opened_at[shard])
        empty = [at for at, polled in polls if polled == shard and at > since]
        silent &= len(empty) >= LEAST_POLLS and max(empty) >= last + LEAST_SECONDS
    is_listed = listed_at > max(last, changed_at)
    wanted = silent and is_listed and now - last >= LEAST_SECONDS and not waiting
    assert watch.verdict(now, Spooled(waiting)).holds == wanted
