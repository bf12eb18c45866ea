"""Whether somebody writes still, as far as it can be seen without a stream.

The keys that the newest passes found different are those that change. A sample of them is read on
the source, consistently, before the last pass and behind it: where nobody writes, all of them are
what they were. A key that never changed before, and does so just then, is not among them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from dynaferry.dynamodb.items.canonical import digest_of
from dynaferry.follow.both_sides import BothSides
from dynaferry.run.lifecycle import closing
from dynaferry.verify.state.store import VerificationStore

MOST_KEYS: Final = 2_000

Seen = Sequence[Mapping[bytes, bytes]]


class WatchedKeys:
    """The watched keys of every table; none before a pass has found any."""

    def __init__(self, tables: Sequence[BothSides], state_dir: Path, run: str) -> None:
        self._tables = tables
        self._state_dir = state_dir
        self._run = run
        self._keys: list[list[bytes]] = [[] for _ in tables]

    @property
    def count(self) -> int:
        """How many keys are watched."""
        return sum(map(len, self._keys))

    async def choose(self) -> None:
        """Takes a sample of what the newest comparison has found, and keeps of those it had.

        :raises StateError: its state cannot be read
        """
        store = await VerificationStore.open(self._state_dir, self._run)
        async with closing(store):
            numbers = range(len(self._tables))
            found = [await store.sample_keys(number, MOST_KEYS) for number in numbers]
        self._keys = [
            list(dict.fromkeys((*new, *old)))[:MOST_KEYS]
            for new, old in zip(found, self._keys, strict=True)
        ]

    async def seen(self) -> Seen:
        """What the source holds under them now: digests by key.

        :raises DynaferryError: it does not respond, or may not be read
        """
        return [
            {key: digest_of(item) for key, item in (await table.of_source(keys)).items()}
            for table, keys in zip(self._tables, self._keys, strict=True)
        ]


def changed(before: Seen, now: Seen) -> int:
    """How many keys do not hold what they did. Pure."""
    return sum(
        then.get(key) != after.get(key)
        for then, after in zip(before, now, strict=True)
        for key in then.keys() | after.keys()
    )
