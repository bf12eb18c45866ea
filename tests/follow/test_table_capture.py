"""The capture of a table whose stream is disabled, made anew, or away for too long."""

import asyncio
import sqlite3
from contextlib import suppress
from pathlib import Path
from random import Random

import anyio
import pytest

from dynaferry.errors import StreamGoneError, ThrottledError
from dynaferry.follow import shard_reader, table_capture
from dynaferry.follow.lineage import OVERLAP_SECONDS
from dynaferry.follow.shard_reader import RETENTION_SECONDS
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_schema import SCHEMA
from dynaferry.follow.table_capture import DISABLED, TableCapture, why_lost
from dynaferry.ports import ChangeKind, ChangeSource, StreamListing
from tests.follow.changes import image_of, key_named
from tests.follow.stream_world import SpoolAtHand, StreamWorld, living, now

HOUR = 3600.0


class TableWorld:
    """A table that has one stream after the other. A `TableStreams`."""

    def __init__(self, seed: int = 0, *, trouble: float = 0.0) -> None:
        self.trouble = trouble
        self.chance = Random(seed)
        self.streams: dict[str, StreamWorld] = {}
        self.enabled: str | None = None
        self.enable()

    def enable(self) -> StreamWorld:
        """Another stream, as `UpdateTable` makes it."""
        self.enabled = f"arn:{len(self.streams)}"
        world = StreamWorld(len(self.streams), trouble=self.trouble)
        for shard in world.shards.values():
            shard.made_at = now() if self.streams else shard.made_at
        self.streams[self.enabled] = world
        return world

    def disable(self) -> None:
        assert self.enabled is not None
        self.streams[self.enabled].disable()
        self.enabled = None

    async def latest(self) -> str | None:
        await anyio.sleep(0.01)
        return self.enabled

    async def opened(self, arn: str) -> tuple[ChangeSource, StreamListing]:
        world = self.streams.get(arn)
        if world is None:
            raise StreamGoneError("there is no such stream")
        return world, await world.list_shards()


class TableFollower:
    """The capture of a `TableWorld`, as often as it is started, on one spool."""

    def __init__(self, table: TableWorld) -> None:
        self.table = table
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.executescript(SCHEMA)
        self._connection.execute("INSERT INTO spool (id) VALUES ('id')")
        self.capture: TableCapture
        self._task: asyncio.Task[None] | None = None

    @property
    def file(self) -> SpoolFile:
        return SpoolFile(self._connection, Path("in memory"))

    async def start(self) -> None:
        self.capture = TableCapture(self.table, SpoolAtHand(self.file), clock=now)
        await self.capture.open()
        self._task = asyncio.create_task(self.capture.run())

    async def kill(self) -> None:
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    def is_capturing(self) -> bool:
        return self.capture.is_capturing

    def trouble(self) -> str | None:
        return self.capture.stats.trouble

    def gaps(self) -> list[str]:
        return [gap.why for _, gap in self.file.open_gaps()]

    def kinds(self) -> dict[bytes, ChangeKind]:
        return {row.key: row.kind for row in self.file.waiting(0, 1000)}


@pytest.mark.parametrize("seed", range(3))
def test_a_stream_that_is_disabled_is_read_to_its_end_before_the_one_that_comes_after_it(
    seed: int,
) -> None:
    async def story() -> None:
        table = TableWorld(seed, trouble=0.1)
        follower = TableFollower(table)
        await follower.start()
        old = table.streams["arn:0"]
        for version in range(50):
            old.write(f"k{version % 7}", version)
            await anyio.sleep(0.05)
        table.disable()
        new = table.enable()
        new.write("k1", 99)
        new.write("new", 1)
        await anyio.sleep(120)
        assert follower.file.counts().captured == 52
        assert follower.gaps() == ["the table has another stream now: arn:1"]
        assert follower.is_capturing()
        # What was read of the old one is older than what was lost between them.
        kinds = follower.kinds()
        assert kinds.pop(key_named("k1")) is kinds.pop(key_named("new")) is ChangeKind.PUT
        assert set(kinds.values()) == {ChangeKind.READ_AGAIN}
        images = {row.key: row.image for row in follower.file.waiting(0, 99) if row.image}
        assert images[key_named("k1")] == image_of("k1", 99)
        await follower.kill()

    living(story)


def test_without_a_stream_there_is_a_gap_until_there_is_another() -> None:
    async def story() -> None:
        table = TableWorld()
        follower = TableFollower(table)
        await follower.start()
        await anyio.sleep(10)
        assert follower.is_capturing()
        table.disable()
        await anyio.sleep(120)
        assert follower.gaps() == [DISABLED]
        assert follower.trouble() == DISABLED
        assert not follower.is_capturing()
        assert follower.capture.polled_at is None
        table.enable().write("a", 1)
        await anyio.sleep(60)
        assert follower.gaps() == [DISABLED, "the table has another stream now: arn:1"]
        assert follower.is_capturing()
        assert follower.trouble() is None
        assert follower.kinds() == {key_named("a"): ChangeKind.PUT}
        await follower.kill()

    living(story)


