"""Two tables in memory behind the ports of a verification."""

from collections.abc import Callable, Sequence
from zlib import crc32

from msgspec import Raw

from dynaferry.dynamodb.items.canonical import digest_of
from dynaferry.errors import ConditionFailedError
from dynaferry.ports import FoundItems, Page, Replaced
from dynaferry.verify.assembly import key_reader

KEY_OF = key_reader(["pk"])


def item(key: object, value: object = 0) -> bytes:
    """An item with a key and one more attribute."""
    return b'{"pk":{"S":"%b"},"n":{"N":"%b"}}' % (str(key).encode(), str(value).encode())


def key(number: object) -> bytes:
    """The canonical key of `item(number)`."""
    return b'{"pk":{"S":"%b"}}' % str(number).encode()


class FakeTable:
    """A table: `segments` of pages in an order of its own.

    `before_page` and `before_find` are told what is about to be read, and may change the table or
    raise. `after_check` is told which item is about to be replaced by a write whose condition
    holds, and may change it as no condition would see; `tells_replaced` is whether answers say what
    was there. `unprocessed_first` leaves the last key of each first look-up for another time.
    """

    full_page_units = 128.0

    def __init__(
        self,
        items: Sequence[bytes] = (),
        *,
        segments: int = 1,
        page_items: int = 10,
        order: Callable[[bytes], object] = crc32,
        place: Callable[[bytes], int] = crc32,
    ) -> None:
        self.items = {KEY_OF(one): one for one in items}
        self._segments = segments
        self._page_items = page_items
        self._order = order
        self._place = place
        self.looked_up: list[bytes] = []
        self.most_keys_at_once = 0
        self.before_page: Callable[[int], None] = lambda _: None
        self.before_find: Callable[[Sequence[bytes]], None] = lambda _: None
        self.after_check: Callable[[bytes], None] = lambda _: None
        self.tells_replaced = True
        self.unprocessed_first = False
        self._left: set[bytes] = set()

    async def read_page(
        self, segment: int, exclusive_start_key: bytes | None, limit: int | None = None
    ) -> Page:
        start = int(exclusive_start_key) if exclusive_start_key is not None else 0
        self.before_page(start)
        mine = [k for k in self.items if self._place(k) % self._segments == segment]
        mine.sort(key=self._order)  # type: ignore[arg-type]  # whatever the test sorts by
        end = start + self._page_items
        found = [Raw(self.items[k]) for k in mine[start:end]]
        return Page(
            items=found,
            last_evaluated_key=b"%d" % end if end < len(mine) else None,
            scanned_count=len(found),
            body_bytes=sum(map(len, found)),
            consumed_units=1.0,
        )

    async def find_items(self, keys: Sequence[bytes]) -> FoundItems:
        self.before_find(keys)
        self.looked_up += keys
        self.most_keys_at_once = max(self.most_keys_at_once, len(keys))
        asked = list(keys)
        if self.unprocessed_first and asked[-1] not in self._left:
            self._left.add(asked.pop())
        found = [Raw(self.items[k]) for k in asked if k in self.items]
        return FoundItems(found, [k for k in keys if k not in asked], float(len(asked)))

    async def put_if_unchanged(self, item_: bytes, seen: bytes | None) -> Replaced:
        replaced = self._replace(KEY_OF(item_), seen)
        self.items[KEY_OF(item_)] = item_
        return replaced

    async def delete_if_unchanged(self, key_: bytes, seen: bytes) -> Replaced:
        return self._replace(key_, seen)

    def _replace(self, key: bytes, seen: bytes | None) -> Replaced:
        self._check(key, seen)
        self.after_check(key)
        there = self.items.pop(key, None)
        return Replaced(there if self.tells_replaced else None, 1.0)

    def _check(self, key: bytes, seen: bytes | None) -> None:
        there = self.items.get(key)
        if there is None or seen is None:
            unchanged = there is seen is None
        else:
            unchanged = digest_of(there) == digest_of(seen)
        if not unchanged:
            raise ConditionFailedError("changed", item=there, operation="PutItem")
