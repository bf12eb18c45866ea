"""Scan -> Page."""

import msgspec
from msgspec import Raw, Struct

from dynaferry.dynamodb import capacity
from dynaferry.dynamodb.wire import Wire
from dynaferry.errors import CorruptAnswerError
from dynaferry.ports import Page


class _Capacity(Struct, frozen=True):
    CapacityUnits: float = 0.0


class _ScanAnswer(Struct, frozen=True):
    """What is read of a Scan's answer; unknown fields are passed over."""

    Items: list[Raw] = []
    # `Raw | None` is not a field type of msgspec's: an empty Raw stands for an absent key.
    LastEvaluatedKey: Raw = Raw()
    Count: int | None = None
    ScannedCount: int | None = None
    ConsumedCapacity: _Capacity | None = None


_decode = msgspec.json.Decoder(_ScanAnswer).decode


class TableSource:
    """The pages of one table. A `PageSource`."""

    def __init__(
        self, wire: Wire, *, table: str, total_segments: int, consistent_read: bool = False
    ) -> None:
        self._wire = wire
        self._table = table
        self.full_page_units = capacity.full_page_read_units(consistent_read=consistent_read)
        self._request = msgspec.json.encode(
            {
                "TableName": table,
                "TotalSegments": total_segments,
                "ConsistentRead": consistent_read,
                "ReturnConsumedCapacity": "TOTAL",
            }
        ).removesuffix(b"}")

    async def read_page(self, segment: int, exclusive_start_key: bytes | None) -> Page:
        """Reads one page; see `PageSource`.

        Only an absent LastEvaluatedKey means the end of a segment [M:Scan]. An answer whose
        Count is not the number of its items is not believed.
        """
        body = b'%b,"Segment":%d}' % (self._request, segment)
        if exclusive_start_key is not None:
            body = b'%b,"ExclusiveStartKey":%b}' % (body[:-1], exclusive_start_key)
        answer = await self._wire.call("Scan", body)
        try:
            scanned = _decode(answer)
        except msgspec.MsgspecError as error:
            raise self._corrupt(segment, str(error)) from error
        count = len(scanned.Items)
        if scanned.Count is None or scanned.Count != count:
            raise self._corrupt(segment, f"Count is {scanned.Count}, but {count} items came")
        # Copied, so that a stored key does not keep its page in memory.
        last_key = bytes(scanned.LastEvaluatedKey)
        if last_key and not last_key.startswith(b"{"):
            raise self._corrupt(segment, "LastEvaluatedKey is not a key")
        return Page(
            items=scanned.Items,
            last_evaluated_key=last_key or None,
            scanned_count=count if scanned.ScannedCount is None else scanned.ScannedCount,
            body_bytes=len(answer),
            consumed_units=scanned.ConsumedCapacity.CapacityUnits
            if scanned.ConsumedCapacity is not None
            else None,
        )

    def _corrupt(self, segment: int, what: str) -> CorruptAnswerError:
        return CorruptAnswerError(
            f"Scan of the source table {self._table} gave an answer that is not one: {what}",
            operation="Scan",
            table=self._table,
            segment=segment,
        )
