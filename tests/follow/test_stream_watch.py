"""What a capture notes of its stream is what a switch asks for."""

import pytest
from msgspec.structs import replace

from dynaferry.follow.lineage import Lineage
from dynaferry.follow.quiet import LEAST_SECONDS, Spooled
from dynaferry.follow.shard_reader import Read
from dynaferry.follow.stream_watch import FULL_PAGE_BYTES, StreamWatch
from dynaferry.ports import ChangeKind, ChangePage, ChangeRecord, Shard

NOW = 1_800_000_000.0


def page(*keys: bytes, created_at: float = NOW) -> ChangePage:
    changes = [ChangeRecord(key, key, ChangeKind.DELETE, created_at=created_at) for key in keys]
    return ChangePage(changes, 1 if keys else None, "next", 0)


def test_pages_listings_and_the_end_of_a_shard_make_it_quiet_or_not() -> None:
    now = NOW
    watch = StreamWatch(lambda: now)
    lineage = Lineage()
    lineage.begin([Shard("a")], NOW)
    watch.opened("a")
    watch.stored(Read("a", page(b"k1", b"k2"), at=now))
    for _ in range(30):
        now += 0.2
        watch.stored(Read("a", page(), at=now))
    assert watch.quiet.verdict(now, Spooled()).waits_for == ("a fresh listing of the shards",)
    watch.listed(now, lineage)
    assert watch.quiet.verdict(now, Spooled()).holds
    # The delay of what was read all the time is the service's.
    now += 0.2
    watch.stored(Read("a", page(b"k1", created_at=now - 3.0), at=now, came_at=now))
    assert watch.quiet.asked_seconds == pytest.approx(6.0)
    assert watch.quiet.asked_seconds > LEAST_SECONDS
    assert watch.recent.latest_first() == [b"k1", b"k2"]
    lineage.ended("a", now)
    watch.ended("a")
    now += 60
    watch.listed(now, lineage)
    verdict = watch.quiet.verdict(now, Spooled())
    assert verdict.waits_for == ("a shard that is read", "the children of 1 shards")


def test_what_is_no_page_is_no_read() -> None:
    watch = StreamWatch(lambda: NOW)
    watch.stored(Read("a", is_over=True))
    assert watch.quiet.verdict(NOW + 60, Spooled()).waits_for[0] == "a shard that is read"


def test_what_lies_behind_a_full_page_has_waited_for_us() -> None:
    for changes, body_bytes in ((500, 0), (3, FULL_PAGE_BYTES), (3, 0)):
        now = NOW
        watch = StreamWatch(lambda: now)  # noqa: B023  # asked for within the same turn
        watch.opened("a")
        for _ in range(30):
            now += 0.2
            watch.stored(Read("a", page(), at=now))
        full = page(*[b"k"] * changes, created_at=now)
        watch.stored(Read("a", replace(full, body_bytes=body_bytes), at=now, came_at=now))
        now += 0.2
        watch.stored(Read("a", page(b"k", created_at=now - 5.5), at=now, came_at=now))
        is_the_services = changes < 500 and not body_bytes
        assert (watch.quiet.delays.at_least > 0) is is_the_services


def test_what_was_written_before_anybody_read_tells_nothing_of_the_services_delay() -> None:
    now = NOW
    watch = StreamWatch(lambda: now)
    watch.opened("a")
    for _ in range(3):  # a backlog, in pages that are not full
        now += 0.2
        watch.stored(Read("a", page(b"k1", created_at=NOW - 60.0), at=now))
    assert watch.quiet.delays.at_most == 0
    now += 0.2
    watch.stored(Read("a", page(b"k1", created_at=now - 0.5), at=now))
    assert watch.quiet.delays.at_most > 0
