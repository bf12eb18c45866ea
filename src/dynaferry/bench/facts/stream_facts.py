"""What is measured of one table's streams: it is enabled, watched, read fast, and closed, and that
several times.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from msgspec import Struct

from dynaferry.bench.facts import verdicts
from dynaferry.bench.facts.closing import (
    ROUNDS,
    WRITES,
    Closing,
    measure_closing,
    until_enabled,
    until_no_stream,
)
from dynaferry.bench.facts.headers import noted
from dynaferry.bench.facts.record_delay import WRITES_PER_SECOND, measure_record_delay
from dynaferry.bench.facts.settings import FactsPlan
from dynaferry.bench.facts.shard_reads import measure_shard_reads
from dynaferry.bench.facts.stream_reading import StreamReading
from dynaferry.bench.facts.subject import CONNECTIONS, Subject, Writing
from dynaferry.dynamodb.account.streams_endpoint import streams_endpoint
from dynaferry.dynamodb.client import DynamoClient, open_client
from dynaferry.dynamodb.items.streams import TableStream
from dynaferry.dynamodb.signing import STREAMS_API_PREFIX
from dynaferry.dynamodb.tables.enable_stream import enable_stream
from dynaferry.run.lifecycle import Say, ended_by
from dynaferry.state.facts_file import CLOSED_SHARDS, Fact
from dynaferry.throttle.retry import Patience, RetryPolicy

# Takes in the facts of these names that a measurement finds, or why it finds none.
Take = Callable[[str, Sequence[str], Callable[[], Awaitable[list[Fact]]]], Awaitable[None]]

_OF_STREAMS: Final = (
    verdicts.DELAY,
    verdicts.SHARD_READS,
    verdicts.CHECKSUMS,
    CLOSED_SHARDS,
    verdicts.POSITIONS,
)


class _Stream(Struct, frozen=True):
    """A stream that was just enabled, and what was written since."""

    reading: StreamReading
    writing: Writing


async def measure_stream(plan: FactsPlan, subject: Subject, take: Take, say: Say) -> None:
    """Measures all that is about streams. Without one, none of it is measured."""

    async def all_of_it() -> list[Fact]:
        async with _open_streams(plan, subject) as (client, retry):
            heads = noted(client)
            stream = await _enabled(subject, client, retry, say)
            await take("delays of records", (verdicts.DELAY,), partial(_delays, plan, stream))
            await take("reads of a shard", (verdicts.SHARD_READS,), partial(_reads, plan, stream))
            await take(
                "what a stream holds that is disabled",
                (CLOSED_SHARDS, verdicts.POSITIONS),
                partial(_closings, plan, subject, client, retry, stream, say),
            )
            return [verdicts.of_checksums(heads)]

    await take("a stream", _OF_STREAMS, all_of_it)


@asynccontextmanager
async def _open_streams(
    plan: FactsPlan, subject: Subject
) -> AsyncIterator[tuple[DynamoClient, RetryPolicy]]:
    patience = Patience(plan.patience_seconds)
    async with open_client(
        subject.session,
        table=subject.table.name,
        endpoint=await streams_endpoint(subject.session),
        connections=CONNECTIONS,
        patience=patience,
        api_prefix=STREAMS_API_PREFIX,
    ) as client:
        yield client, RetryPolicy("source", patience)


async def _enabled(subject: Subject, client: DynamoClient, retry: RetryPolicy, say: Say) -> _Stream:
    table, _ = await enable_stream(subject.session, subject.table, say=say)
    arn, view = table.stream_arn or "", table.stream_view_type or ""
    stream = TableStream(client, arn=arn, table=table.name, view=view)
    reading = StreamReading(stream, retry, subject.spending)
    await until_enabled(reading)
    return _Stream(reading, Writing(subject))


async def _delays(plan: FactsPlan, stream: _Stream) -> list[Fact]:
    delays = await measure_record_delay(
        stream.writing, stream.reading, plan.seconds, plan.patience_seconds
    )
    return [verdicts.of_record_delay(delays)]


async def _reads(plan: FactsPlan, stream: _Stream) -> list[Fact]:
    return [verdicts.of_shard_reads(await measure_shard_reads(stream.reading, plan.seconds))]


async def _closings(
    plan: FactsPlan,
    subject: Subject,
    client: DynamoClient,
    retry: RetryPolicy,
    stream: _Stream,
    say: Say,
) -> list[Fact]:
    """Closes this stream, and others after it; what was found until one failed counts."""
    closings: list[Closing] = []
    writes = max(1, min(WRITES, round(plan.seconds * WRITES_PER_SECOND)))

    async def close_all() -> None:
        current = stream
        while True:
            closing = await measure_closing(subject, current.writing, current.reading, writes)
            closings.append(closing)
            await until_no_stream(subject)
            if len(closings) == ROUNDS:
                return
            current = await _enabled(subject, client, retry, say)

    error = await ended_by(close_all)
    if error is not None and not closings:
        raise error
    return verdicts.of_closings(closings)
