"""The operations of DynamoDB Streams: DescribeStream, GetShardIterator, GetRecords, ListStreams.

An iterator says everything about itself, as one of the service's may: of which shard, behind which
number, made when, and of which chain of reads. Listings come in pages, and some are old.
"""

import itertools
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec import Struct

from benchmarks.simulator.answer import Answer
from benchmarks.simulator.bucket import CapacityBucket
from benchmarks.simulator.refusals import Refusal, RefusedError, invalid
from benchmarks.simulator.shard_limits import TOO_FAST
from benchmarks.simulator.stream import SimulatedStream
from benchmarks.simulator.stream_shard import PAGE_RECORDS, Shard
from benchmarks.simulator.table_streams import TableStreams

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LISTING_SHARDS = 100  # in a page, at most [M:DescribeStream]
LISTINGS_PER_SECOND = 10.0  # of an account [M:DescribeStream]


class _ShardFilter(Struct, frozen=True):
    Type: str
    ShardId: str


class _DescribeStream(Struct, frozen=True):
    StreamArn: str
    Limit: int = LISTING_SHARDS
    ExclusiveStartShardId: str | None = None
    ShardFilter: _ShardFilter | None = None


class _GetShardIterator(Struct, frozen=True):
    StreamArn: str
    ShardId: str
    ShardIteratorType: str
    SequenceNumber: str | None = None


class _GetRecords(Struct, frozen=True):
    ShardIterator: str
    Limit: int = PAGE_RECORDS


class _ListStreams(Struct, frozen=True):
    TableName: str


class Iterator(Struct, frozen=True):
    """What an iterator says: read `shard` behind the number `after`."""

    arn: str
    shard: str
    after: int
    made_at: float
    chain: str

    @property
    def text(self) -> str:
        """As it goes over the wire."""
        return f"{self.arn}|{self.shard}|{self.after}|{self.made_at!r}|{self.chain}"

    @classmethod
    def read(cls, text: str) -> "Iterator":
        """The iterator of this text.

        :raises RefusedError: it is none
        """
        try:
            arn, shard, after, made_at, chain = text.split("|")
            return cls(arn, shard, int(after), float(made_at), chain)
        except ValueError:
            raise invalid("Invalid ShardIterator") from None


class StreamedTables(Protocol):
    """Where streams are found."""

    def streams_of(self, name_or_arn: str) -> TableStreams:
        """The streams of the table with this name, or with this stream's ARN.

        :raises RefusedError: there is no such table, or it never had a stream
        """
        ...


class StreamService:
    """The streams of all tables."""

    def __init__(self, tables: StreamedTables, now: float) -> None:
        self._tables = tables
        self._chains = itertools.count(1)
        self._listings = CapacityBucket(LISTINGS_PER_SECOND, depth_seconds=1.0, now=now)
        self.operations: Mapping[str, Callable[[bytes, float], Answer]] = {
            "DescribeStream": self._describe,
            "GetShardIterator": self._iterator,
            "GetRecords": self._records,
            "ListStreams": self._list,
        }

    def _describe(self, body: bytes, now: float) -> Answer:
        request = msgspec.json.decode(body, type=_DescribeStream)
        streams = self._tables.streams_of(request.StreamArn)
        stream = streams.stream(request.StreamArn)
        streams.counts["listings"] += 1
        self._refuse_if_out(streams, now)
        if not self._listings.is_open(now):
            streams.counts["throttled_listings"] += 1
            return Answer(TOO_FAST.status, TOO_FAST.body())
        self._listings.take(1)
        shown, last = _listed(streams, stream, request, now)
        described: dict[str, Any] = {
            "StreamArn": stream.arn,
            "StreamLabel": stream.label,
            "StreamStatus": stream.status(now),
            "StreamViewType": stream.view,
            "Shards": shown,
        }
        if last is not None:
            described["LastEvaluatedShardId"] = last
        return _answer(streams, {"StreamDescription": described})

    def _iterator(self, body: bytes, now: float) -> Answer:
        request = msgspec.json.decode(body, type=_GetShardIterator)
        streams = self._tables.streams_of(request.StreamArn)
        self._refuse_if_out(streams, now)
        stream = streams.stream(request.StreamArn)
        shard = streams.shard(stream, request.ShardId)
        after = _position(streams, shard, request)
        iterator = Iterator(stream.arn, shard.id, after, now, str(next(self._chains)))
        streams.counts["iterators"] += 1
        return _answer(streams, {"ShardIterator": iterator.text})

    def _records(self, body: bytes, now: float) -> Answer:
        request = msgspec.json.decode(body, type=_GetRecords)
        if not 1 <= request.Limit <= PAGE_RECORDS:
            raise invalid(f"Limit is between 1 and {PAGE_RECORDS}")
        iterator = Iterator.read(request.ShardIterator)
        streams = self._tables.streams_of(iterator.arn)
        self._refuse_if_out(streams, now)
        stream = streams.stream(iterator.arn)
        if now - iterator.made_at > streams.settings.iterator_seconds:
            streams.counts["expired"] += 1
            raise _refused("ExpiredIteratorException", "The iterator has expired.")
        shard = streams.shard(stream, iterator.shard)
        if iterator.after < shard.trimmed_to or (
            shard.closed_at is not None and shard.is_all_trimmed
        ):
            raise _trimmed(streams)
        limits = streams.limits_of(shard, now)
        refusal = limits.refusal_of(iterator.chain, now)
        if refusal is not None:
            streams.counts[refusal.code] += 1
            return Answer(refusal.status, refusal.body(), streams.settings.read_seconds)
        page = shard.page(iterator.after, now, _most_records(streams, request.Limit))
        after = page[-1].number if page else iterator.after
        answer = b'{"Records":[%b]%b}' % (
            b",".join([record.body for record in page]),
            b""
            if shard.is_read(after)
            else b',"NextShardIterator":"%b"'
            % Iterator(iterator.arn, shard.id, after, now, iterator.chain).text.encode(),
        )
        shard.given_to = max(shard.given_to, after)
        limits.note_page(len(answer))
        streams.counts["pages"] += 1
        streams.counts["records_given"] += len(page)
        streams.counts["empty_pages"] += not page
        return Answer(200, answer, streams.settings.read_seconds)

    def _list(self, body: bytes, _: float) -> Answer:
        name = msgspec.json.decode(body, type=_ListStreams).TableName
        streams = self._tables.streams_of(name)
        listed = [
            {"StreamArn": stream.arn, "TableName": name, "StreamLabel": stream.label}
            for stream in streams.all()
        ]
        return _answer(streams, {"Streams": listed})

    @staticmethod
    def _refuse_if_out(streams: TableStreams, now: float) -> None:
        refusal = streams.brown_outs.refusal_at(streams.seconds(now), "Read")
        if refusal is not None:
            streams.counts["brown_outs"] += 1
            raise RefusedError(refusal)


