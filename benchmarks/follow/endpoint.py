"""The null endpoint with a stream: canned bytes, changes that are made up, and lags that are noted.

    python -m benchmarks.follow.endpoint --item-bytes 1024 --pages 1 --shards 16

prints its address on the first line and runs until its standard input ends. Who measures asks it
as one asks DynamoDB, for operations of its own: `BenchWrite`, `BenchHold`, `BenchSeen` and
`BenchLags`.
"""

import argparse
import asyncio
import json
import re
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import uvloop
from msgspec import Struct

from benchmarks.follow.arrivals import Arrivals, lags_of
from benchmarks.follow.stream import ShardOfWrites, Write
from benchmarks.null_endpoint import BATCH_WRITE, SCAN, SOURCE, Answer, Connection, Tables, whole

if TYPE_CHECKING:
    from collections.abc import Callable

STREAM_ARN = (
    f"arn:aws:dynamodb:us-east-1:123456789012:table/{SOURCE}/stream/2025-01-01T00:00:00.000"
)
RECORDS_A_PAGE = 1_000
HELD_SECONDS = 0.25
_ITERATOR = re.compile(rb'"ShardIterator": ?"(\d+)/(\d+)"')
_CHANGE = re.compile(rb'\{"pk":\{"S":"change-(\d+)"\},"version":\{"N":"(\d+)"\}')
_SEGMENT = b'"Segment"'
# What a change has more than an item of the table: its version, and a longer key.
_VERSION_BYTES = 29
# Sequence numbers have 21 digits at least.
_FIRST_SEQUENCE = 10**20


class Writes(Struct):
    """What is to be written to the source: a flood at once, or a rate for so long."""

    flood: int = 0
    per_second: float = 0.0
    seconds: float = 0.0


class Hold(Struct):
    """Whether the scan gives nothing for now."""

    on: bool


