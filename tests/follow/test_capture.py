"""The capture beside a stream that does what streams do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from random import Random

import anyio
import pytest

from dynaferry.errors import StoppedError
from dynaferry.follow import spool_late_writes
from dynaferry.follow.capture import MOST_PAGES_IN_MEMORY
from dynaferry.follow.lineage import ShardState
from dynaferry.follow.shard_reader import OTHERS_READ
from dynaferry.follow.spool_file import SpoolFile
from tests.follow.stream_world import Follower, StreamWorld, living, now

HOUR = 3600.0
SEEDS = range(6)


@asynccontextmanager
async def followed(world: StreamWorld) -> AsyncIterator[Follower]:
    follower = Follower(world)
    await follower.start()
    try:
        yield follower
    finally:
        await follower.kill()


async def write_for(
    world: StreamWorld, seconds: float, chance: Random, pause: float = 0.05
) -> None:
    """Some keys change all the time; shards split and roll."""
    end, version = now() + seconds, 0
    while now() < end:
        version += 1
        for _ in range(chance.randint(1, 5)):
            deleted = chance.random() < 0.2
            world.write(f"k{chance.randint(1, 40)}", None if deleted else version)
        if chance.random() < 0.01:
            world.close(chance.choice([1, 1, 2]))
        await anyio.sleep(pause * chance.random() * 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_the_service_does_every_change_is_captured_once(seed: int) -> None:
    async def story() -> None:
        world = StreamWorld(seed, trouble=0.1)
        world.page_size = 20
        async with followed(world) as follower:
            await write_for(world, 60, Random(seed))
            await anyio.sleep(120)
            follower.assert_has_everything()
            assert follower.capture.stats.throttled > 0

    living(story)


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_any_moment_it_loses_nothing_and_doubles_nothing(seed: int) -> None:
    async def story() -> None:
        chance = Random(seed)
        world = StreamWorld(seed, trouble=0.1)
        world.page_size = 20
        follower = Follower(world)
        for _ in range(25):
            await follower.start()
            await write_for(world, chance.uniform(0.01, 6.0), chance)
            await follower.kill()
            if chance.random() < 0.3:
                await write_for(world, chance.uniform(0.0, 30.0), chance)
        await follower.start()
        await anyio.sleep(180)
        follower.assert_has_everything()
        await follower.kill()

    living(story)


def test_a_full_disk_stops_the_reading_and_nothing_else() -> None:
    async def story() -> None:
        world = StreamWorld(3, shards=60)
        world.page_size = 5
        async with followed(world) as follower:
            await write_for(world, 5, Random(3))
            await anyio.sleep(5)
            follower.spool.is_full = True
            given = world.pages_given
            # Longer than an iterator lasts.
            await write_for(world, 20 * 60, Random(4), pause=2.0)
            assert world.pages_given - given <= MOST_PAGES_IN_MEMORY
            assert "full" in (follower.capture.stats.disk_error or "")
            follower.spool.is_full = False
            await anyio.sleep(120)
            assert not follower.capture.stats.disk_error
            follower.assert_has_everything()

    living(story)


def test_what_was_over_before_the_overlap_is_read_and_passed_over() -> None:
    async def story() -> None:
        world = StreamWorld()
        for version in range(10):
            world.write("old", version)
        world.close(1)
        await anyio.sleep(200)
        world.write("old", 10)
        await anyio.sleep(200)
        world.write("young", 1)
        async with followed(world) as follower:
            world.write("new", 1)
            await anyio.sleep(5)
            follower.assert_has_everything()
            assert follower.file.counts().captured == 3
            # What stood in a shard that was closed before was not even read.
            assert follower.capture.stats.passed_over <= 10

    living(story)


def test_what_expires_is_known_from_what_is_written_and_captured_like_it() -> None:
    async def story() -> None:
        world = StreamWorld()
        async with followed(world) as follower:
            begin = partial(spool_late_writes.begin, at=now())
            await follower.spool.run(partial(SpoolFile.change, step=begin))
            world.write("a", 1)
            await anyio.sleep(5)
            before = follower.capture.stats.last_expiry_at
            assert before is None
            world.write("a", None, is_expiry=True)
            world.write("b", None, is_expiry=True)
            await anyio.sleep(5)
            expired_at = follower.capture.stats.last_expiry_at
            assert expired_at is not None
            assert now() - expired_at < 5
            counts = follower.file.counts()
            assert (counts.captured, counts.late_writes, counts.expired) == (3, 1, 2)
            follower.assert_has_everything()

    living(story)


def test_an_idle_stream_is_not_written_about_at_each_poll() -> None:
    async def story() -> None:
        world = StreamWorld(shards=16)
        async with followed(world) as follower:
            await anyio.sleep(600)
            assert follower.capture.stats.polls > 16 * 300
            assert follower.spool.writes < 25
            alive_at = follower.file.origin().alive_at
            assert alive_at is not None
            assert now() - alive_at < 70
            polled_at = follower.capture.polled_at
            assert polled_at is not None
            assert now() - polled_at < 2

    living(story)


def test_a_shard_is_asked_less_often_while_nobody_waits_and_nothing_is_missed() -> None:
    async def story() -> None:
        world = StreamWorld(shards=1)
        async with followed(world) as follower:
            polls = []
            for is_hasty in (True, False, True):
                follower.capture.polls.is_hasty = is_hasty
                await anyio.sleep(2)
                before = follower.capture.stats.polls
                for version in range(40):
                    world.write("k", version)
                    await anyio.sleep(0.5)
                polls.append(follower.capture.stats.polls - before)
            assert polls[1] <= 21 < 80 < min(polls[0], polls[2])
            await anyio.sleep(2)
            assert follower.capture.stats.changes == 120

    living(story)


def test_it_is_told_until_when_everything_is_in_the_spool_and_a_hidden_child_holds_that_back() -> (
    None
):
    async def story() -> None:
        world = StreamWorld(shards=1)
        async with followed(world) as follower:
            assert not follower.capture.polled_at
            world.write("a", 1)
            await anyio.sleep(5)
            closed_at = now()
            world.close(1)
            shown = list(world.shards)
            child = world.shards.pop(shown[-1])
            await anyio.sleep(20)
            assert follower.capture.stats.shards_childless == 1
            polled_at = follower.capture.polled_at
            assert polled_at is not None
            assert polled_at <= closed_at + 1
            world.shards[child.id] = child
            await anyio.sleep(5)
            assert now() - (follower.capture.polled_at or 0.0) < 2

    living(story)


def test_a_stream_that_is_disabled_is_read_to_its_end() -> None:
    async def story() -> None:
        world = StreamWorld()
        async with followed(world) as follower:
            await write_for(world, 5, Random(1))
            world.disable()
            await anyio.sleep(60)
            follower.assert_has_everything()
            states = {position.state for position in follower.file.positions()}
            assert states == {ShardState.DONE}
            assert not follower.capture.is_enabled
            assert follower.capture.stats.shards_reading == 0

    living(story)


# Gaps --------------------------------------------------------------------------------------------


def test_a_day_without_reading_is_a_gap_where_something_was_trimmed() -> None:
    async def story() -> None:
        world = StreamWorld(shards=2)
        follower = Follower(world)
        await follower.start()
        for number in range(20):
            world.write(f"k{number}", 1)
        await anyio.sleep(5)
        await follower.kill()
        await anyio.sleep(60)
        world.write("k1", 2)
        world.close(1)
        world.close(1)
        await anyio.sleep(25 * HOUR)
        world.trim()
        world.write("k1", 3)
        await follower.start()
        await anyio.sleep(180)
        gaps = [gap for _, gap in follower.file.open_gaps()]
        assert gaps
        assert len(gaps) == len(set(gaps))
        rows = follower.file.waiting(0, 100)
        # What is newer than the gap keeps its image, everything else is read again.
        assert sum(row.image is not None for row in rows) <= 1
        await follower.kill()
        await follower.start()
        await anyio.sleep(180)
        assert [gap for _, gap in follower.file.open_gaps()] == gaps
        await follower.kill()

    living(story)


def test_a_shard_that_was_read_to_its_last_record_before_it_was_trimmed_is_no_gap() -> None:
    async def story() -> None:
        world = StreamWorld(shards=1)
        follower = Follower(world)
        await follower.start()
        world.write("a", 1)
        await anyio.sleep(5)
        await follower.kill()
        await anyio.sleep(2 * HOUR)
        world.close(1)
        await anyio.sleep(23 * HOUR)
        world.trim()
        assert len(world.shards) == 2
        world.write("a", 2)
        await follower.start()
        await anyio.sleep(60)
        follower.assert_has_everything()
        await follower.kill()

    living(story)


def test_a_shard_of_which_nothing_is_left_is_told_once_and_its_child_is_read() -> None:
    async def story() -> None:
        world = StreamWorld(shards=1)
        follower = Follower(world)
        await follower.start()
        world.write("a", 1)
        await anyio.sleep(5)
        await follower.kill()
        world.write("a", 2)
        await anyio.sleep(2 * HOUR)
        world.close(1)
        await anyio.sleep(23 * HOUR)
        world.trim()
        assert len(world.shards) == 2
        world.write("b", 1)
        await follower.start()
        await anyio.sleep(120)
        assert len(follower.file.open_gaps()) == 1
        assert sorted(row.image is None for row in follower.file.waiting(0, 9)) == [False, True]
        await follower.kill()

    living(story)


def test_a_shard_that_nobody_could_read_for_a_day_is_a_gap_though_nothing_refuses_it() -> None:
    async def story() -> None:
        world = StreamWorld(shards=1)
        async with followed(world) as follower:
            world.has_other_readers = True
            world.write("a", 1)
            await anyio.sleep(25 * HOUR)
            world.trim()
            assert "takes two readers" in (follower.capture.stats.trouble or "")
            world.has_other_readers = False
            world.write("a", 2)
            await anyio.sleep(60)
            ((_, gap),) = follower.file.open_gaps()
            assert gap.why == "it was not read for 24 hours"
            # It is read from there on, and what is newer keeps its image.
            assert [row.image is not None for row in follower.file.waiting(0, 9)] == [True]

    living(story)


def test_who_was_seen_to_read_the_stream_is_named_where_a_shard_refuses_a_third_reader() -> None:
    async def story() -> None:
        world = StreamWorld()
        follower = Follower(world)
        await follower.start()
        stats = follower.capture.stats
        stats.other_readers = ("the function audit", "the replication of this global table")
        world.has_other_readers = True
        await anyio.sleep(2.0)
        trouble = stats.trouble or ""
        assert OTHERS_READ in trouble
        assert "seen: the function audit, the replication of this global table" in trouble
        await follower.kill()

    living(story)


def test_a_stream_that_may_not_be_read_stops_the_capture() -> None:
    class Denied(StreamWorld):
        async def iterator(self, shard: str, after: int | None) -> str:
            raise StoppedError("you may not")

    async def story() -> None:
        follower = Follower(Denied())
        await follower.start()
        with pytest.raises(ExceptionGroup) as raised:
            await follower.capture_ended()
        assert raised.group_contains(StoppedError)

    living(story)
