"""The confirmation of differences: each is seen twice, by consistent reads of both sides.

A scan is no snapshot: what it shows may have been changed, on either side, before the other side
was scanned. So an item that did not cancel out is read by its key on both sides (the first read),
and what differs is read once more a while later (the second). What is missing in both reads is
missing, what is extra in both is extra, and what differs in both is different, whatever was written
in between; only what was one of these and then another is undecided (in flux). A key of which it is
known that it was written since the tables parted is settled without a look at what it holds.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence

import anyio
from msgspec import Struct

from dynaferry.dynamodb.items.canonical import differing_attributes, digest_of
from dynaferry.verify.compare.side_reader import SideReader
from dynaferry.verify.compare.written_since import NothingWritten, WrittenSince
from dynaferry.verify.state.records import Difference, DifferenceKind, Suspect

# A request may ask for 100 keys, but its response would hold up to 16 MB (invariant 5).
KEYS_AT_ONCE = 25
READS_AT_ONCE = 4


class FirstRead(Struct, frozen=True):
    """The result of reading keys the first time: how many of the source's are equal, and the rest.

    `settled` counts every key that is no suspect, those that both sides no longer have and those
    that were written since included.
    """

    matching: int
    settled: int
    suspects: Sequence[Suspect]


class SecondRead(Struct, frozen=True):
    """The result of reading suspects the second time."""

    matching: int
    differences: Sequence[Difference]


class Confirmer:
    """A reader of one table's items by key on both sides. Any number of tasks may call it.

    `rejected` are the canonical keys of the copy's dead letters.
    """

    def __init__(
        self,
        source: SideReader,
        target: SideReader,
        *,
        rejected: Collection[bytes] = (),
        written_since: WrittenSince | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._target = target
        self._rejected = rejected
        self._written_since = written_since or NothingWritten()
        self._clock = clock
        self._reads = anyio.CapacityLimiter(READS_AT_ONCE)

    async def read_first(self, segment: int, keys: Mapping[bytes, bool]) -> FirstRead:
        """The first read of up to `KEYS_AT_ONCE` keys; each says whether the source showed it.

        :raises StoppedError: a side cannot be read now
        """
        written = await self._written_since.among(keys)
        left = [key for key in keys if key not in written]
        source, target = await self.read_both(left) if left else ({}, {})
        read_at = self._clock()
        matching = 0
        suspects = []
        for key in left:
            in_source = keys[key]
            there, here = _digest(source.get(key)), _digest(target.get(key))
            if there != here:
                suspects.append(Suspect(segment, key, in_source, there, here, read_at))
            elif there is not None and in_source:
                matching += 1
        return FirstRead(matching, len(keys) - len(suspects), suspects)

    async def read_again(self, suspects: Sequence[Suspect]) -> SecondRead:
        """The second read of up to `KEYS_AT_ONCE` suspects.

        :raises StoppedError: a side cannot be read now
        """
        written = await self._written_since.among({suspect.key for suspect in suspects})
        left = [suspect for suspect in suspects if suspect.key not in written]
        keys = list({suspect.key for suspect in left})
        source, target = await self.read_both(keys) if keys else ({}, {})
        matching = 0
        differences = []
        for suspect in left:
            there, here = source.get(suspect.key), target.get(suspect.key)
            if _digest(there) != _digest(here):
                differences.append(self._difference(suspect, there, here))
            elif there is not None and suspect.in_source:
                matching += 1
        return SecondRead(matching, await self._unexplained(left, differences))

    async def _unexplained(
        self, suspects: Sequence[Suspect], differences: list[Difference]
    ) -> list[Difference]:
        """Without the keys that were written since: what made the first read differ is known."""
        if not differences:
            return differences
        await self._written_since.known_until(max(suspect.seen_at for suspect in suspects))
        written = await self._written_since.among([one.key for one in differences])
        return [one for one in differences if one.key not in written]

    async def read_both(
        self, keys: Sequence[bytes]
    ) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
        """The items with these keys as they are now, on the source and on the target.

        :raises StoppedError: a side cannot be read now
        """
        found: dict[SideReader, dict[bytes, bytes]] = {}

        async def find(side: SideReader) -> None:
            found[side] = await side.find_items(keys)

        async with self._reads, anyio.create_task_group() as sides:
            sides.start_soon(find, self._source)
            sides.start_soon(find, self._target)
        return found[self._source], found[self._target]

    def _difference(
        self, suspect: Suspect, source: bytes | None, target: bytes | None
    ) -> Difference:
        first = _kind(suspect.source_digest, suspect.target_digest)
        second = _kind(source, target)
        kind: DifferenceKind = second if second == first else "in_flux"
        if kind in ("missing", "different") and suspect.key in self._rejected:
            kind = "rejected"
        return Difference(
            key=suspect.key,
            kind=kind,
            attributes=()
            if source is None or target is None
            else differing_attributes(source, target),
            target_digest=_digest(target),
        )


def _kind(source: bytes | None, target: bytes | None) -> DifferenceKind:
    """How two items differ that are not the same; or two digests, that say so as well."""
    if target is None:
        return "missing"
    return "extra" if source is None else "different"


def _digest(item: bytes | None) -> bytes | None:
    return None if item is None else digest_of(item)
