"""Scan -> Page."""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from dynaferry.dynamodb import capacity
from dynaferry.dynamodb.wire import Wire
from dynaferry.errors import CorruptAnswerError
from dynaferry.limits import PAGE_MAX_ITEM_BYTES
from dynaferry.ports import Page

# An item has one byte at least, so that no page counts more of them.
_ItemCount = Annotated[int, Meta(ge=0, le=PAGE_MAX_ITEM_BYTES)]


class _Capacity(Struct, frozen=True):
    CapacityUnits: float = 0.0


class _ScanAnswer(Struct, frozen=True):
    """What is read of a Scan's answer; unknown fields are passed over."""

    # No default: an answer without it is not an answer, and must not count as an empty page.
    Items: list[Raw]
    # `Raw | None` is not a field type of msgspec's: an empty Raw stands for an absent key.
    LastEvaluatedKey: Raw = Raw()
    Count: _ItemCount | None = None
    ScannedCount: _ItemCount | None = None
    ConsumedCapacity: _Capacity | None = None


_decode = msgspec.json.Decoder(_ScanAnswer).decode


class TableSource:
    """The pages of one table. A `PageSource`."""

    def __init__(
        self,
        wire: Wire,
        *,
        table: str,
        total_segments: int,
        consistent_read: bool = False,
        side: str = "source",
    ) -> None:
        self._wire = wire
        self._table = table
        self._side = side
        self.full_page_units = capacity.full_page_read_units(consistent_read=consistent_read)
        self._request = msgspec.json.encode(
            {
                "TableName": table,
                "TotalSegments": total_segments,
                "ConsistentRead": consistent_read,
                "ReturnConsumedCapacity": "TOTAL",
            }
        ).removesuffix(b"}")

    async def read_page(
        self, segment: int, exclusive_start_key: bytes | None, limit: int | None = None
    ) -> Page:
        """Reads one page; see `PageSource`.

        Only an absent LastEvaluatedKey means the end of a segment [M:Scan]. An answer whose
        counts do not fit its items, or whose key is none, is not believed.
        """
        body = b'%b,"Segment":%d}' % (self._request, segment)
        if exclusive_start_key is not None:
            body = b'%b,"ExclusiveStartKey":%b}' % (body[:-1], exclusive_start_key)
        if limit is not None:
            body = b'%b,"Limit":%d}' % (body[:-1], limit)
        answer = await self._wire.call("Scan", body)
        try:
            scanned = _decode(answer)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self._corrupt(segment, str(error)) from error
        count = len(scanned.Items)
        if scanned.Count is None or scanned.Count != count:
            raise self._corrupt(segment, f"Count is {scanned.Count}, but {count} items came")
        evaluated = count if scanned.ScannedCount is None else scanned.ScannedCount
        if evaluated < count:
            raise self._corrupt(segment, f"{count} items came of {evaluated} that were evaluated")
        # Copied, so that a stored key does not keep its page in memory.
        last_key = bytes(scanned.LastEvaluatedKey)
        if last_key and not _is_key(last_key):
            raise self._corrupt(segment, "LastEvaluatedKey is not a key")
        return Page(
            items=scanned.Items,
            last_evaluated_key=last_key or None,
            scanned_count=evaluated,
            body_bytes=len(answer),
            consumed_units=scanned.ConsumedCapacity.CapacityUnits
            if scanned.ConsumedCapacity is not None
            else None,
        )

    def _corrupt(self, segment: int, what: str) -> CorruptAnswerError:
        return CorruptAnswerError(
            f"Scan of the {self._side} table {self._table} gave an answer that is not one: {what}",
            operation="Scan",
            table=self._table,
            segment=segment,
        )


def _is_key(raw: bytes) -> bool:
    """Whether it is an object with something in it; only the service knows whether it is a key.

    What is not UTF-8 would be stored with the watermark, and refused by the service ever after.
    """
    try:
        return raw.startswith(b"{") and raw.decode()[1:].lstrip() != "}"
    except UnicodeDecodeError:
        return False