def test_a_stream_that_was_made_anew_while_nobody_captured_is_read_from_where_it_was() -> None:
    async def story() -> None:
        table = TableWorld()
        follower = TableFollower(table)
        await follower.start()
        table.streams["arn:0"].write("a", 1)
        await anyio.sleep(5)
        await follower.kill()
        table.streams["arn:0"].write("b", 1)
        table.disable()
        table.enable().write("c", 1)
        await anyio.sleep(HOUR)
        await follower.start()
        await anyio.sleep(60)
        assert set(follower.kinds()) >= {key_named("a"), key_named("b")}
        assert follower.gaps() == ["the table has another stream now: arn:1"]
        await follower.kill()

    living(story)


def test_a_stream_that_is_gone_by_then_is_a_gap_and_the_other_is_captured() -> None:
    async def story() -> None:
        table = TableWorld()
        follower = TableFollower(table)
        await follower.start()
        table.streams["arn:0"].write("a", 1)
        await anyio.sleep(5)
        await follower.kill()
        table.disable()
        new = table.enable()
        await anyio.sleep(30 * HOUR)
        del table.streams["arn:0"]
        await follower.start()
        new.write("b", 1)
        await anyio.sleep(30)
        assert follower.gaps() == ["the stream arn:0 is not there any more"]
        assert follower.kinds() == {
            key_named("a"): ChangeKind.READ_AGAIN,
            key_named("b"): ChangeKind.PUT,
        }
        await follower.kill()

    living(story)


def test_a_stream_that_goes_while_it_is_read_is_a_gap_and_the_other_is_captured() -> None:
    class Going(StreamWorld):
        is_gone = False

        async def list_shards(self, seconds_a_page: float = 0.0) -> StreamListing:
            if self.is_gone:
                raise StreamGoneError("there is no such stream")
            return await super().list_shards(seconds_a_page)

    async def story() -> None:
        table = TableWorld()
        going = table.streams["arn:0"] = Going()
        follower = TableFollower(table)
        await follower.start()
        going.has_other_readers = True  # so that it cannot be read to its end
        await anyio.sleep(5)
        table.disable()
        table.enable()
        going.has_other_readers, going.is_gone = False, True
        going.shards.clear()
        await anyio.sleep(60)
        assert follower.gaps() == ["the table has another stream now: arn:1"]
        assert follower.is_capturing()
        await follower.kill()

    living(story)


# Nobody captured ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "is_gap"), [(1.0, False), (23.9, False), (24.1, True), (100.0, True)]
)
def test_a_capture_that_was_down_for_more_than_a_day_has_a_gap(hours: float, is_gap: bool) -> None:
    async def story() -> None:
        table = TableWorld()
        follower = TableFollower(table)
        await follower.start()
        table.streams["arn:0"].write("a", 1)
        await anyio.sleep(90)
        await follower.kill()
        await anyio.sleep(hours * HOUR)
        await follower.start()
        await anyio.sleep(60)
        assert bool(follower.gaps()) is is_gap
        kind = ChangeKind.READ_AGAIN if is_gap else ChangeKind.PUT
        assert follower.kinds() == {key_named("a"): kind}
        # It is told once, not with every start.
        told = follower.gaps()
        await follower.kill()
        await follower.start()
        await anyio.sleep(60)
        assert follower.gaps() == told
        await follower.kill()

    living(story)


def test_a_shard_that_was_not_read_for_a_day_is_a_gap_though_others_were_between_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    day = HOUR / 4  # the test would take a minute else
    for module in (shard_reader, table_capture):
        monkeypatch.setattr(module, "RETENTION_SECONDS", day)

    class Starved(StreamWorld):
        starved: str | None = None

        async def iterator(self, shard: str, after: int | None) -> str:
            if shard == self.starved:
                raise ThrottledError("too many readers", code="LimitExceededException")
            return await super().iterator(shard, after)

    async def story() -> None:
        table = TableWorld()
        world = table.streams["arn:0"] = Starved(shards=2)
        world.starved = sorted(world.shards)[0]
        follower = TableFollower(table)
        for _ in range(3):
            await follower.start()
            await anyio.sleep(0.4 * day)
            await follower.kill()
        world.starved = None
        await follower.start()
        await anyio.sleep(60)
        assert follower.gaps()
        await follower.kill()

    living(story)


def test_why_records_may_be_lost_is_told_by_what_the_clock_says() -> None:
    assert why_lost(1_000.0, 1_000.0 + RETENTION_SECONDS) is None
    assert "24 hours" in (why_lost(1_000.0, 1_001.0 + RETENTION_SECONDS) or "")
    assert why_lost(1_000.0 + OVERLAP_SECONDS, 1_000.0) is None
    # Set back, it cannot tell: better a comparison in vain than a loss.
    assert "set back" in (why_lost(1_001.0 + OVERLAP_SECONDS, 1_000.0) or "")
