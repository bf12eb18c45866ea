"""A table's stream: its shards, and the changes in them.

What to do for a key is read off the images, not off the event's name: engines give names that no
documentation has. Images pass through as bytes; a key is brought into its canonical form, since
stand-ins do not normalise it as the service does.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Final

import anyio
import msgspec
from msgspec import Raw, Struct

from dynaferry.dynamodb.client import DynamoClient
from dynaferry.dynamodb.items.canonical import DIGEST_BYTES, canonical
from dynaferry.dynamodb.items.replication_attributes import bytes_without_them
from dynaferry.dynamodb.items.responses import UNREADABLE, ResponseReader
from dynaferry.errors import ThrottledError
from dynaferry.ports import ChangeKind, ChangePage, ChangeRecord, Shard, StreamListing

SHARDS_A_PAGE: Final = 100  # the most that DescribeStream gives [M:DescribeStream]
RECORDS_A_PAGE: Final = 1_000  # or 1 MB, which engines pass [M:GetRecords]
# How often a page of a listing is asked for, with so long a pause after a throttle, at least.
PAGE_ATTEMPTS: Final = 5
PAGE_PAUSE_SECONDS: Final = 0.25

# Why a stream that is being disabled is not over: its shards are readable for 24 hours.
_ENABLED: Final = frozenset({"ENABLED", "ENABLING"})


class _SequenceRange(Struct, frozen=True):
    EndingSequenceNumber: str | None = None


class _Shard(Struct, frozen=True):
    ShardId: str
    ParentShardId: str | None = None
    SequenceNumberRange: _SequenceRange = _SequenceRange()


class _Description(Struct, frozen=True):
    StreamStatus: str
    StreamViewType: str
    Shards: list[_Shard]
    LastEvaluatedShardId: str | None = None


class _DescribeStream(Struct, frozen=True):
    StreamDescription: _Description


class _GetShardIterator(Struct, frozen=True):
    ShardIterator: str


class _StreamRecord(Struct, frozen=True):
    Keys: Raw
    SequenceNumber: str
    # No default: a record without it would look older than the capture, and be passed over.
    ApproximateCreationDateTime: float
    NewImage: Raw = Raw()


class _Record(Struct, frozen=True):
    dynamodb: _StreamRecord
    event: str = msgspec.field(name="eventName", default="")
    identity: Raw = msgspec.field(name="userIdentity", default=Raw())


class _GetRecords(Struct, frozen=True):
    # No default: a response without it is not one, and must not count as an empty page.
    Records: list[_Record]
    NextShardIterator: str | None = None


_decode_description = msgspec.json.Decoder(_DescribeStream).decode
_decode_iterator = msgspec.json.Decoder(_GetShardIterator).decode
_decode_records = msgspec.json.Decoder(_GetRecords).decode
_decode_identity = msgspec.json.Decoder(dict[str, object]).decode
# Who deletes what has expired. The API writes the names of these with capitals, the guide without.
_TIME_TO_LIVE: Final = ("dynamodb.amazonaws.com", "Service")


class TableStream:
    """The stream with this ARN. A `ChangeSource`.

    `view` is its StreamViewType, which never changes: images are complete with NEW_IMAGE and
    NEW_AND_OLD_IMAGES, and with the others each key is to be read again. With `leave_out` they are
    without the attributes that a global table of version 2017.11.29 writes by itself.
    """

    def __init__(
        self, client: DynamoClient, *, arn: str, table: str, view: str, leave_out: bool = False
    ) -> None:
        self._client = client
        self._arn = arn
        self._table = table
        self._has_images = view.startswith("NEW_")
        self._bytes_of: Callable[[Raw], bytes] = bytes_without_them if leave_out else bytes

    async def list_shards(self, seconds_a_page: float = 0.0) -> StreamListing:
        """Lists all shards, page by page; see `ChangeSource`."""
        page = await self._describe({})
        shards = _shards(page)
        while page.LastEvaluatedShardId is not None:
            last = page.LastEvaluatedShardId
            page = await self._page_after(last, seconds_a_page)
            if page.LastEvaluatedShardId == last:
                raise self._reader("DescribeStream").impossible("it leads back to where it began")
            shards += _shards(page)
        return StreamListing(
            shards=shards,
            is_enabled=page.StreamStatus in _ENABLED,
            view=page.StreamViewType,
            status=page.StreamStatus,
        )

    async def _page_after(self, last: str, seconds_a_page: float) -> _Description:
        """The next page of a listing. A throttle costs this page, not those before it: otherwise a
        long listing would never end beside others who list.
        """
        pause = seconds_a_page
        for _ in range(PAGE_ATTEMPTS - 1):
            await anyio.sleep(pause)
            try:
                return await self._describe({"ExclusiveStartShardId": last})
            except ThrottledError:
                pause = max(PAGE_PAUSE_SECONDS, 2 * pause)
        await anyio.sleep(pause)
        return await self._describe({"ExclusiveStartShardId": last})

    async def children_of(self, shard: str) -> Sequence[Shard]:
        """Asks for the children alone; engines that know no filter give all shards."""
        page = await self._describe({"ShardFilter": {"Type": "CHILD_SHARDS", "ShardId": shard}})
        return [child for child in _shards(page) if child.parent == shard]

    async def iterator(self, shard: str, after: int | None) -> str:
        """An iterator behind a record, or at the shard's beginning; see `ChangeSource`."""
        request: dict[str, object] = {
            "StreamArn": self._arn,
            "ShardId": shard,
            "ShardIteratorType": "TRIM_HORIZON",
        }
        if after is not None:
            # As wide as the service writes them: leading zeros are significant to stand-ins.
            request |= {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "SequenceNumber": str(after).zfill(21),
            }
        return await self._iterator(request)

    async def newest(self, shard: str) -> str:
        """An iterator behind whatever is there now: to measure by. What is captured is never read
        from there, since a shard begins before anybody asks.
        """
        request = {"StreamArn": self._arn, "ShardId": shard, "ShardIteratorType": "LATEST"}
        return await self._iterator(request)

    async def _iterator(self, request: Mapping[str, object]) -> str:
        operation = "GetShardIterator"
        response = await self._client.send(operation, msgspec.json.encode(request))
        try:
            return _decode_iterator(response).ShardIterator
        except UNREADABLE as error:
            raise self._reader(operation).unreadable(error) from error

    async def read_changes(self, iterator: str, most: int = RECORDS_A_PAGE) -> ChangePage:
        """Reads the next records, at `most` so many; see `ChangeSource`."""
        operation = "GetRecords"
        body = msgspec.json.encode({"ShardIterator": iterator, "Limit": most})
        response = await self._client.send(operation, body)
        try:
            page = _decode_records(response)
            changes = [self._change(record) for record in page.Records]
            last = int(page.Records[-1].dynamodb.SequenceNumber) if page.Records else None
        except (*UNREADABLE, ValueError) as error:
            raise self._reader(operation).unreadable(error) from error
        return ChangePage(
            changes=changes,
            last_sequence=last,
            next_iterator=page.NextShardIterator,
            body_bytes=len(response),
        )

    def _change(self, record: _Record) -> ChangeRecord:
        change = record.dynamodb
        kind, image = ChangeKind.READ_AGAIN, None
        if self._has_images and _is_object(change.NewImage):
            kind, image = ChangeKind.PUT, self._bytes_of(change.NewImage)
        elif self._has_images and record.event == "REMOVE":
            kind = ChangeKind.DELETE
        if not _is_object(change.Keys):
            raise ValueError("a record has no Keys")
        key = canonical(change.Keys)
        return ChangeRecord(
            digest=blake2b(key, digest_size=DIGEST_BYTES).digest(),
            key=key,
            kind=kind,
            image=image,
            created_at=change.ApproximateCreationDateTime,
            is_expiry=record.event == "REMOVE" and _is_time_to_live(record.identity),
        )

    async def _describe(self, more: dict[str, object]) -> _Description:
        operation = "DescribeStream"
        request = {"StreamArn": self._arn, "Limit": SHARDS_A_PAGE, **more}
        response = await self._client.send(operation, msgspec.json.encode(request))
        try:
            return _decode_description(response).StreamDescription
        except UNREADABLE as error:
            raise self._reader(operation).unreadable(error) from error

    def _reader(self, operation: str) -> ResponseReader:
        return ResponseReader(operation, self._client.site.side, self._table)


def _shards(page: _Description) -> list[Shard]:
    return [
        Shard(
            id=shard.ShardId,
            parent=shard.ParentShardId,
            ending=_number(shard.SequenceNumberRange.EndingSequenceNumber),
        )
        for shard in page.Shards
    ]


def _is_object(value: Raw) -> bool:
    """Whether there are attributes: what is `null` or empty says nothing of an item."""
    return len(value) > len(b"{}") and memoryview(value)[0] == ord("{")


def _is_time_to_live(identity: Raw) -> bool:
    """Whether it was the service that deleted an item which had expired; what is not understood
    was somebody.
    """
    if not _is_object(identity):
        return False
    try:
        told = {name.lower(): value for name, value in _decode_identity(identity).items()}
    except UNREADABLE:
        return False
    return (told.get("principalid"), told.get("type")) == _TIME_TO_LIVE


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
