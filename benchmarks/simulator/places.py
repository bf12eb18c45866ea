"""Where keys lie. Pure.

A *place* is a partition key's position in the hash space, 0 to 2**64: scans, segments and
partitions all go by it, on every table alike. What the service hashes with is not published; any
good hash spreads alike.

A real hash cannot be gone through in order, so a synthetic key *is* its place, written out: "@" and
16 hexadecimal digits. Any other key is hashed.
"""

from hashlib import blake2b

SPACE_BITS = 64
SPACE = 1 << SPACE_BITS
_MASK = SPACE - 1


def synthetic_key(place: int) -> str:
    """The key that lies at `place`."""
    return f"@{place:016x}"


def place_of(key: str) -> int:
    """The place of a partition key's text."""
    if len(key) == 17 and key[0] == "@":
        try:
            return int(key[1:], 16)
        except ValueError:
            pass
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest())


def scatter(place: int) -> int:
    """Another place, with no relation to the first: where an index has an item's entry.

    The finalizer of splitmix64, a bijection.
    """
    mixed = (place ^ (place >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & _MASK
    return mixed ^ (mixed >> 31)


def segment_bounds(segment: int, total_segments: int) -> tuple[int, int]:
    """The places of one segment of a Scan: from the first, to before the second."""
    return (
        -(-segment * SPACE // total_segments),
        -(-(segment + 1) * SPACE // total_segments),
    )


class KeySpace:
    """The partitions of a table or index: equal ranges of places."""

    __slots__ = ("count",)

    def __init__(self, count: int) -> None:
        self.count = count

    def partition_of(self, place: int) -> int:
        """The number of the partition that `place` is in."""
        return place * self.count >> SPACE_BITS

    def grow_to(self, count: int) -> None:
        """Splits until there are `count` partitions; partitions are never merged."""
        self.count = max(self.count, count)
