"""The keys that changed last, compared on both sides of all tables that are switched together."""

from collections.abc import Sequence
from typing import Final, Protocol

from dynaferry.run.lifecycle import Say

_MOST_KEYS_TOLD: Final = 5


class HasRecentKeys(Protocol):
    """A table of which it is known which keys changed last."""

    @property
    def source(self) -> str:
        """The source's name."""
        ...

    async def differing(self) -> tuple[int, list[bytes]]:
        """How many keys were compared of those that changed last, and which differ."""
        ...


async def compare_recent(tables: Sequence[HasRecentKeys], say: Say) -> tuple[int, int]:
    """How many were compared of all tables, and how many differ; `say` is told some of these."""
    compared, found = 0, 0
    for table in tables:
        keys, differing = await table.differing()
        compared, found = compared + keys, found + len(differing)
        for key in differing[:_MOST_KEYS_TOLD]:
            say(f"{table.source}: differs on both sides: {key.decode('utf-8', 'replace')}")
    return compared, found
