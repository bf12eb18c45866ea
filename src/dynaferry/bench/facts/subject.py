"""A scratch table under measurement: its items, and the requests that are made to it."""

import math
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from typing import Any, Final

import anyio
import msgspec
from msgspec import Struct

from dynaferry.bench.facts.headers import noted
from dynaferry.bench.facts.spending import Spending
from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.client import DynamoClient, open_client
from dynaferry.dynamodb.items.canonical import canonical
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.limits import BYTES_PER_READ_UNIT, BYTES_PER_WRITE_UNIT
from dynaferry.throttle.retry import Patience, RetryPolicy

CONNECTIONS: Final = 8
KEY: Final = "pk"
_FILLER: Final = "filler"
_SMALL_BYTES: Final = 100


class _ScanPage(Struct, frozen=True):
    Items: list[dict[str, dict[str, str]]] = []
    LastEvaluatedKey: dict[str, Any] | None = None


class _Unprocessed(Struct, frozen=True):
    UnprocessedItems: dict[str, list[Any]]


class Subject:
    """One scratch table. Requests are sent again while the service throttles them or fails, those
    of which that is what is looked at excepted; `heads` are those of the responses.
    """

    def __init__(
        self,
        session: AccountSession,
        table: TableDescription,
        client: DynamoClient,
        retry: RetryPolicy,
        spending: Spending,
    ) -> None:
        self.session = session
        self.table = table
        self.spending = spending
        self.heads = noted(client)
        # What is provisioned is paid by the hour, used or not.
        self._is_billed = table.billing_mode == "PAY_PER_REQUEST"
        self._client = client
        self._retry = retry
        self._token = secrets.token_hex(4)
        self._numbers = count()

    def new_key(self) -> str:
        """A key that no item has yet."""
        return f"{self._token}-{next(self._numbers):08d}"

    async def put(self, key: str, size_bytes: int = _SMALL_BYTES) -> None:
        """Writes an item of about this size."""
        await self._retry.call(partial(self.put_once, key, size_bytes))
        self._retry.progress()

    async def put_once(self, key: str, size_bytes: int = _SMALL_BYTES) -> None:
        """Writes an item, and is refused as the service refuses it."""
        self._charge_writes(1, size_bytes)
        await self._send("PutItem", TableName=self.table.called, Item=_item(key, size_bytes))

    async def put_batch_once(self, keys: Sequence[str], size_bytes: int) -> int:
        """Writes a batch; returns how many of it are left unprocessed."""
        self._charge_writes(len(keys), size_bytes)
        puts = [{"PutRequest": {"Item": _item(key, size_bytes)}} for key in keys]
        response = await self._send("BatchWriteItem", RequestItems={self.table.called: puts})
        left = msgspec.json.decode(response, type=_Unprocessed).UnprocessedItems
        return sum(len(requests) for requests in left.values())

    async def response_bytes(self, key: str, size_bytes: int) -> int:
        """Reads an item; returns how long the response is, unpacked."""
        self.spending.reads(_units(size_bytes, BYTES_PER_READ_UNIT))
        wanted = {self.table.called: {"Keys": [_item(key)]}}
        send = partial(self._send, "BatchGetItem", RequestItems=wanted)
        return len(await self._retry.call(send))

    async def keys_of(self, segment: int, total: int) -> list[str]:
        """The keys in a segment, in the order of a consistent Scan."""
        keys: list[str] = []
        start: dict[str, Any] = {}
        while True:
            self.spending.reads(_units(_SMALL_BYTES * 1000, BYTES_PER_READ_UNIT))
            send = partial(
                self._send,
                "Scan",
                TableName=self.table.called,
                ConsistentRead=True,
                Segment=segment,
                TotalSegments=total,
                Limit=1000,
                **start,
            )
            page = msgspec.json.decode(await self._retry.call(send), type=_ScanPage)
            keys += [item[KEY]["S"] for item in page.Items]
            if page.LastEvaluatedKey is None:
                return keys
            start = {"ExclusiveStartKey": page.LastEvaluatedKey}

    def _charge_writes(self, items: int, size_bytes: int) -> None:
        if self._is_billed:
            self.spending.writes(items * _units(size_bytes, BYTES_PER_WRITE_UNIT))

    async def _send(self, operation: str, **request: Any) -> bytes:
        return await self._client.send(operation, msgspec.json.encode(request))


@asynccontextmanager
async def open_subject(
    session: AccountSession,
    table: TableDescription,
    spending: Spending,
    patience_seconds: float,
    *,
    accepts_gzip: bool = False,
) -> AsyncIterator[Subject]:
    """The table with connections of its own."""
    patience = Patience(patience_seconds)
    async with open_client(
        session,
        table=table.called,
        endpoint=table.endpoint,
        connections=CONNECTIONS,
        accepts_gzip=accepts_gzip,
        patience=patience,
    ) as client:
        yield Subject(session, table, client, RetryPolicy("source", patience), spending)


class Writing:
    """Writes new items at a steady rate; `acknowledged` says when each was, by its key."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self.acknowledged: dict[bytes, float] = {}

    async def write(self, items: int, per_second: float) -> None:
        """Writes so many more, each as soon as its time has come and one of eight is free."""
        began, turns = time.monotonic(), iter(range(items))

        async def one_after_the_other() -> None:
            for turn in turns:
                await sleep_until(began + turn / per_second)
                key = self._subject.new_key()
                await self._subject.put(key)
                self.acknowledged[stream_key(key)] = time.monotonic()

        async with anyio.create_task_group() as group:
            for _ in range(CONNECTIONS):
                group.start_soon(one_after_the_other)


async def sleep_until(moment: float) -> None:
    """Returns at this moment of the monotonic clock, or at once where it is over."""
    await anyio.sleep(max(0.0, moment - time.monotonic()))


def stream_key(key: str) -> bytes:
    """The key as a record of the stream has it."""
    return canonical(msgspec.json.encode(_item(key)))


def _item(key: str, size_bytes: int = 0) -> Mapping[str, Mapping[str, str]]:
    item = {KEY: {"S": key}}
    left = size_bytes - len(KEY) - len(key) - len(_FILLER)
    if left > 0:
        item[_FILLER] = {"S": "x" * left}
    return item


def _units(size_bytes: int, bytes_per_unit: int) -> int:
    return max(1, math.ceil(size_bytes / bytes_per_unit))
