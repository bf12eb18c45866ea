"""What of a list a page has not been sent yet, and how much of it goes with one update.

An update stays small however many tables run at once: each list takes what there is room for, and
what waits longest goes first. What did not fit goes with the next updates. Pure.
"""

import math
from collections.abc import Hashable, Iterable, Mapping
from typing import Generic, TypeVar

import msgspec

Key = TypeVar("Key", bound=Hashable)
Entry = TypeVar("Entry")


class Room:
    """The bytes that are left for the lists of one update; `is_short` once an entry had to wait."""

    def __init__(self, most_bytes: float = math.inf) -> None:
        self.left = most_bytes
        self.is_short = False

    def take(self, entries: Iterable[Entry], most_bytes: float) -> list[Entry]:
        """The first of these entries: those that fit into `most_bytes` and into what is left.

        The first one of all goes in any case, so that whatever waits is sent at last. Where there
        is room without bounds, everything goes.
        """
        taken: list[Entry] = []
        most = self.left if math.isinf(self.left) else min(most_bytes, self.left)
        for entry in entries:
            size = len(msgspec.json.encode(entry)) + 1
            if taken and size > most:
                self.is_short = True
                break
            most -= size
            self.left -= size
            taken.append(entry)
        return taken


class Changes(Generic[Key, Entry]):
    """The entries of a list that are not what the page was sent last."""

    def __init__(self) -> None:
        self._sent: dict[Key, Entry] = {}
        self._sent_in: dict[Key, int] = {}
        self._updates = 0

    def take(self, entries: Mapping[Key, Entry], room: Room, most_bytes: float) -> list[Entry]:
        """The entries to send now, and from now on taken as sent.

        What is no longer in `entries` is forgotten.
        """
        self._updates += 1
        for gone in self._sent.keys() - entries.keys():
            del self._sent[gone], self._sent_in[gone]
        waiting = [key for key, entry in entries.items() if self._sent.get(key) != entry]
        waiting.sort(key=lambda key: self._sent_in.get(key, 0))
        taken = room.take((entries[key] for key in waiting), most_bytes)
        for key, entry in zip(waiting, taken, strict=False):
            self._sent[key], self._sent_in[key] = entry, self._updates
        return taken
