"""A digest of many items that does not depend on their order. Pure.

The digests of the items are added up as numbers of 128 bits. So the sum of a table is the sum of
its segments, an item can be taken out again, and two tables with the same items have the same sum
and count, whatever the order they were read in. It detects accidents, not forgeries: somebody
who can choose the items can make sums collide.
"""

from collections.abc import Iterable
from typing import Self

from msgspec import Struct

from dynaferry.dynamodb.items.canonical import DIGEST_BYTES

_MASK = (1 << 8 * DIGEST_BYTES) - 1


class Multiset(Struct, frozen=True):
    """The number of items, and the sum of their digests."""

    count: int = 0
    total: int = 0

    @classmethod
    def of(cls, digests: Iterable[bytes]) -> Self:
        """The multiset of items with these digests."""
        numbers = [int.from_bytes(digest, "big") for digest in digests]
        return cls(len(numbers), sum(numbers) & _MASK)

    @classmethod
    def from_hex(cls, count: int, text: str) -> Self:
        """The multiset from what `hexdigest` gave, and the count beside it."""
        return cls(count, int(text, 16))

    def __add__(self, other: Self) -> Self:
        return type(self)(self.count + other.count, (self.total + other.total) & _MASK)

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.count - other.count, (self.total - other.total) & _MASK)

    @property
    def hexdigest(self) -> str:
        """The sum as 32 hexadecimal digits."""
        return f"{self.total:0{2 * DIGEST_BYTES}x}"
