"""Whether the shards of a stream that was disabled hold every write from before."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
from msgspec import Struct

from dynaferry.bench.facts.stream_reading import StreamReading
from dynaferry.bench.facts.subject import Subject, Writing
from dynaferry.dynamodb.tables.create import call_when_allowed, is_active
from dynaferry.dynamodb.tables.describe import describe_table
from dynaferry.errors import NotReadyError

ROUNDS: Final = 3
WRITES: Final = 500
# As fast as its writers go: what is on its way when the stream is closed is what counts.
WRITES_PER_SECOND: Final = 500.0
CLOSED_SECONDS: Final = 600.0
_LOOK_SECONDS: Final = 0.5


class Closing(Struct, frozen=True, kw_only=True):
    """One stream that was disabled the moment the last of its writes was acknowledged.

    `missing` of the writes are in no shard. `closed_seconds` are from the call to the moment that
    the stream is DISABLED and every shard has its end. `records_lost` are missing of those
    behind the positions that were read to before it.
    """

    writes: int
    missing: int
    shards: int
    closed_seconds: float
    records_lost: int


async def measure_closing(
    subject: Subject, writing: Writing, reading: StreamReading, writes: int
) -> Closing:
    """Writes, disables the stream at once, and reads all that it holds.

    :raises NotReadyError: it is not disabled after ten minutes
    """
    await writing.write(writes, WRITES_PER_SECOND)
    positions = await _positions(reading)
    await writing.write(writes, WRITES_PER_SECOND)
    began = time.monotonic()
    await call_when_allowed(
        subject.session,
        "UpdateTable",
        subject.table.called,
        TableName=subject.table.called,
        StreamSpecification={"StreamEnabled": False},
    )
    shards = await _closed_shards(reading, began)
    closed_seconds = time.monotonic() - began
    keys, lost = await _read_all(reading, shards, positions)
    return Closing(
        writes=len(writing.acknowledged),
        missing=len(writing.acknowledged.keys() - keys),
        shards=len(shards),
        closed_seconds=round(closed_seconds, 3),
        records_lost=lost,
    )


async def until_enabled(reading: StreamReading) -> None:
    """Returns once the stream is ENABLED and has a shard: what is written sooner need not be in it.

    :raises NotReadyError: it is not for ten minutes
    """

    async def is_enabled() -> bool:
        listing = await reading.listing()
        return listing.status == "ENABLED" and bool(listing.shards)

    await _until(is_enabled, time.monotonic(), "enabled")


async def until_no_stream(subject: Subject) -> None:
    """Returns once the table says that it has no stream and is ACTIVE, so that it may have another.

    :raises NotReadyError: it does not for ten minutes
    """

    async def has_none() -> bool:
        seen = await describe_table(subject.session, subject.table.called)
        return seen.stream_arn is None and is_active(seen)

    await _until(has_none, time.monotonic(), "gone from its table")


class _Position(Struct, frozen=True):
    """A record of a shard, and how many stand up to it."""

    sequence: int
    records: int


async def _positions(reading: StreamReading) -> dict[str, _Position]:
    """A place in each shard of which something can be read by now."""
    positions = {}
    for shard in (await reading.listing()).shards:
        page = await reading.page(await reading.begin(shard.id))
        if page.last_sequence is not None:
            positions[shard.id] = _Position(page.last_sequence, len(page.changes))
    return positions


async def _closed_shards(reading: StreamReading, began: float) -> list[str]:
    """All shards, once each of them has its end."""
    shards: list[str] = []

    async def are_closed() -> bool:
        listing = await reading.listing()
        shards[:] = [shard.id for shard in listing.shards]
        return not listing.is_enabled and all(shard.ending is not None for shard in listing.shards)

    await _until(are_closed, began, "disabled")
    return shards


async def _read_all(
    reading: StreamReading, shards: list[str], positions: dict[str, _Position]
) -> tuple[set[bytes], int]:
    """The keys of all records, and how many are missing of those behind the known positions."""
    keys: set[bytes] = set()
    lost = 0

    async def read(shard: str) -> None:
        nonlocal lost
        found, records = await reading.to_the_end(shard)
        keys.update(found)
        if (position := positions.get(shard)) is not None:
            _, behind = await reading.to_the_end(shard, position.sequence)
            lost += max(0, records - position.records - behind)

    async with anyio.create_task_group() as group:
        for shard in shards:
            group.start_soon(read, shard)
    return keys, lost


async def _until(is_so: Callable[[], Awaitable[bool]], began: float, what: str) -> None:
    while not await is_so():
        if time.monotonic() - began > CLOSED_SECONDS:
            raise NotReadyError(f"the stream is not {what} after {CLOSED_SECONDS:.0f} s")
        await anyio.sleep(_LOOK_SECONDS)
