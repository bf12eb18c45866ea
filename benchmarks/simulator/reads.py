"""Scan and BatchGetItem, of what a table was seeded with or of what it keeps."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from benchmarks.simulator import requests
from benchmarks.simulator.admission import SizedKey
from benchmarks.simulator.answer import Answer, consumed, refused
from benchmarks.simulator.places import segment_bounds
from benchmarks.simulator.refusals import invalid
from benchmarks.simulator.requests import KeysRequest, ScanRequest, WireKey
from benchmarks.simulator.served_table import ServedTable
from benchmarks.simulator.stored_items import Key, StoredItem, StoredItems

BATCH_BYTES = 16 * 1024 * 1024  # of the items that a BatchGetItem gives [M:BatchGetItem]

_encode = msgspec.json.encode


class Tables(Protocol):
    """Where tables are found."""

    def table(self, name_or_arn: str) -> ServedTable:
        """The table of this name or ARN.

        :raises RefusedError: it is not there
        """
        ...


class _Page(Struct, frozen=True):
    """A page before it is made, which is what it costs: `pieces` are joined in the answer."""

    place: int
    size_bytes: int
    count: int
    last: WireKey | None
    pieces: Callable[[], list[bytes]]


class TableReads:
    """The reads of all tables."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.operations: dict[str, Callable[[bytes, float], Answer]] = {
            "Scan": self._scan,
            "BatchGetItem": self._batch_get,
        }

    def _scan(self, body: bytes, now: float) -> Answer:
        request = requests.decode_scan(body)
        table = self._tables.table(request.TableName)
        if not 0 <= request.Segment < request.TotalSegments <= 1_000_000:
            raise invalid("Segment must be less than TotalSegments, and that at most 1,000,000")
        places = segment_bounds(request.Segment, request.TotalSegments)
        page = (
            _seeded_page(table, request, places)
            if table.items is None
            else _stored_page(table, table.items, request, places, now)
        )
        consistent = request.ConsistentRead
        admission = table.model.read(
            page.place, page.size_bytes, now, consistent=consistent, items=page.count
        )
        if admission.refusal is not None:
            return refused(admission.refusal, admission.latency_seconds)
        return Answer(200, _page(table, request, page, admission.units), admission.latency_seconds)

    def _batch_get(self, body: bytes, now: float) -> Answer:
        batch = requests.decode_batch_get(body)
        name, request = batch.of_one_table()
        table = self._tables.table(name)
        found = _found(table, request, now)
        sized = [SizedKey(key[0], 0 if item is None else item.size_bytes) for key, item in found]
        admission = table.model.read_items(sized, now, consistent=request.ConsistentRead)
        if admission.refusal is not None:
            return refused(admission.refusal, admission.latency_seconds)
        given, left = _given([item for _, item in found], admission.unread)
        rest: dict[str, Any] = {"UnprocessedKeys": {}}
        if left:
            rest["UnprocessedKeys"] = {name: {"Keys": [request.Keys[place] for place in left]}}
        detail = batch.ReturnConsumedCapacity
        if detail != "NONE":
            rest["ConsumedCapacity"] = [consumed(detail, name, admission.units, {})]
        answer = (b'{"Responses":{', _encode(name), b":[", b",".join(given), b"]},")
        return Answer(200, b"".join((*answer, _encode(rest)[1:])), admission.latency_seconds)


def _found(
    table: ServedTable, request: KeysRequest, now: float
) -> list[tuple[Key, StoredItem | None]]:
    """What is under the keys that are asked for, None for nothing."""
    items, settings = table.items, table.settings
    if items is None:
        raise invalid("the simulator keeps no items of this table: see keeps_items")
    keys = [requests.key_of(requests.whole_key(key, settings), settings) for key in request.Keys]
    if len(set(keys)) != len(keys):
        raise invalid("Provided list of item keys contains duplicates")
    if request.ConsistentRead:
        return [(key, items.get(key)) for key in keys]
    return [(key, items.seen(key, now)) for key in keys]


def _given(
    found: Sequence[StoredItem | None], unread: Sequence[int]
) -> tuple[list[bytes], list[int]]:
    """The items that one answer holds, and the positions of the keys that are left for another."""
    given, left, size_bytes = list[bytes](), list(unread), 0
    for place, item in enumerate(found):
        if item is None or place in unread:
            continue
        size_bytes += item.size_bytes
        if size_bytes > BATCH_BYTES:
            left.append(place)
        else:
            given.append(item.body)
    return given, left


def _seeded_page(table: ServedTable, request: ScanRequest, places: tuple[int, int]) -> _Page:
    seeded = table.seeded
    start, end = seeded.first_rank(places[0]), seeded.first_rank(places[1])
    if request.ExclusiveStartKey is not None:
        start = max(start, _rank_after(table, request.ExclusiveStartKey))
    extent = seeded.extent(min(start, end), end, request.Limit)
    place, last = places[0], None
    if extent.end > extent.start:
        place, _ = seeded.position(extent.start)
    if not extent.is_last:
        partition, sort = seeded.key(extent.end - 1)
        last = requests.wire_key((0, partition, sort or ""), table.settings)
    return _Page(
        place, extent.size_bytes, extent.end - extent.start, last, lambda: seeded.pieces(extent)
    )


def _stored_page(
    table: ServedTable,
    items: StoredItems,
    request: ScanRequest,
    places: tuple[int, int],
    now: float,
) -> _Page:
    after = None
    if request.ExclusiveStartKey is not None:
        after = requests.key_of(request.ExclusiveStartKey, table.settings)
    seen_at = None if request.ConsistentRead else now
    page = items.page(places, after, request.Limit, seen_at=seen_at)
    return _Page(
        places[0] if page.first is None else page.first[0],
        page.size_bytes,
        len(page.items),
        None if page.last is None else requests.wire_key(page.last, table.settings),
        lambda: [b",".join([item.body for item in page.items])],
    )


def _rank_after(table: ServedTable, key: WireKey) -> int:
    settings = table.settings
    try:
        sort_key = key[settings.sort_key]["S"] if settings.sort_key is not None else None
        return table.seeded.rank_after(key[settings.partition_key]["S"], sort_key)
    except (KeyError, ValueError):
        raise invalid("The provided starting key is invalid") from None


def _page(table: ServedTable, request: ScanRequest, page: _Page, units: float) -> bytes:
    rest: dict[str, Any] = {"Count": page.count, "ScannedCount": page.count}
    if page.last is not None:
        rest["LastEvaluatedKey"] = page.last
    if request.ReturnConsumedCapacity != "NONE":
        detail = request.ReturnConsumedCapacity
        rest["ConsumedCapacity"] = consumed(detail, table.settings.name, units, {})
    return b"".join((b'{"Items":[', *page.pieces(), b"],", _encode(rest)[1:]))
