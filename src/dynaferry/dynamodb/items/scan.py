"""Scan -> Page."""

from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Raw, Struct

from dynaferry.dynamodb import capacity
from dynaferry.dynamodb.capacity import Consumed
from dynaferry.dynamodb.client import DynamoClient
from dynaferry.dynamodb.items.responses import UNREADABLE, ResponseReader
from dynaferry.errors import RequestRefusedError
from dynaferry.limits import PAGE_MAX_ITEM_BYTES
from dynaferry.ports import Page

# An item has one byte at least, so that no page counts more of them.
_ItemCount = Annotated[int, Meta(ge=0, le=PAGE_MAX_ITEM_BYTES)]


class _ScanResponse(Struct, frozen=True):
    """What is read of a Scan's response; unknown fields are passed over."""

    # No default: a response without it is not a response, and must not count as an empty page.
    Items: list[Raw]
    # `Raw | None` is not a field type of msgspec's: an empty Raw stands for an absent key.
    LastEvaluatedKey: Raw = Raw()
    Count: _ItemCount | None = None
    ScannedCount: _ItemCount | None = None
    ConsumedCapacity: Consumed | None = None


_decode = msgspec.json.Decoder(_ScanResponse).decode


class _FirstPage(NamedTuple):
    """What is kept of the first page of a segment."""

    segment: int
    first_item: bytes
    items: int
    last_key: bytes

    def repeats(self, other: "_FirstPage") -> bool:
        """Whether it is this page again in another segment: as it was, or cut elsewhere."""
        return (
            self.segment != other.segment
            and self.first_item == other.first_item
            and (self.items != other.items or self.last_key == other.last_key)
        )


class ScanSource:
    """The pages of one table. A `PageSource`."""

    def __init__(
        self,
        client: DynamoClient,
        *,
        table: str,
        total_segments: int,
        consistent_read: bool = False,
        side: str = "source",
    ) -> None:
        self._client = client
        self._table = table
        self._side = side
        self._reader = ResponseReader("Scan", side, table)
        self._first_page: _FirstPage | None = None
        self._ways: dict[int, _Way] = {}
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

        Only an absent LastEvaluatedKey means the end of a segment [M:Scan]. No filter is ever
        asked for, so whatever was evaluated is there. A response whose counts say otherwise, whose
        key is none, or does not lead on, is not believed.

        :raises RequestRefusedError: segments are not what they are asked for as
        """
        response = await self._client.send("Scan", self._body(segment, exclusive_start_key, limit))
        scanned = self._reader.read(_decode, response, segment)
        self._check_counts(segment, scanned)
        # Copied, so that a stored key does not keep its page in memory.
        last_key = bytes(scanned.LastEvaluatedKey)
        self._check_key(segment, exclusive_start_key, last_key)
        if exclusive_start_key is None:
            self._check_first_page(segment, scanned.Items, last_key)
        self._check_way(segment, exclusive_start_key, last_key)
        return Page(
            items=scanned.Items,
            last_evaluated_key=last_key or None,
            scanned_count=len(scanned.Items),
            body_bytes=len(response),
            consumed_units=scanned.ConsumedCapacity.CapacityUnits
            if scanned.ConsumedCapacity is not None
            else None,
        )

    def _body(self, segment: int, exclusive_start_key: bytes | None, limit: int | None) -> bytes:
        body = b'%b,"Segment":%d}' % (self._request, segment)
        if exclusive_start_key is not None:
            body = b'%b,"ExclusiveStartKey":%b}' % (body[:-1], exclusive_start_key)
        if limit is not None:
            body = b'%b,"Limit":%d}' % (body[:-1], limit)
        return body

    def _check_counts(self, segment: int, scanned: _ScanResponse) -> None:
        count = len(scanned.Items)
        if scanned.Count is None or scanned.Count != count:
            raise self._reader.impossible(
                f"Count is {scanned.Count}, but {count} items came", segment
            )
        if scanned.ScannedCount is not None and scanned.ScannedCount != count:
            raise self._reader.impossible(
                f"{scanned.ScannedCount} items were evaluated, but {count} came", segment
            )

    def _check_key(self, segment: int, start_key: bytes | None, last_key: bytes) -> None:
        if last_key and not _is_key(last_key):
            raise self._reader.impossible("LastEvaluatedKey is not a key", segment)
        if start_key is not None and last_key and _are_same_key(last_key, start_key):
            raise self._reader.impossible("it leads back to where it began", segment)

    def _check_way(self, segment: int, start_key: bytes | None, last_key: bytes) -> None:
        """A scan that goes round would never end."""
        if start_key is None:
            self._ways.pop(segment, None)
        if not last_key:
            self._ways.pop(segment, None)
        elif self._ways.setdefault(segment, _Way()).comes_round(start_key, last_key):
            raise self._reader.impossible("it leads back to a page before it", segment)

    def _check_first_page(self, segment: int, items: list[Raw], last_key: bytes) -> None:
        """An item is in one segment only; stand-ins that ignore Segment give all in each."""
        if not items:
            return
        page = _FirstPage(segment, bytes(items[0]), len(items), last_key)
        if self._first_page is None:
            self._first_page = page
        elif page.repeats(self._first_page):
            raise RequestRefusedError(
                f"the {self._side} table {self._table} gives the same items in segment "
                f"{self._first_page.segment} and in segment {segment}: "
                "its endpoint ignores Segment",
                hint="go through it with --segments 1, a copy that was started under another --run",
                operation="Scan",
                table=self._table,
                segment=segment,
            )


class _Way:
    """The keys that a segment's pages led to, as far as it takes to see that they go round: one of
    them is kept, twice as far on each time (Brent's method), so each circle is found within three
    times its length and the way to it.
    """

    __slots__ = ("_from", "_keep_at", "_kept", "_pages")

    def __init__(self) -> None:
        self._from: bytes | None = None
        self._kept = b""
        self._pages, self._keep_at = 0, 1

    def comes_round(self, start_key: bytes | None, last_key: bytes) -> bool:
        """Whether the page from `start_key` led to where a page before it led.

        The same page may be asked for again: a request is tried again.
        """
        if self._pages and start_key == self._from:
            return False
        if last_key == self._kept:
            return True
        self._from = start_key
        self._pages += 1
        if self._pages == self._keep_at:
            self._kept, self._keep_at = last_key, 2 * self._keep_at
        return False


def _are_same_key(one: bytes, other: bytes) -> bool:
    """Whatever stands between their parts."""
    if one == other:
        return True
    try:
        return bool(msgspec.json.decode(one) == msgspec.json.decode(other))
    except UNREADABLE:
        return False


def _is_key(raw: bytes) -> bool:
    """Whether it is an object with something in it; only the service knows whether it is a key.

    What is not UTF-8 would be stored with the watermark, and refused by the service ever after.
    """
    try:
        return raw.startswith(b"{") and raw.decode()[1:].lstrip() != "}"
    except UnicodeDecodeError:
        return False
