"""Synthetic items, made when they are asked for: a table of any size costs no memory. Pure.

Items have a *rank*: their number in the order of a Scan, partition keys by their place, then the
sort keys of each. Partition keys cut the hash space into equal slots and lie at a scattered spot
inside their slot, so that rank to place and place to rank are a few integer operations, and a page
is made from where it starts. A hot key, if there is one, lies at the start of the slot a third of
the way through, and holds its share of all items.
"""

from collections.abc import Iterator
from hashlib import blake2b

from msgspec import Struct

from benchmarks.simulator.places import SPACE, SPACE_BITS, place_of, synthetic_key
from benchmarks.simulator.settings import Table

PAGE_BYTES = 1024 * 1024  # of items, by the service's measure [M:Scan]
SORT_KEY_DIGITS = 12
PAYLOAD = "payload"

_MASK = SPACE - 1
_GOLDEN = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio: its multiples spread evenly


class Extent(Struct, frozen=True):
    """The ranks of one page: from `start` to before `end`, and their size by the service's measure.

    `is_last` is False where the page ends for its size or its limit, whatever follows.
    """

    start: int
    end: int
    size_bytes: int
    is_last: bool


class SeededItems:
    """The items that a table holds at the start."""

    def __init__(self, settings: Table) -> None:
        self.count = settings.items
        self._per_key = settings.items_per_key
        self._hot = round(settings.items * settings.hot_key_share)
        cold = settings.items - self._hot
        self._cold = cold
        self._keys = max(1, -(-cold // self._per_key))
        self._hot_slot = self._keys // 3
        self._hot_place = self._slot_start(self._hot_slot)
        self._before_hot = min(cold, self._hot_slot * self._per_key)
        self._sizes = settings.sizes
        self._has_sort_key = settings.sort_key is not None
        # An item is the same but for its key: the head is a template of the key, the tail is not.
        self._head = _head(settings)
        self._tails = [_tail(settings, size) for size in settings.sizes]

    @property
    def size_bytes(self) -> int:
        """The size of all of them."""
        return self._size_before(self.count)

    # Order ---------------------------------------------------------------------------------------

    def position(self, rank: int) -> tuple[int, int]:
        """The place of the item's partition key, and its number under that key."""
        if rank >= self._before_hot:
            if rank < self._before_hot + self._hot:
                return self._hot_place, rank - self._before_hot
            rank -= self._hot
        slot, number = divmod(rank, self._per_key)
        return self._cold_place(slot), number

    def first_rank(self, place: int) -> int:
        """The rank of the first item that lies at `place` or behind it."""
        slot = place * self._keys >> SPACE_BITS
        if slot < self._keys and self._cold_place(slot) < place:
            slot += 1
        hot = self._hot if self._hot_place < place else 0
        return min(slot * self._per_key, self._cold) + hot

    def rank_after(self, partition_key: str, sort_key: str | None) -> int:
        """The rank of the first item behind a key, which need not be there."""
        place = place_of(partition_key)
        start, end = self.first_rank(place), self.first_rank(place + 1)
        if sort_key is None or start == end:
            return end
        return min(end, start + int(sort_key) + 1)

    # Pages ---------------------------------------------------------------------------------------

    def extent(self, start: int, end: int, limit: int | None) -> Extent:
        """One page from rank `start`, of a segment whose items end before rank `end`."""
        most = end if limit is None else min(end, start + limit)
        page_end, size = start, 0
        while page_end < most:
            item_bytes = self._sizes[page_end % len(self._sizes)]
            if size + item_bytes > PAGE_BYTES and page_end > start:
                break
            size += item_bytes
            page_end += 1
        # A page that ends for its limit says that there may be more even if there is not.
        is_last = page_end == end and (limit is None or page_end < start + limit)
        return Extent(start, page_end, size, is_last)

    def items(self, extent: Extent) -> list[bytes]:
        """The items of a page in wire form."""
        tails, kinds = self._tails, len(self._tails)
        return [
            head + tails[rank % kinds]
            for rank, head in enumerate(self._heads(extent), extent.start)
        ]

    def pieces(self, extent: Extent) -> list[bytes]:
        """The items of a page in wire form, with commas between them, in pieces to be joined.

        A megabyte is then made once, in the answer: making it is what a page costs.
        """
        tails, kinds = [tail + b"," for tail in self._tails], len(self._tails)
        pieces = [
            piece
            for rank, head in enumerate(self._heads(extent), extent.start)
            for piece in (head, tails[rank % kinds])
        ]
        if pieces:
            pieces[-1] = pieces[-1].removesuffix(b",")
        return pieces

    def key(self, rank: int) -> tuple[str, str | None]:
        """The texts of an item's key."""
        place, number = self.position(rank)
        sort_key = f"{number:0{SORT_KEY_DIGITS}d}" if self._has_sort_key else None
        return synthetic_key(place), sort_key

    # ---------------------------------------------------------------------------------------------

    def _heads(self, extent: Extent) -> list[bytes]:
        head = self._head
        positions = map(self.position, range(extent.start, extent.end))
        if self._has_sort_key:
            return [head % position for position in positions]
        return [head % place for place, _ in positions]

    def _slot_start(self, slot: int) -> int:
        return -(-(slot << SPACE_BITS) // self._keys)

    def _cold_place(self, slot: int) -> int:
        # In the first half of the slot and never at its start, which a hot key may have.
        spot = ((slot * _GOLDEN & _MASK) >> 33 | 1) << 32
        return -(-((slot << SPACE_BITS) + spot) // self._keys)

    def _size_before(self, rank: int) -> int:
        rounds, rest = divmod(rank, len(self._sizes))
        return rounds * sum(self._sizes) + sum(self._sizes[:rest])


def seeded_digest(settings: Table) -> tuple[int, str]:
    """The number of items and their digest, as a target that remembers them would report."""
    seeded = SeededItems(settings)
    digest = ItemsDigest()
    for page in _pages(seeded):
        for item in seeded.items(page):
            digest.add(item)
    return digest.distinct, digest.text


class ItemsDigest:
    """A digest of a set of items in wire form: in no order, and each counted once."""

    __slots__ = ("_digest", "_seen")

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._digest = 0

    @property
    def distinct(self) -> int:
        """How many different items there were."""
        return len(self._seen)

    @property
    def text(self) -> str:
        """The digest as text."""
        return f"{self._digest:016x}"

    def add(self, item: bytes) -> None:
        """Takes one item, which may have been there before."""
        mark = int.from_bytes(blake2b(item, digest_size=8).digest())
        if mark not in self._seen:
            self._seen.add(mark)
            self._digest ^= mark


def _pages(seeded: SeededItems) -> Iterator[Extent]:
    start = 0
    while start < seeded.count:
        page = seeded.extent(start, seeded.count, None)
        yield page
        start = page.end


def _head(settings: Table) -> bytes:
    sort_key = f',"{settings.sort_key}":{{"S":"%0{SORT_KEY_DIGITS}d"}}' if settings.sort_key else ""
    return f'{{"{settings.partition_key}":{{"S":"@%016x"}}{sort_key}'.encode()


def _tail(settings: Table, size_bytes: int) -> bytes:
    """What follows the key in an item of `size_bytes` by the service's measure."""
    names = settings.partition_key + (settings.sort_key or "") + PAYLOAD
    key_bytes = len(synthetic_key(0)) + (SORT_KEY_DIGITS if settings.sort_key else 0)
    payload = "x" * max(0, size_bytes - len(names.encode()) - key_bytes)
    return f',"{PAYLOAD}":{{"S":"{payload}"}}}}'.encode()
