"""An endpoint that answers at once, so that the client is what is measured.

It knows two tables. `bench-source` has `segments x pages` canned pages of about 1 MB, whatever
the number of segments a scan asks for; `bench-target` is empty and takes everything. Nothing is
stored and nothing is checked.

    python -m benchmarks.null_endpoint --item-bytes 1024 --pages 100

prints its address on the first line and runs until its standard input ends.
"""

import argparse
import asyncio
import json
import re
import sys
import uuid
import zlib
from typing import Any

import uvloop

PAGE_BYTES = 1024 * 1024
SOURCE, TARGET = "bench-source", "bench-target"

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_OPERATION = re.compile(rb"x-amz-target: *DynamoDB_20120810\.(\w+)", re.IGNORECASE)
_TOTAL_SEGMENTS = re.compile(rb'"TotalSegments": ?(\d+)')
_SEGMENT = re.compile(rb'"Segment": ?(\d+)')
_PAGE = re.compile(rb'"ExclusiveStartKey": ?\{"pk": ?\{"S": ?"(\d+)"')


class Tables:
    """The canned answers for one item size and number of pages."""

    def __init__(self, item_bytes: int, pages: int) -> None:
        self.pages = pages
        self.items_per_page = max(1, PAGE_BYTES // item_bytes)
        self.item_bytes = item_bytes
        items = [self._item(number) for number in range(self.items_per_page)]
        self._before = b'{"Items":[' + b",".join(items) + b"]"
        count = self.items_per_page
        self._after = (
            f',"Count":{count},"ScannedCount":{count},'
            '"ConsumedCapacity":{"TableName":"bench-source","CapacityUnits":128.0}}'
        ).encode()
        self._empty = b'{"Items":[],"Count":0,"ScannedCount":0}'
        self._written = (
            b'{"UnprocessedItems":{},"ConsumedCapacity":'
            b'[{"TableName":"bench-target","CapacityUnits":25.0}]}'
        )
        self._ids = {name: str(uuid.uuid4()) for name in (SOURCE, TARGET)}

    def _item(self, number: int) -> bytes:
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

    def answer(self, operation: bytes, body: bytes) -> tuple[int, bytes]:
        """The status and body of the answer to one request."""
        if operation == b"BatchWriteItem":
            return 200, self._written
        if operation == b"Scan":
            return 200, self._scan(body)
        if operation == b"DescribeTable":
            return 200, self._describe(json.loads(body)["TableName"])
        return 400, b'{"__type":"com.amazonaws#UnknownOperationException","message":"unknown"}'

    def _scan(self, body: bytes) -> bytes:
        segment, total = _SEGMENT.search(body), _TOTAL_SEGMENTS.search(body)
        if segment is None or total is None:
            return self._empty  # the look whether the target is empty
        of_segment = range(int(segment[1]), self.pages, int(total[1]))
        started = _PAGE.search(body)
        page = int(started[1]) if started else 0
        if page >= len(of_segment):
            return self._empty
        last = b'"LastEvaluatedKey":{"pk":{"S":"%d"}}' % (page + 1)
        return self._before + (b"," + last if page + 1 < len(of_segment) else b"") + self._after

    def _describe(self, name: str) -> bytes:
        is_source = name == SOURCE
        items = self.pages * self.items_per_page if is_source else 0
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


class Connection(asyncio.Protocol):
    """One keep-alive connection: requests in, canned answers out."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport is one

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._received[:end])
            length = _LENGTH.search(head)
            request_end = end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < request_end:
                return
            body = bytes(self._received[end + 4 : request_end])
            del self._received[:request_end]
            self._respond(head, body)

    def _respond(self, head: bytes, body: bytes) -> None:
        operation = _OPERATION.search(head)
        status, answer = self._tables.answer(operation[1] if operation else b"", body)
        assert self._transport is not None  # noqa: S101  # data comes after the connection
        self._transport.write(
            b"HTTP/1.1 %d OK\r\nContent-Type: application/x-amz-json-1.0\r\n"
            b"x-amz-crc32: %d\r\nContent-Length: %d\r\n\r\n"
            % (status, zlib.crc32(answer), len(answer))
            + answer
        )


async def serve(tables: Tables) -> None:
    """Serves on a free loopback port until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(tables), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201
    async with server:
        await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    parser = argparse.ArgumentParser(description="an endpoint that answers at once")
    parser.add_argument("--item-bytes", type=int, default=1024)
    parser.add_argument("--pages", type=int, default=100)
    arguments = parser.parse_args()
    uvloop.run(serve(Tables(arguments.item_bytes, arguments.pages)))


if __name__ == "__main__":
    main()
