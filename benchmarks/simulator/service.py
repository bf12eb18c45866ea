"""Requests to answers: the tables of one simulator behind the service's operations.

Written items are counted, and digested where a table remembers them, but not kept: a Scan gives
what was seeded.
"""

import uuid
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from benchmarks.simulator import requests
from benchmarks.simulator.admission import Admission
from benchmarks.simulator.describe import description
from benchmarks.simulator.places import segment_bounds
from benchmarks.simulator.refusals import Refusal, RefusedError, invalid, no_such_table
from benchmarks.simulator.refusals import unknown_operation as unknown
from benchmarks.simulator.report import TableReport
from benchmarks.simulator.requests import BatchWriteRequest, ScanRequest
from benchmarks.simulator.seeded import Extent, ItemsDigest, SeededItems
from benchmarks.simulator.settings import Settings, Table
from benchmarks.simulator.table import SimulatedTable

_encode = msgspec.json.encode


class Answer(Struct, frozen=True):
    """What to send, and how many seconds after the request came."""

    status: int
    body: bytes
    latency_seconds: float = 0.0


_Operation = Callable[[bytes, float], Answer]


class ServedTable:
    """One table with its items."""

    def __init__(self, settings: Table, server: Settings, now: float) -> None:
        self.settings = settings
        self.model = SimulatedTable(
            settings, now=now, account=server.account, region=server.region, seed=server.seed
        )
        self.seeded = SeededItems(settings)
        self.written = ItemsDigest() if settings.remember_items else None
        self.table_id = str(uuid.uuid4())

    def report(self, now: float) -> TableReport:
        """What this table saw."""
        report = self.model.report(now)
        if self.written is None:
            return report
        return msgspec.structs.replace(
            report, distinct_items=self.written.distinct, items_digest=self.written.text
        )


class Service:
    """All tables; `now` is in seconds since the simulator started."""

    def __init__(self, settings: Settings, now: float = 0.0) -> None:
        self.tables = {table.name: ServedTable(table, settings, now) for table in settings.tables}
        self._operations: dict[str, _Operation] = {
            "Scan": self._scan,
            "BatchWriteItem": self._batch_write,
            "DescribeTable": self._describe_table,
        }

    def answer(self, operation: str, body: bytes, now: float) -> Answer:
        """The answer to one request."""
        try:
            if operation not in self._operations:
                raise unknown(operation)
            return self._operations[operation](body, now)
        except RefusedError as error:
            return Answer(error.refusal.status, error.refusal.body())
        except msgspec.MsgspecError as error:
            refusal = Refusal(400, "SerializationException", str(error))
            return Answer(refusal.status, refusal.body())

    def table(self, name_or_arn: str) -> ServedTable:
        """The table of this name or ARN.

        :raises RefusedError: it is not there
        """
        name = name_or_arn.rpartition("/")[2]
        if name not in self.tables:
            raise no_such_table(name)
        return self.tables[name]

    # Scan ----------------------------------------------------------------------------------------

    def _scan(self, body: bytes, now: float) -> Answer:
        request = requests.decode_scan(body)
        table = self.table(request.TableName)
        if not 0 <= request.Segment < request.TotalSegments <= 1_000_000:
            raise invalid("Segment must be less than TotalSegments, and that at most 1,000,000")
        first_place, end_place = segment_bounds(request.Segment, request.TotalSegments)
        start = table.seeded.first_rank(first_place)
        end = table.seeded.first_rank(end_place)
        if request.ExclusiveStartKey is not None:
            start = max(start, _rank_after(table, request.ExclusiveStartKey))
        extent = table.seeded.extent(min(start, end), end, request.Limit)
        place = first_place
        if extent.end > extent.start:
            place, _ = table.seeded.position(extent.start)
        admission = table.model.read(
            place,
            extent.size_bytes,
            now,
            consistent=request.ConsistentRead,
            items=extent.end - extent.start,
        )
        if admission.refusal is not None:
            refusal = admission.refusal
            return Answer(refusal.status, refusal.body(), admission.latency_seconds)
        page = _page(table, request, extent, admission.units)
        return Answer(200, page, admission.latency_seconds)

    # BatchWriteItem ------------------------------------------------------------------------------

    def _batch_write(self, body: bytes, now: float) -> Answer:
        request = requests.decode_batch_write(body)
        name, items = request.puts()
        table = self.table(name)
        keys = requests.sized_keys(items, table.settings.partition_key, table.settings.sort_key)
        admission = table.model.write(keys, now)
        if admission.refusal is not None:
            refusal = admission.refusal
            return Answer(refusal.status, refusal.body(), admission.latency_seconds)
        if table.written is not None:
            left = set(admission.unprocessed)
            for position, item in enumerate(items):
                if position not in left:
                    table.written.add(bytes(item))
        answer = _encode(_written(request, name, items, admission))
        return Answer(200, answer, admission.latency_seconds)

    # DescribeTable -------------------------------------------------------------------------------

    def _describe_table(self, body: bytes, _: float) -> Answer:
        table = self.table(requests.decode_describe_table(body).TableName)
        described = description(
            table.settings,
            arn=table.model.arn,
            table_id=table.table_id,
            offer=table.model.offer(),
            size_bytes=table.seeded.size_bytes,
        )
        return Answer(200, _encode({"Table": described}))