class FollowTables(Tables):
    """The two tables, and the stream of the source."""

    def __init__(self, item_bytes: int, pages: int, shards: int, keys: int, seed: int = 1) -> None:
        super().__init__(item_bytes, pages)
        self.arrivals = Arrivals()
        self.is_timed = False
        self.is_held = False
        self._shards = [ShardOfWrites(n, shards, keys, seed) for n in range(shards)]
        opened = int(time.time() * 1000) - 3_600_000
        self._names = [f"shardId-{opened:020d}-{n:08x}" for n in range(shards)]
        self._fill = rest_of(self.wire_item(0), _VERSION_BYTES)
        self._operations: dict[bytes, Callable[[bytes], Answer]] = {
            b"describestream": self._describe_stream,
            b"getsharditerator": self._iterator,
            b"getrecords": self._records,
            b"batchgetitem": lambda _: whole(b'{"Responses":{},"UnprocessedKeys":{}}'),
            b"benchwrite": self._write,
            b"benchhold": self._hold,
            b"benchseen": lambda _: whole(msgspec.json.encode(self.arrivals.seen)),
            b"benchlags": lambda _: whole(lags_of(self.arrivals)),
        }
        self._turns = 0
        self._not_empty = whole(b'{"Items":[%b],"Count":1,"ScannedCount":1}' % self.wire_item(0))

    def answer(self, operation: bytes, received: bytearray, start: int, end: int) -> Answer:
        """The whole answer to a request, of a stream as well."""
        if operation == BATCH_WRITE:
            self._note(received, start, end)
        elif (own := self._operations.get(operation)) is not None:
            return own(bytes(received[start:end]))
        elif operation == SCAN and self.is_held and received.find(_SEGMENT, start, end) > 0:
            return self._nothing_yet()
        return super().answer(operation, received, start, end)

    def _scan(self, body: bytes) -> Answer:
        if self.arrivals.seen.copied and b'bench-source"' not in body:
            return self._not_empty
        return super()._scan(body)

    def _note(self, received: bytearray, start: int, end: int) -> None:
        seen = self.arrivals.seen
        changes = received.count(b'{"pk":{"S":"change-', start, end)
        seen.applied += changes
        seen.copied += received.count(b'"PutRequest"', start, end) - changes
        if self.is_timed and changes:
            now = time.monotonic()
            for key, number in _CHANGE.findall(received, start, end):
                self.arrivals.came(int(key), int(number), now)

    def _nothing_yet(self) -> Answer:
        """An empty page that leads on: never to where the one before did."""
        self._turns += 1
        return whole(
            b'{"Items":[],"Count":0,"ScannedCount":0,"LastEvaluatedKey":{"pk":{"S":"%b"}}}'
            % (b"0" * (1 + self._turns % 30))
        )

    # The stream --------------------------------------------------------------------------------

    def _describe(self, name_or_arn: str) -> bytes:
        table = json.loads(super()._describe(name_or_arn))
        if name_or_arn.endswith(SOURCE):
            table["Table"] |= {
                "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
                "LatestStreamArn": STREAM_ARN,
                "LatestStreamLabel": STREAM_ARN.rpartition("/")[2],
            }
        return json.dumps(table).encode()

    def _describe_stream(self, body: bytes) -> Answer:
        shards = [
            {
                "ShardId": name,
                "SequenceNumberRange": {"StartingSequenceNumber": str(_FIRST_SEQUENCE)},
            }
            for name in self._names
            if b"CHILD_SHARDS" not in body
        ]
        stream = {
            "StreamArn": STREAM_ARN,
            "StreamStatus": "ENABLED",
            "StreamViewType": "NEW_IMAGE",
            "Shards": shards,
        }
        return whole(json.dumps({"StreamDescription": stream}).encode())

    def _iterator(self, body: bytes) -> Answer:
        asked = json.loads(body)
        after = int(asked.get("SequenceNumber", _FIRST_SEQUENCE - 1)) - _FIRST_SEQUENCE + 1
        shard = self._names.index(asked["ShardId"])
        return whole(b'{"ShardIterator":"%d/%d"}' % (shard, after))

    def _records(self, body: bytes) -> Answer:
        match = _ITERATOR.search(body)
        if match is None:
            raise ValueError("a GetRecords without an iterator of ours")
        shard, after = int(match[1]), int(match[2])
        writes = self._shards[shard].visible(after, RECORDS_A_PAGE, time.monotonic())
        seen = self.arrivals.seen
        seen.requests += 1
        seen.shown += len(writes)
        if self.is_timed and writes:
            self.arrivals.shown(writes)
        created_at = int(time.time())
        return whole(
            b'{"Records":[%b],"NextShardIterator":"%d/%d"}'
            % (
                b",".join([self._record(write, created_at) for write in writes]),
                shard,
                after + len(writes),
            )
        )

    def _record(self, write: Write, created_at: int) -> bytes:
        return (
            b'{"awsRegion":"us-east-1","dynamodb":{"ApproximateCreationDateTime":%d,'
            b'"Keys":{"pk":{"S":"change-%09d"}},'
            b'"NewImage":{"pk":{"S":"change-%09d"},"version":{"N":"%d"},%b},'
            b'"SequenceNumber":"%d","SizeBytes":1100,"StreamViewType":"NEW_IMAGE"},'
            b'"eventID":"9af1d4bb9d1c4c1f8f2e0f6f","eventName":"MODIFY",'
            b'"eventSource":"aws:dynamodb","eventVersion":"1.1"}'
            % (
                created_at,
                write.key,
                write.key,
                write.number,
                self._fill,
                _FIRST_SEQUENCE + write.number,
            )
        )

    # What is asked by who measures -------------------------------------------------------------

    def _write(self, body: bytes) -> Answer:
        asked, now = msgspec.json.decode(body, type=Writes), time.monotonic()
        self.is_timed = not asked.flood
        for shard in self._shards:
            if asked.flood:
                shard.flood(asked.flood // len(self._shards), now)
            else:
                shard.write(asked.per_second / len(self._shards), now, now + asked.seconds)
        return whole(b"{}")

    def _hold(self, body: bytes) -> Answer:
        self.is_held = msgspec.json.decode(body, type=Hold).on
        return whole(b"{}")


class HoldingConnection(Connection):
    """A connection on which a scan that is held is answered late."""

    def _respond(self, answer: Answer) -> None:
        if b'"Items":[],' in answer[-1] and b"LastEvaluatedKey" in answer[-1]:
            asyncio.get_running_loop().call_later(HELD_SECONDS, self._send, answer)
        else:
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        if self._transport is not None and not self._transport.is_closing():
            super()._send(answer)


def rest_of(item: bytes, shorter: int) -> bytes:
    """The attributes of an item behind its key, the last one shorter where it can be."""
    rest = item.partition(b"},")[2][:-1]
    return rest.replace(b"x" * shorter, b"", 1)


async def serve(tables: FollowTables) -> None:
    """Serves on a free loopback port until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(HoldingConnection, tables, 0.0), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="the null endpoint, with a stream")
    parser.add_argument("--item-bytes", type=int, default=1024)
    parser.add_argument("--pages", type=int, default=1)
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--keys", type=int, default=1_000_000)
    arguments = parser.parse_args()
    tables = FollowTables(arguments.item_bytes, arguments.pages, arguments.shards, arguments.keys)
    uvloop.run(serve(tables))


if __name__ == "__main__":
    main()