def _listed(
    streams: TableStreams, stream: SimulatedStream, request: _DescribeStream, now: float
) -> tuple[list[dict[str, Any]], str | None]:
    """One page of the shards, as they are or as they were a moment ago."""
    settings, known_at = streams.settings, now
    if streams.chance.random() < settings.stale_listing_share:
        known_at -= streams.chance.uniform(0.0, settings.stale_listing_seconds)
        streams.counts["stale_listings"] += 1
    shards = sorted(stream.shards.values(), key=lambda shard: shard.id)
    shown = [shard for shard in shards if shard.made_at <= known_at or shard.parent is None]
    if request.ShardFilter is not None:
        if request.ShardFilter.Type != "CHILD_SHARDS":
            raise invalid("the only ShardFilter is CHILD_SHARDS")
        shown = [shard for shard in shown if shard.parent == request.ShardFilter.ShardId]
    if request.ExclusiveStartShardId is not None:
        shown = [shard for shard in shown if shard.id > request.ExclusiveStartShardId]
    page = shown[: min(request.Limit, settings.shards_a_listing)]
    last = page[-1].id if len(page) < len(shown) else None
    return [_described(shard, known_at) for shard in page], last


def _described(shard: Shard, known_at: float) -> dict[str, Any]:
    numbers = {"StartingSequenceNumber": str(shard.starting)}
    if shard.closed_at is not None and shard.closed_at <= known_at:
        numbers["EndingSequenceNumber"] = str(shard.ending)
    described: dict[str, Any] = {"ShardId": shard.id, "SequenceNumberRange": numbers}
    return described if shard.parent is None else described | {"ParentShardId": shard.parent}


def _position(streams: TableStreams, shard: Shard, request: _GetShardIterator) -> int:
    """The number behind which an iterator is to read."""
    kind = request.ShardIteratorType
    if kind == "TRIM_HORIZON":
        return shard.trimmed_to
    if kind == "LATEST":
        return shard.last_number
    if kind not in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER") or not request.SequenceNumber:
        raise invalid("Invalid ShardIteratorType or SequenceNumber")
    number = int(request.SequenceNumber)
    if number <= shard.trimmed_to:
        raise _trimmed(streams)
    return number if kind == "AFTER_SEQUENCE_NUMBER" else number - 1


def _most_records(streams: TableStreams, limit: int) -> int:
    """How many records this page may hold: by chance none, or few."""
    settings, chance = streams.settings, streams.chance
    if chance.random() < settings.empty_page_share:
        return 0
    return chance.randint(1, limit) if chance.random() < settings.short_page_share else limit


def _answer(streams: TableStreams, document: dict[str, Any]) -> Answer:
    return Answer(200, msgspec.json.encode(document), streams.settings.read_seconds)


def _trimmed(streams: TableStreams) -> RefusedError:
    streams.counts["trimmed"] += 1
    return _refused("TrimmedDataAccessException", "The records are not kept any more.")


def _refused(code: str, message: str) -> RefusedError:
    return RefusedError(Refusal(400, code, message))
