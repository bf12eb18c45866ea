"""The floor: the leanest loop that sends the same requests, to show what safety costs.

The same client and the same signatures as the copy's, and nothing else: no checksum, no count, no
retry, no pace, no order of acknowledgement, no state, no progress. Each of 16 tasks takes pages of
its own segment and writes them, batch after batch.

    python -m benchmarks.floor ENDPOINT [CERTIFICATES]
"""

import asyncio
import ssl
import sys
import time
from collections.abc import Callable

import msgspec
import uvloop
from msgspec import Raw, Struct
from yarl import URL

from benchmarks.null_endpoint import SOURCE, TARGET
from dynaferry.cli.process_tuning import keep_freed_memory
from dynaferry.dynamodb.account.session import Credentials
from dynaferry.dynamodb.http.pool import ConnectionPool, EndpointAddress, Timeouts
from dynaferry.dynamodb.signing import Signer

TASKS = 16
BATCH_ITEMS = 25
BEFORE = b'{"ReturnConsumedCapacity":"TOTAL","RequestItems":{"%b":[{"PutRequest":{"Item":'
BETWEEN = b'}},{"PutRequest":{"Item":'
AFTER = b"}}]}}"
CREDENTIALS = Credentials("bench", "bench", None)


class Page(Struct):
    Items: list[Raw]
    LastEvaluatedKey: Raw = Raw()


class Side:
    """Signs and posts one operation."""

    def __init__(self, url: URL, tls: ssl.SSLContext | None, operation: str) -> None:
        address = EndpointAddress(url.host or "", url.port or 0, tls)
        self.pool = ConnectionPool(address, limit=TASKS, patience=Timeouts(10, 30, 12))
        self._signer = Signer(host=f"{url.host}:{url.port}", region="us-east-1")
        self._operation = operation

    async def call(self, body: bytes) -> bytes:
        head = self._signer.sign(self._operation, body, CREDENTIALS, time.time())
        return (await self.pool.send(head, body)).body


async def copy_segment(
    segment: int, source: Side, target: Side, decode: Callable[[bytes], Page]
) -> int:
    before, written, start = BEFORE % TARGET.encode(), 0, b""
    request = b'{"TableName":"%b","TotalSegments":%d,"Segment":%d' % (
        SOURCE.encode(),
        TASKS,
        segment,
    )
    while True:
        page = decode(await source.call(request + start + b"}"))
        for first in range(0, len(page.Items), BATCH_ITEMS):
            items = BETWEEN.join(page.Items[first : first + BATCH_ITEMS])
            await target.call(b"".join((before, items, AFTER)))
        written += len(page.Items)
        if not page.LastEvaluatedKey:
            return written
        start = b',"ExclusiveStartKey":%b' % bytes(page.LastEvaluatedKey)


async def copy(endpoint: str, certificates: str | None) -> int:
    """Copies the source table once and returns the number of items written."""
    url = URL(endpoint)
    tls = ssl.create_default_context(cafile=certificates) if url.scheme == "https" else None
    source, target = Side(url, tls, "Scan"), Side(url, tls, "BatchWriteItem")
    decode = msgspec.json.Decoder(Page).decode
    try:
        copies = [copy_segment(segment, source, target, decode) for segment in range(TASKS)]
        return sum(await asyncio.gather(*copies))
    finally:
        await source.pool.aclose()
        await target.pool.aclose()


if __name__ == "__main__":
    keep_freed_memory()
    print(uvloop.run(copy(sys.argv[1], sys.argv[2] if sys.argv[2:] else None)))  # noqa: T201