def _rank_after(table: ServedTable, key: requests.WireKey) -> int:
    settings = table.settings
    try:
        sort_key = key[settings.sort_key]["S"] if settings.sort_key is not None else None
        return table.seeded.rank_after(key[settings.partition_key]["S"], sort_key)
    except (KeyError, ValueError):
        raise invalid("The provided starting key is invalid") from None


def _page(table: ServedTable, request: ScanRequest, extent: Extent, units: float) -> bytes:
    count = extent.end - extent.start
    rest: dict[str, Any] = {"Count": count, "ScannedCount": count}
    if not extent.is_last:
        rest["LastEvaluatedKey"] = _last_key(table, extent)
    if request.ReturnConsumedCapacity != "NONE":
        rest["ConsumedCapacity"] = _consumed(
            request.ReturnConsumedCapacity, table.settings.name, units, {}
        )
    return b"".join((b'{"Items":[', *table.seeded.pieces(extent), b"],", _encode(rest)[1:]))


def _last_key(table: ServedTable, extent: Extent) -> requests.WireKey:
    partition_key, sort_key = table.seeded.key(extent.end - 1)
    key = {table.settings.partition_key: {"S": partition_key}}
    if table.settings.sort_key is not None and sort_key is not None:
        key[table.settings.sort_key] = {"S": sort_key}
    return key


def _written(
    request: BatchWriteRequest, table: str, items: list[Raw], admission: Admission
) -> dict[str, Any]:
    unprocessed = [{"PutRequest": {"Item": items[left]}} for left in admission.unprocessed]
    answer: dict[str, Any] = {"UnprocessedItems": {table: unprocessed} if unprocessed else {}}
    if request.ReturnConsumedCapacity != "NONE":
        answer["ConsumedCapacity"] = [
            _consumed(
                request.ReturnConsumedCapacity, table, admission.table_units, admission.index_units
            )
        ]
    return answer


def _consumed(
    detail: str, table: str, table_units: float, index_units: dict[str, float]
) -> dict[str, Any]:
    """TOTAL is the sum with the indexes, INDEXES says the parts as well [M:ConsumedCapacity]."""
    consumed: dict[str, Any] = {
        "TableName": table,
        "CapacityUnits": table_units + sum(index_units.values()),
    }
    if detail == "INDEXES":
        consumed["Table"] = {"CapacityUnits": table_units}
        consumed["GlobalSecondaryIndexes"] = {
            name: {"CapacityUnits": units} for name, units in index_units.items()
        }
    return consumed
