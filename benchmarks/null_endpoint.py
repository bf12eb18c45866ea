"""An endpoint that answers at once, so that the client is what is measured.

It knows two tables. `bench-source` has `pages` canned pages of about 1 MB, whatever the number of
segments a scan asks for; `bench-target` is empty and takes everything. Nothing is stored, and
nothing is checked but that what is written are items, as many as the client says.

    python -m benchmarks.null_endpoint --item-bytes 1024 --pages 100 [--tls CERTIFICATE KEY]

prints its address on the first line, runs until its standard input ends, and then prints what it
saw: requests by operation, items written, and items written in each quarter of a second.
"""

import argparse
import asyncio
import json
import os
import re
import ssl
import sys
import time
import uuid
import zlib
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import msgspec
import uvloop

PAGE_BYTES = 1024 * 1024
SOURCE, TARGET = "bench-source", "bench-target"
TICK_SECONDS = 0.25

LEAST_BUFFER_BYTES = 64 * 1024
# As they stand in a head of lower case.
BATCH_WRITE, SCAN, DESCRIBE = b"batchwriteitem", b"scan", b"describetable"
_NAMES = {BATCH_WRITE: "BatchWriteItem", SCAN: "Scan", DESCRIBE: "DescribeTable"}

_TOTAL_SEGMENTS = re.compile(rb'"TotalSegments": ?(\d+)')
_SEGMENT = re.compile(rb'"Segment": ?(\d+)')
_DONE = re.compile(rb'"ExclusiveStartKey": ?\{"pk": ?\{"S": ?"(\d+)"')
_LIMIT = re.compile(rb'"Limit": ?(\d+)')
_PUT = b'"PutRequest"'
_UNKNOWN = b'{"__type":"com.amazonaws#UnknownOperationException","message":"unknown"}'


class Seen(msgspec.Struct):
    """What the endpoint saw."""

    requests: dict[str, int]
    items_written: int
    items_per_tick: list[int]
    tick_seconds: float = TICK_SECONDS
    first_scan_at: float | None = None  # of the source, in seconds since the epoch


Answer = tuple[bytes, ...]


class Canned(NamedTuple):
    """A page but for its LastEvaluatedKey: what stands before it, its checksum, and behind."""

    before: bytes
    checksum: int
    after: bytes


_NOTHING = Canned(b"", 0, b"")


def _begun_by(segment: int, page: Canned) -> Canned:
    """The page with an item of the segment's own in front: no two segments share an item."""
    before = page.before.replace(b'"item-00000000"', b'"part-%08d"' % segment, 1)
    return Canned(before, zlib.crc32(before), page.after)


def whole(body: bytes, page: Canned = _NOTHING, *, status: int = 200) -> Answer:
    """An answer with its head; `body` stands behind what stands before in the page."""
    checksum = zlib.crc32(body, page.checksum)
    head = (
        b"HTTP/1.1 %d OK\r\nContent-Type: application/x-amz-json-1.0\r\n"
        b"x-amz-crc32: %d\r\nContent-Length: %d\r\n\r\n"
        % (status, checksum, len(page.before) + len(body))
    )
    return (head, page.before, body) if page.before else (head + body,)


