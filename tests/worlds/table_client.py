"""Speaks to one account's tables in wire form, past the code under test.

What a test puts and what it reads back goes through no SDK: a JSON body out, a JSON body in.
So an item that an SDK would round, decode or sort on the way is seen as the service gave it.
Requests name an access key and carry no valid signature: moto and DynamoDB Local look at the
key only, to tell accounts apart.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import Any

import aiohttp
import msgspec

from dynaferry import limits
from tests.worlds.client import WireItem, canonical, key_of

REQUESTS_IN_FLIGHT = 4
SCAN_SEGMENTS = 4

KeyAttribute = tuple[str, str]  # name and type: ("pk", "S")


class ServiceRefusedError(Exception):
    """The service answered with an error; `code` is its name for it."""

    def __init__(self, status: int, answer: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(answer.get("__type", "")).rpartition("#")[2]
        super().__init__(f"{status} {self.code}: {answer.get('message', answer.get('Message'))}")


@dataclass(frozen=True, slots=True)
class TableClient:
    """The tables of one account in one region. It keeps no connection: there is nothing to close.

    Every method raises ServiceRefusedError when the service answers with an error.
    """

    url: str
    region: str
    access_key: str
    session_token: str | None = None

    async def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Makes one request of any operation: its body, the answer's body."""
        async with self._session() as session:
            return await self._post(session, operation, request)

    async def create_table(
        self,
        name: str,
        keys: Sequence[KeyAttribute] = (("pk", "S"),),
        *,
        indexes: Mapping[str, Sequence[KeyAttribute]] | None = None,
        **settings: Any,
    ) -> dict[str, Any]:
        """Creates an on-demand table, ready when this returns, and gives its description.

        `keys` are the partition key and, if there are two, the sort key; `indexes` the same for
        each global secondary index. `settings` are further parameters of CreateTable, such as
        `BillingMode` or `Tags`.
        """
        indexes = indexes or {}
        attributes = dict(keys) | {k: t for index in indexes.values() for k, t in index}
        request: dict[str, Any] = {
            "TableName": name,
            "AttributeDefinitions": [
                {"AttributeName": attribute, "AttributeType": type_name}
                for attribute, type_name in attributes.items()
            ],
            "KeySchema": _key_schema(keys),
            "BillingMode": "PAY_PER_REQUEST",
        }
        if indexes:
            request["GlobalSecondaryIndexes"] = [
                {
                    "IndexName": index,
                    "KeySchema": _key_schema(index_keys),
                    "Projection": {"ProjectionType": "ALL"},
                }
                for index, index_keys in indexes.items()
            ]
        await self.call("CreateTable", request | settings)
        return await self.describe_table(name)

    async def describe_table(self, name: str) -> dict[str, Any]:
        """The table's description."""
        answer = await self.call("DescribeTable", {"TableName": name})
        return dict(answer["Table"])

    async def put_items(self, table: str, items: Iterable[WireItem]) -> int:
        """Writes all items, and gives their number. Keys must differ within 25 neighbours."""
        remaining = iter(items)
        written = 0

        async def write(session: aiohttp.ClientSession) -> None:
            nonlocal written
            while batch := list(islice(remaining, limits.BATCH_MAX_ITEMS)):
                await self._write_batch(session, table, batch)
                written += len(batch)

        async with self._session() as session, asyncio.TaskGroup() as tasks:
            for _ in range(REQUESTS_IN_FLIGHT):
                tasks.create_task(write(session))
        return written

    async def delete_item(self, table: str, key: WireItem) -> None:
        """Deletes the item with this key, if there is one."""
        await self.call("DeleteItem", {"TableName": table, "Key": key})

    async def read_items(self, table: str) -> list[WireItem]:
        """All items as the service gives them, in no order that means anything."""
        items: list[WireItem] = []

        async def read(session: aiohttp.ClientSession, segment: int) -> None:
            request: dict[str, Any] = {
                "TableName": table,
                "Segment": segment,
                "TotalSegments": SCAN_SEGMENTS,
                "ConsistentRead": True,
            }
            while True:
                page = await self._post(session, "Scan", request)
                items.extend(page["Items"])
                if "LastEvaluatedKey" not in page:
                    return
                request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

        async with self._session() as session, asyncio.TaskGroup() as tasks:
            for segment in range(SCAN_SEGMENTS):
                tasks.create_task(read(session, segment))
        return items

    async def read_table(self, table: str) -> dict[str, str]:
        """All items, canonical key to canonical item: two tables with the same items are equal."""
        description = await self.describe_table(table)
        key_names = [element["AttributeName"] for element in description["KeySchema"]]
        return {key_of(item, key_names): canonical(item) for item in await self.read_items(table)}

    async def _write_batch(
        self, session: aiohttp.ClientSession, table: str, batch: Sequence[WireItem]
    ) -> None:
        requests: Any = {table: [{"PutRequest": {"Item": item}} for item in batch]}
        while requests:
            answer = await self._post(session, "BatchWriteItem", {"RequestItems": requests})
            requests = answer.get("UnprocessedItems")

    async def _post(
        self, session: aiohttp.ClientSession, operation: str, request: Mapping[str, Any]
    ) -> dict[str, Any]:
        async with session.post(
            self.url,
            data=BytesIO(msgspec.json.encode(request)),  # aiohttp warns on bytes over 1 MB
            headers={"X-Amz-Target": f"DynamoDB_20120810.{operation}"},
        ) as response:
            answer: dict[str, Any] = msgspec.json.decode(await response.read())
        if response.status != 200:
            raise ServiceRefusedError(response.status, answer)
        return answer

    def _session(self) -> aiohttp.ClientSession:
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "Authorization": unchecked_authorization(self.access_key, self.region, "dynamodb"),
        }
        if self.session_token is not None:
            headers["X-Amz-Security-Token"] = self.session_token
        return aiohttp.ClientSession(headers=headers)


def unchecked_authorization(access_key: str, region: str, service: str) -> str:
    """An Authorization header for services that look at the access key only."""
    scope = f"{access_key}/20260101/{region}/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"


def _key_schema(keys: Sequence[KeyAttribute]) -> list[dict[str, str]]:
    return [
        {"AttributeName": name, "KeyType": key_type}
        for (name, _), key_type in zip(keys, ("HASH", "RANGE"), strict=False)
    ]
