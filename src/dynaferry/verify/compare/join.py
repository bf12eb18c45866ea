"""The join of the two sides of a segment: equal items cancel out as pages come in. Pure.

First by bytes: an item that came from both sides, the same to the byte, is gone from both. What
has no counterpart yet waits for it, as it is; a target that is scanned in the source's order
brings it within a page or two. When too much waits, or the scans are at their end, the rest
is reduced to its key and the digest of its canonical form, and cancels out by those. What still
has no counterpart is the caller's to read by key, oldest first: it may be missing, different, or
only in another segment on the other side.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Literal

from msgspec import Raw

from dynaferry.dynamodb.items.canonical import digest_of
from dynaferry.errors import RequestRefusedError
from dynaferry.verify.compare.multiset import Multiset

Side = Literal["source", "target"]

SIDES: tuple[Side, ...] = ("source", "target")
_OTHER: Mapping[Side, Side] = {"source": "target", "target": "source"}


class Join:
    """One segment. `key_of` gives the canonical key of an item.

    `matching` counts the pairs that cancelled out. `source` and `target` are the multisets of
    everything that came in and was settled; they are true once nothing waits any more.
    """

    def __init__(self, key_of: Callable[[bytes], bytes]) -> None:
        self._key_of = key_of
        # Dictionaries without values, since they keep their order and sets do not.
        self._whole: dict[Side, dict[bytes, None]] = {side: {} for side in SIDES}
        self._reduced: dict[Side, dict[bytes, bytes]] = {side: {} for side in SIDES}
        self.waiting_bytes = 0
        self.matching = 0
        self._source = Multiset()
        self._only: dict[Side, Multiset] = {side: Multiset() for side in SIDES}

    @property
    def source(self) -> Multiset:
        """All items of the source so far."""
        return self._source

    @property
    def target(self) -> Multiset:
        """All items of the target so far, but for those that wait as they are.

        What has cancelled out is equal, so its digests are the source's.
        """
        return self._source - self._only["source"] + self._only["target"]

    def waiting(self, side: Side) -> int:
        """The number of items of this side without a counterpart so far."""
        return len(self._whole[side]) + len(self._reduced[side])

    @property
    def most_waiting(self) -> int:
        """The number of items that wait on the side where more of them wait."""
        return max(self.waiting(side) for side in SIDES)

    def add(self, side: Side, items: Sequence[Raw]) -> None:
        """Takes the items of a page, and cancels out what came from the other side before.

        :raises RequestRefusedError: the side has shown one of them before
        """
        mine = dict.fromkeys(map(bytes, items))
        if len(mine) < len(items):
            raise shown_twice(side)
        if side == "source":
            self._source += Multiset.of(map(digest_of, mine))
        theirs = self._whole[_OTHER[side]]
        if mine.keys() == theirs.keys():
            # Nearly every pair of pages ends here, without a step for each item.
            self.matching += len(mine)
            self.waiting_bytes -= sum(map(len, theirs))
            theirs.clear()
            return
        self.waiting_bytes += sum(map(len, mine))
        for item in mine.keys() & theirs.keys():
            del mine[item], theirs[item]
            self.waiting_bytes -= 2 * len(item)
            self.matching += 1
        if not self._whole[side].keys().isdisjoint(mine):
            raise shown_twice(side)
        self._whole[side].update(mine)

    def reduce(self) -> None:
        """Reduces what waits to keys and digests, and cancels out what is equal by them.

        :raises RequestRefusedError: a side has shown a key twice
        """
        for side in SIDES:
            whole, reduced = self._whole[side], self._reduced[side]
            fresh = {self._key_of(item): digest_of(item) for item in whole}
            if len(fresh) < len(whole) or not reduced.keys().isdisjoint(fresh):
                raise shown_twice(side)
            self._only[side] += Multiset.of(fresh.values())
            reduced.update(fresh)
            whole.clear()
        self.waiting_bytes = 0
        self._cancel_by_digest()

    def _cancel_by_digest(self) -> None:
        source, target = self._reduced["source"], self._reduced["target"]
        for key in [k for k in source.keys() & target.keys() if source[k] == target[k]]:
            del target[key]
            equal = Multiset.of([source.pop(key)])
            self._only["source"] -= equal
            self._only["target"] -= equal
            self.matching += 1

    def take(self, most: int) -> dict[bytes, bool]:
        """Takes out the oldest of those that wait, and the key's counterpart with it.

        At most `most` keys of each side; the value says whether the source has shown the key.
        """
        taken: dict[bytes, bool] = {}
        for reduced in self._reduced.values():
            for key in list(islice(reduced, most)):
                taken[key] = self._reduced["source"].pop(key, None) is not None
                self._reduced["target"].pop(key, None)
        return taken


def shown_twice(side: Side) -> RequestRefusedError:
    """The error for a key that came twice: a scan passes each once, whatever is written."""
    return RequestRefusedError(
        f"the scan of the {side} gave the same item twice: what responds does not scan as the "
        "service does, and no count of it can be believed",
        hint="run the same command again; if it stays, name the endpoint of another service",
        operation="Scan",
    )
