"""A source and a target behind the two ports of a copy, in memory.

They answer as a test tells them to, so that what a real service does once in a million requests
happens here at once.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from msgspec import Raw

from dynaferry.ports import BatchExchange, Change, Delete, Page, WriteResult

Pages = Sequence[Sequence[str]]


def wire_item(key: str) -> Raw:
    """An item whose only attribute is its key."""
    return Raw(b'{"pk":{"S":"%b"}}' % key.encode())


def key_in(item: Change) -> str:
    """The key of an item that `wire_item` made."""
    assert not isinstance(item, Delete)
    return bytes(item).removeprefix(b'{"pk":{"S":"').removesuffix(b'"}}').decode()


class FakeSource:
    """Segments of pages of keys. `filtered` counts items that every page leaves out."""

    full_page_units = 128.0

    def __init__(self, segments: Sequence[Pages], *, filtered: int = 0) -> None:
        self._segments = segments
        self._filtered = filtered
        self.reads: list[tuple[int, bytes | None]] = []
        self.before_read: Callable[[int, int], Awaitable[None]] | None = None

    async def read_page(
        self, segment: int, exclusive_start_key: bytes | None, limit: int | None = None
    ) -> Page:
        self.reads.append((segment, exclusive_start_key))
        number = int(exclusive_start_key) if exclusive_start_key is not None else 0
        if self.before_read is not None:
            await self.before_read(segment, number)
        pages = self._segments[segment]
        items = [wire_item(key) for key in pages[number]]
        return Page(
            items=items,
            last_evaluated_key=b"%d" % (number + 1) if number + 1 < len(pages) else None,
            scanned_count=len(items) + self._filtered,
            body_bytes=sum(len(item) for item in items),
            consumed_units=1.0,
        )

    @property
    def keys(self) -> list[str]:
        """Every key of every page."""
        return [key for pages in self._segments for page in pages for key in page]


class FakeTarget:
    """Keeps what it is given. `before_write` may raise, wait, or return a remainder."""

    def __init__(self) -> None:
        self.written: Counter[str] = Counter()
        self.batches: list[list[str]] = []
        self.before_write: Callable[[list[str]], Awaitable[Sequence[str] | None]] | None = None

    async def write_batches(self, batches: BatchExchange) -> None:
        items = next(batches)
        with suppress(StopIteration):
            while True:
                items = batches.send(await self.write_batch(items))

    async def write_batch(self, items: Sequence[Change]) -> WriteResult:
        keys = [key_in(item) for item in items]
        self.batches.append(keys)
        remainder: Sequence[str] = ()
        if self.before_write is not None:
            remainder = await self.before_write(keys) or ()
        self.written.update(key for key in keys if key not in remainder)
        return WriteResult(
            unprocessed=[item for item in items if key_in(item) in remainder],
            consumed_units=float(len(keys) - len(remainder)),
        )

    def units_of(self, changes: Sequence[Change]) -> float:
        return float(len(changes))

    def key_of(self, change: Change) -> bytes:
        return bytes(change.key if isinstance(change, Delete) else change)
