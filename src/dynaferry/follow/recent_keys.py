"""The keys that changed last: what is compared on both sides before the switch.

Most of what a table is written to are the same keys again, and those that changed a moment ago are
those that a mistake would have missed. They are kept in memory: after a new start they are few.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

MOST_RECENT_KEYS: Final = 20_000


class RecentKeys:
    """Up to `most` keys in canonical wire form, the latest changed last."""

    def __init__(self, most: int = MOST_RECENT_KEYS) -> None:
        self._most = most
        self._keys: OrderedDict[bytes, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._keys)

    def note(self, keys: Iterable[bytes]) -> None:
        """These have changed, or are to be compared for another reason."""
        for key in keys:
            self._keys[key] = None
            self._keys.move_to_end(key)
        while len(self._keys) > self._most:
            self._keys.popitem(last=False)

    def clear(self) -> None:
        """Forgets them all."""
        self._keys.clear()

    def latest_first(self) -> Sequence[bytes]:
        """The keys, of which the latest come first."""
        return list(reversed(self._keys))
