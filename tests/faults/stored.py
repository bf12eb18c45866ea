"""A table that keeps what it is given, byte by byte, and is scanned as the service scans.

Items lie in the order of their partition key's hash, then of their sort key; segments are ranges
of the hash (`benchmarks.simulator.places`, which the simulator's tables go by as well). Nothing is
modelled of capacity: this table is for what is lost, not for what is slow.
"""

import base64
import json
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from benchmarks.simulator.item_size import item_bytes
from benchmarks.simulator.places import place_of, segment_bounds
from tests.worlds.table_client import KeyAttribute

ITEM_MAX_BYTES = 400 * 1024  # [DG:Constraints]
MOST_KEYS_TRIED = 5000

# Where an item lies: the hash of its partition key, that key, its sort key.
Position = tuple[Any, ...]


class StoredPage(NamedTuple):
    """One page of a Scan: raw items, and the key to go on from."""

    items: list[bytes]
    last_evaluated_key: dict[str, Any] | None


class StoredTable:
    """One table. `keys` are its partition key and, if there are two, its sort key."""

    def __init__(
        self,
        name: str,
        keys: Sequence[KeyAttribute],
        *,
        account: str,
        table_id: str,
        page_items: int = 20,
    ) -> None:
        self.name = name
        self.keys = tuple(keys)
        self._account = account
        self.table_id = table_id
        self.page_items = page_items
        self.status = "ACTIVE"
        self.items: dict[Position, bytes] = {}
        self._order: list[Position] = []

    @property
    def arn(self) -> str:
        """The table's ARN."""
        return f"arn:aws:dynamodb:us-east-1:{self._account}:table/{self.name}"

    def position(self, item: dict[str, Any]) -> Position:
        """Where an item (or a key) lies: equal keys lie at the same place, however written.

        :raises KeyError: it lacks a key attribute, or that is of another type
        """
        values = [_comparable(kind, item[name][kind]) for name, kind in self.keys]
        return (place_of(_hashed(values[0])), *values)

    def put(self, raw: bytes) -> Position:
        """Puts an item; one with the same key is replaced."""
        position = self.position(json.loads(raw))
        if position not in self.items:
            insort(self._order, position)
        self.items[position] = raw
        return position

    def page(
        self, segment: int, total_segments: int, start: dict[str, Any] | None, limit: int | None
    ) -> StoredPage:
        """The items of a segment behind `start`. A full page names its last key, also where
        nothing comes after it [M:Scan].
        """
        first, end = self._bounds(segment, total_segments)
        if start is not None:
            first = max(first, bisect_right(self._order, self.position(start)))
        size = min(self.page_items, limit or self.page_items)
        positions = self._order[first : min(end, first + size)]
        items = [self.items[position] for position in positions]
        return StoredPage(items, self.key(items[-1]) if len(items) == size else None)

    def up_to(
        self, segment: int, total_segments: int, last: dict[str, Any] | None
    ) -> list[Position]:
        """Where the items of a segment lie, up to and with the key `last`, or all of them."""
        first, end = self._bounds(segment, total_segments)
        if last is not None:
            end = min(end, bisect_right(self._order, self.position(last)))
        return self._order[first:end]

    def key(self, raw: bytes) -> dict[str, Any]:
        """The key attributes of an item, in wire form."""
        item = json.loads(raw)
        return {name: item[name] for name, _ in self.keys}

    def key_behind(self, start: dict[str, Any]) -> dict[str, Any] | None:
        """A key that leads on from `start` and passes no item; None where none is soon found."""
        here = self.position(start)
        behind = bisect_right(self._order, here)
        for number in range(MOST_KEYS_TRIED):
            as_bytes = base64.b64encode(b"gone-%d" % number).decode()
            made = {"S": f"gone-{number}", "N": f"{number}.5", "B": as_bytes}
            key = {name: {kind: made[kind]} for name, kind in self.keys}
            there = self.position(key)
            if here < there and (behind == len(self._order) or there < self._order[behind]):
                return key
        return None

    def fault_of(self, raw: bytes) -> str | None:
        """Why the service would not take this item, or None."""
        item = json.loads(raw)
        if item_bytes(item) > ITEM_MAX_BYTES:
            return "Item size has exceeded the maximum allowed size"
        try:
            self.position(item)
        except KeyError:
            return "The provided key element does not match the schema"
        return None

    def _bounds(self, segment: int, total_segments: int) -> tuple[int, int]:
        first, end = segment_bounds(segment, total_segments)
        return bisect_left(self._order, (first,)), bisect_left(self._order, (end,))


def _hashed(value: bytes | Decimal) -> str:
    """A text that is the same for equal keys: numbers hash by value."""
    return str(hash(value)) if isinstance(value, Decimal) else repr(value)


def _comparable(kind: str, value: str) -> Any:
    if kind == "N":
        return Decimal(value)
    return base64.b64decode(value) if kind == "B" else value.encode("utf-8", "surrogatepass")
