"""BatchWriteItem, PutItem and DeleteItem."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from benchmarks.simulator import requests
from benchmarks.simulator.admission import Admission
from benchmarks.simulator.answer import Answer, consumed, refused
from benchmarks.simulator.conditions import holds
from benchmarks.simulator.reads import Tables
from benchmarks.simulator.refusals import Refusal, invalid
from benchmarks.simulator.requests import (
    BatchWriteRequest,
    ItemChange,
    RefusedItemError,
    SingleWriteRequest,
    WriteRequest,
)
from benchmarks.simulator.served_table import ServedTable

_encode = msgspec.json.encode
_FAILED = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"


class TableWrites:
    """The writes of all tables."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.operations: dict[str, Callable[[bytes, float], Answer]] = {
            "BatchWriteItem": self._batch_write,
            "PutItem": self._put,
            "DeleteItem": self._delete,
        }

    def _batch_write(self, body: bytes, now: float) -> Answer:
        batch = requests.decode_batch_write(body)
        name, wanted = batch.of_one_table()
        table = self._tables.table(name)
        try:
            changes = requests.changes_of(wanted, table.settings)
        except RefusedItemError:
            table.refused_items += 1
            raise
        admission = table.model.write([table.sized(change) for change in changes], now)
        if admission.refusal is not None:
            return refused(admission.refusal, admission.latency_seconds)
        left = set(admission.unprocessed)
        taken = [change for place, change in enumerate(changes) if place not in left]
        answer = Answer(
            200, _encode(_written(batch, name, wanted, admission)), admission.latency_seconds
        )
        return table.carry_out(lambda at: table.apply(taken, at), answer, now)

    def _put(self, body: bytes, now: float) -> Answer:
        request = requests.decode_single_write(body)
        table = self._tables.table(request.TableName)
        try:
            change = requests.put_of(request.Item, table.settings)
        except RefusedItemError:
            table.refused_items += 1
            raise
        return _write_one(table, request, change, now)

    def _delete(self, body: bytes, now: float) -> Answer:
        request = requests.decode_single_write(body)
        table = self._tables.table(request.TableName)
        return _write_one(table, request, requests.delete_of(request.Key, table.settings), now)


def _write_one(
    table: ServedTable, request: SingleWriteRequest, change: ItemChange, now: float
) -> Answer:
    if request.ConditionExpression is not None and table.items is None:
        raise invalid("the simulator keeps no items of this table: see keeps_items")
    admission = table.model.write([table.sized(change)], now)
    if admission.refusal is not None:
        return refused(admission.refusal, admission.latency_seconds)
    if admission.unprocessed:
        # One item has no remainder: what was left undone by chance is a failure.
        return refused(Refusal(500, "InternalServerError", "The request could not be served."))
    before = None if table.items is None else table.items.get(change.key)
    if not _may_be_written(table, request, change):
        failed: dict[str, Any] = {"__type": _FAILED, "message": "The conditional request failed"}
        if request.ReturnValuesOnConditionCheckFailure == "ALL_OLD" and before is not None:
            failed["Item"] = msgspec.Raw(before.body)
        return Answer(400, _encode(failed), admission.latency_seconds)
    told: dict[str, Any] = {}
    if request.ReturnValues == "ALL_OLD" and before is not None:
        told["Attributes"] = msgspec.Raw(before.body)
    if request.ReturnConsumedCapacity != "NONE":
        told["ConsumedCapacity"] = _consumed(request.ReturnConsumedCapacity, table, admission)

    def effect(at: float) -> None:
        # One that is late finds what is there then.
        if _may_be_written(table, request, change):
            table.apply([change], at)

    return table.carry_out(effect, Answer(200, _encode(told), admission.latency_seconds), now)


def _may_be_written(table: ServedTable, request: SingleWriteRequest, change: ItemChange) -> bool:
    if request.ConditionExpression is None or table.items is None:
        return True
    before = table.items.get(change.key)
    return holds(
        request.ConditionExpression,
        request.ExpressionAttributeNames,
        request.ExpressionAttributeValues,
        None if before is None else requests.decode_item(before.body),
    )


def _written(
    batch: BatchWriteRequest, name: str, wanted: Sequence[WriteRequest], admission: Admission
) -> dict[str, Any]:
    unprocessed = [wanted[left] for left in admission.unprocessed]
    answer: dict[str, Any] = {"UnprocessedItems": {name: unprocessed} if unprocessed else {}}
    if batch.ReturnConsumedCapacity != "NONE":
        detail = batch.ReturnConsumedCapacity
        units = admission.table_units, admission.index_units
        answer["ConsumedCapacity"] = [consumed(detail, name, *units)]
    return answer


def _consumed(detail: str, table: ServedTable, admission: Admission) -> dict[str, Any]:
    return consumed(detail, table.settings.name, admission.table_units, admission.index_units)