class Tables:
    """The canned answers for one item size and number of pages."""

    def __init__(self, item_bytes: int, pages: int) -> None:
        self.items_per_page = max(1, PAGE_BYTES // item_bytes)
        self.first_scan_at: float | None = None
        self.item_bytes = item_bytes
        self.items = pages * self.items_per_page
        self.requests: Counter[str] = Counter()
        self.items_written = 0
        self._wire_items = [self.wire_item(number) for number in range(self.items_per_page)]
        self._page = self._page_of(self.items_per_page)
        self._limited_pages: dict[int, Canned] = {}
        self._empty = whole(b'{"Items":[],"Count":0,"ScannedCount":0}')
        self._written = whole(
            b'{"UnprocessedItems":{},"ConsumedCapacity":'
            b'[{"TableName":"bench-target","CapacityUnits":25.0}]}'
        )
        self._ids = {name: str(uuid.uuid4()) for name in (SOURCE, TARGET)}

    def _page_of(self, count: int) -> Canned:
        """A page of so many items."""
        units = 128.0 * count / self.items_per_page
        after = (
            f',"Count":{count},"ScannedCount":{count},'
            f'"ConsumedCapacity":{{"TableName":"bench-source","CapacityUnits":{units}}}}}'
        )
        before = b'{"Items":[' + b",".join(self._wire_items[:count]) + b"]"
        return Canned(before, zlib.crc32(before), after.encode())

    def wire_item(self, number: int) -> bytes:
        """An item of about the wanted size on the wire, like an order or a user record: a key,
        then strings, numbers, flags, a list and a map of a few dozen bytes each, and only what is
        beyond 2 KB as one large string.
        """
        item: dict[str, Any] = {"pk": {"S": f"item-{number:08d}"}}
        kinds: list[Any] = [
            {"S": "a line of text of some length"},
            {"N": f"{number}.25"},
            {"BOOL": True},
            {"L": [{"S": "first"}, {"N": "2"}]},
            {"M": {"city": {"S": "Dublin"}, "floor": {"N": "3"}}},
        ]
        size = _wire_bytes(item)
        attribute = 0
        while size < min(self.item_bytes, 2048) - 60:
            item[f"attribute_{attribute}"] = kinds[attribute % len(kinds)]
            attribute += 1
            size = _wire_bytes(item)
        item["rest"] = {"S": "x" * max(0, self.item_bytes - size - len(',"rest":{"S":""}'))}
        return json.dumps(item, separators=(",", ":")).encode()

    def answer(self, operation: bytes, received: bytearray, start: int, end: int) -> Answer:
        """The whole answer to the request whose body is `received[start:end]`."""
        self.requests[_NAMES.get(operation, "another")] += 1
        if operation == BATCH_WRITE:
            self.items_written += received.count(_PUT, start, end)
            return self._written
        body = bytes(received[start:end])
        if operation == SCAN:
            return self._scan(body)
        if operation == DESCRIBE:
            return whole(self._describe(json.loads(body)["TableName"]))
        return whole(_UNKNOWN, status=400)

    def _scan(self, body: bytes) -> Answer:
        if b'bench-source"' not in body:  # its name, or its ARN
            return self._empty
        self.first_scan_at = self.first_scan_at or time.time()
        segment, total, limit, started = (
            pattern.search(body) for pattern in (_SEGMENT, _TOTAL_SEGMENTS, _LIMIT, _DONE)
        )
        size = self._segment_items(int(segment[1]) if segment else 0, int(total[1]) if total else 1)
        done = int(started[1]) if started else 0
        count = min(int(limit[1]) if limit else size, self.items_per_page, size - done)
        if count <= 0:
            return self._empty
        page = self._page if count == self.items_per_page else self._limited(count)
        if segment and done == 0:
            page = _begun_by(int(segment[1]), page)
        if done + count == size:
            return whole(page.after, page)
        last = b',"LastEvaluatedKey":{"pk":{"S":"%d"}}' % (done + count)
        return whole(last + page.after, page)

    def _segment_items(self, segment: int, total_segments: int) -> int:
        """Segments are of whole pages, but for the last page of the table."""
        pages = -(-self.items // self.items_per_page)
        of_segment = range(segment, pages, total_segments)
        items = len(of_segment) * self.items_per_page
        if of_segment and of_segment[-1] == pages - 1:
            items -= pages * self.items_per_page - self.items
        return items

    def _limited(self, count: int) -> Canned:
        if count not in self._limited_pages:
            self._limited_pages[count] = self._page_of(count)
        return self._limited_pages[count]

    def _describe(self, name_or_arn: str) -> bytes:
        name = name_or_arn.rpartition("/")[2]
        is_source = name == SOURCE
        items = self.items if is_source else 0
        table = {
            "TableName": name,
            "TableArn": f"arn:aws:dynamodb:us-east-1:123456789012:table/{name}",
            "TableId": self._ids[name],
            "TableStatus": "ACTIVE",
            "CreationDateTime": 1.7e9,
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
            "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
            "ItemCount": items,
            "TableSizeBytes": items * self.item_bytes,
        }
        return json.dumps({"Table": table}).encode()


def _wire_bytes(item: dict[str, Any]) -> int:
    return len(json.dumps(item, separators=(",", ":")))


class Connection(asyncio.BufferedProtocol):
    """One keep-alive connection: requests in, canned answers out, at once or after a wait.

    What comes is read where it lies and nothing that goes out is copied, so that the endpoint
    has time to spare while the client has none.
    """

    def __init__(self, tables: Tables, wait_seconds: float) -> None:
        self._tables = tables
        self._wait_seconds = wait_seconds
        self._received = bytearray(LEAST_BUFFER_BYTES)
        self._end = 0
        self._body_from = self._request_end = 0  # of a request whose head is known
        self._operation = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport is one

    def get_buffer(self, sizehint: int) -> memoryview:
        """Room behind what was received; a new buffer where a request needs a larger one."""
        needed = max(self._request_end, self._end + LEAST_BUFFER_BYTES)
        if len(self._received) < needed:
            received = bytearray(2 * needed)
            received[: self._end] = memoryview(self._received)[: self._end]
            self._received = received
        return memoryview(self._received)[self._end :]

    def buffer_updated(self, nbytes: int) -> None:
        self._end += nbytes
        while self._request_end or self._found_head():
            if self._end < self._request_end:
                return
            answer = self._tables.answer(
                self._operation, self._received, self._body_from, self._request_end
            )
            rest = self._received[self._request_end : self._end]
            self._received[: len(rest)] = rest
            self._end, self._request_end = len(rest), 0
            self._respond(answer)

    def _found_head(self) -> bool:
        end = self._received.find(b"\r\n\r\n", 0, self._end)
        if end < 0:
            return False
        head = bytes(memoryview(self._received)[: end + 2]).lower()
        self._operation = _value(head, b"x-amz-target:").rpartition(b".")[2]
        self._body_from = end + 4
        self._request_end = self._body_from + int(_value(head, b"content-length:") or b"0")
        return True

    def _respond(self, answer: Answer) -> None:
        if self._wait_seconds:
            loop = asyncio.get_running_loop()
            loop.call_later(self._wait_seconds, self._send, answer)
        else:
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        assert self._transport is not None  # noqa: S101  # data comes after the connection
        self._transport.writelines(answer)


def _value(head: bytes, name: bytes) -> bytes:
    """The value of a header; `head` is in lower case and ends with a line's end."""
    at = head.find(b"\n" + name)
    if at < 0:
        return b""
    at += 1 + len(name)
    return head[at : head.index(b"\r", at)].strip()


async def count_ticks(tables: Tables, items_per_tick: list[int]) -> None:
    """Notes what is written in each tick, from the first item on."""
    before = 0
    while True:
        await asyncio.sleep(TICK_SECONDS)
        if tables.items_written:
            items_per_tick.append(tables.items_written - before)
            before = tables.items_written


async def serve(tables: Tables, wait_seconds: float, tls: ssl.SSLContext | None) -> Seen:
    """Serves on a free loopback port until standard input ends."""
    loop = asyncio.get_running_loop()
    connection = partial(Connection, tables, wait_seconds)
    server = await loop.create_server(connection, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    print(f"{'https' if tls else 'http'}://127.0.0.1:{port}", flush=True)  # noqa: T201
    items_per_tick: list[int] = []
    ticking = asyncio.create_task(count_ticks(tables, items_per_tick))
    await loop.run_in_executor(None, sys.stdin.read)
    ticking.cancel()
    server.close()
    return Seen(
        dict(tables.requests),
        tables.items_written,
        items_per_tick,
        first_scan_at=tables.first_scan_at,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="an endpoint that answers at once")
    parser.add_argument("--item-bytes", type=int, default=1024)
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--wait-seconds", type=float, default=0.0)
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"))
    arguments = parser.parse_args()
    tls = None
    if arguments.tls:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*arguments.tls)
    tables = Tables(arguments.item_bytes, arguments.pages)
    seen = uvloop.run(serve(tables, arguments.wait_seconds, tls))
    with suppress(BrokenPipeError):  # who started it need not want to know
        os.write(sys.stdout.fileno(), msgspec.json.encode(seen) + b"\n")


if __name__ == "__main__":
    main()
