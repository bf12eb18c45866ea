"""The capture beside the service's own engine, whose shards roll and records age on demand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import anyio
import msgspec
import pytest

from dynaferry.dynamodb.account.session import AccountSession, open_account
from dynaferry.dynamodb.client import open_client
from dynaferry.dynamodb.items.streams import TableStream
from dynaferry.dynamodb.signing import STREAMS_API_PREFIX
from dynaferry.dynamodb.tables.describe import describe_table
from dynaferry.errors import ExpiredIteratorError, TrimmedError
from dynaferry.follow.lineage import ShardState
from dynaferry.follow.spool import Spool
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.table import open_capture, open_spool
from dynaferry.follow.table_capture import TableCapture
from dynaferry.ports import ChangeKind
from tests.local.dynamodb_local import LocalWorld
from tests.worlds.client import canonical

ROLLS = 20
HOUR = 3600.0
MOST_SECONDS = 60


@pytest.fixture
def world(rolling_world: LocalWorld) -> LocalWorld:
    return rolling_world


async def create(world: LocalWorld, name: str) -> str:
    """A table with a stream; its ARN."""
    view = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    table = await world.source_tables.create_table(name, StreamSpecification=view)
    return str(table["LatestStreamArn"])


async def write(
    world: LocalWorld, table: str, writes: int, chance: Random, *, first: int = 0
) -> int:
    """Puts and deletes, each of which changes something; returns how many there were."""
    there: set[str] = set()
    for version in range(first, first + writes):
        name = f"k{chance.randint(1, 30)}"
        if name in there and chance.random() < 0.3:
            there.discard(name)
            await world.source_tables.delete_item(table, {"pk": {"S": name}})
        else:
            there.add(name)
            item = {"pk": {"S": name}, "v": {"N": str(version)}, "pad": {"S": "x" * 200}}
            await world.source_tables.put_items(table, [item])
    return writes


@asynccontextmanager
async def captured(
    world: LocalWorld, table: str, path: Path, *, is_new: bool = True
) -> AsyncIterator[tuple[TableCapture, Spool]]:
    """A capture that runs, as a move opens it."""
    async with (
        open_account(world.source, "source") as session,
        open_spool(path, "id", is_new=is_new) as spool,
    ):
        seen = await describe_table(session, table)
        async with (
            open_capture(session, seen, spool, endpoint=world.url) as capture,
            anyio.create_task_group() as group,
        ):
            group.start_soon(capture.run)
            yield capture, spool
            group.cancel_scope.cancel()


async def until(is_so: Callable[[], Awaitable[object]]) -> None:
    with anyio.fail_after(MOST_SECONDS):
        for _ in range(10 * MOST_SECONDS):
            if await is_so():
                return
            await anyio.sleep(0.1)


async def until_captured(spool: Spool, changes: int) -> None:
    async def is_captured() -> bool:
        return (await spool.run(SpoolFile.counts)).captured >= changes

    await until(is_captured)


async def is_done(spool: Spool) -> bool:
    positions = await spool.run(SpoolFile.positions)
    return {position.state for position in positions} == {ShardState.DONE}


async def newest_in(spool: Spool) -> dict[bytes, str]:
    """What the spool says of each key that is there."""
    rows = await spool.run(lambda file: file.waiting(0, 10_000))
    assert ChangeKind.READ_AGAIN not in {row.kind for row in rows}
    return {
        row.key: canonical(msgspec.json.decode(row.image)) for row in rows if row.image is not None
    }


async def table_of(world: LocalWorld, name: str) -> dict[bytes, str]:
    items = await world.source_tables.read_items(name)
    return {msgspec.json.encode({"pk": item["pk"]}): canonical(item) for item in items}


async def test_through_twenty_rolls_every_change_is_captured_and_the_newest_is_the_table(
    world: LocalWorld, tmp_path: Path
) -> None:
    await create(world, "rolls")
    writes = 0
    async with captured(world, "rolls", tmp_path / "spool") as (capture, spool):
        for roll in range(ROLLS):
            # Other versions in each round, so that every put changes something.
            writes += await write(world, "rolls", 15, Random(roll), first=100 * roll)
            await asyncio.to_thread(world.roll)
        await until_captured(spool, writes)
        await anyio.sleep(1)
        counts = await spool.run(SpoolFile.counts)
        assert (counts.captured, counts.open_gaps) == (writes, 0)
        assert await newest_in(spool) == await table_of(world, "rolls")
        positions = await spool.run(SpoolFile.positions)
        assert len(positions) == ROLLS + 1
        assert sum(position.state is ShardState.UNREAD for position in positions) == 1
        assert capture.stats.gaps == 0


async def test_an_iterator_that_expires_is_made_anew_where_it_was(
    world: LocalWorld, tmp_path: Path
) -> None:
    arn = await create(world, "expiry")
    async with captured(world, "expiry", tmp_path / "spool") as (_, spool):
        writes = await write(world, "expiry", 10, Random(1))
        for _ in range(3):
            await until_captured(spool, writes)
            # Ages the iterators that the capture holds, and what it has read.
            await asyncio.to_thread(world.age, 16 * 60.0)
            writes += await write(world, "expiry", 5, Random(2), first=writes)
        await until_captured(spool, writes)
        await anyio.sleep(1)
        counts = await spool.run(SpoolFile.counts)
        assert (counts.captured, counts.open_gaps) == (writes, 0)
    async with opened_stream(world, arn, "expiry") as source:
        (shard,) = (await source.list_shards()).shards
        iterator = await source.iterator(shard.id, None)
        await asyncio.to_thread(world.age, 16 * 60.0)
        with pytest.raises(ExpiredIteratorError):
            await source.read_changes(iterator)


@asynccontextmanager
async def opened_stream(world: LocalWorld, arn: str, table: str) -> AsyncIterator[TableStream]:
    async with open_account(world.source, "source") as session, _client(session, world, table) as c:
        yield TableStream(c, arn=arn, table=table, view="NEW_IMAGE")


def _client(session: AccountSession, world: LocalWorld, table: str):  # type: ignore[no-untyped-def]
    return open_client(
        session, table=table, endpoint=world.url, connections=1, api_prefix=STREAMS_API_PREFIX
    )


async def test_what_was_trimmed_before_it_was_read_is_reported_as_a_gap(
    world: LocalWorld, tmp_path: Path
) -> None:
    arn = await create(world, "gap")
    path = tmp_path / "spool"
    async with captured(world, "gap", path) as (_, spool):
        await until_captured(spool, await write(world, "gap", 10, Random(1)))
        (position,) = await spool.run(SpoolFile.positions)
    read_to = position.sequence
    await write(world, "gap", 10, Random(2), first=10)
    await asyncio.to_thread(world.age, 25 * HOUR)
    async with opened_stream(world, arn, "gap") as source:
        (shard, *_) = (await source.list_shards()).shards
        with pytest.raises(TrimmedError):
            await source.read_changes(await source.iterator(shard.id, read_to))
    async with captured(world, "gap", path, is_new=False) as (capture, spool):
        await until(lambda: spool.run(SpoolFile.open_gaps))
        gaps = await spool.run(SpoolFile.open_gaps)
        # What waited is older than what is lost.
        rows = await spool.run(lambda file: file.waiting(0, 100))
        assert {row.kind for row in rows} == {ChangeKind.READ_AGAIN}
        before = (await spool.run(SpoolFile.counts)).captured
        await world.source_tables.put_items("gap", [{"pk": {"S": "new"}}])
        await until_captured(spool, before + 1)
        assert await spool.run(SpoolFile.open_gaps) == gaps
        assert capture.stats.trouble is None


async def test_a_stream_that_is_disabled_is_read_to_its_end(
    world: LocalWorld, tmp_path: Path
) -> None:
    await create(world, "disabled")
    async with captured(world, "disabled", tmp_path / "spool") as (capture, spool):
        writes = await write(world, "disabled", 10, Random(1))
        off = {"TableName": "disabled", "StreamSpecification": {"StreamEnabled": False}}
        await world.source_tables.call("UpdateTable", off)
        await until_captured(spool, writes)
        await until(lambda: is_done(spool))
        assert capture.stats.shards_reading == 0
        assert await newest_in(spool) == await table_of(world, "disabled")
        assert await spool.run(SpoolFile.open_gaps) == []
