"""The bounded way from readers to writers, for any number of each.

anyio's memory stream does the same and more, at a pass of the event loop and an event of its own
for each batch: see benchmarks/README.md for what that costs.
"""

import asyncio
from collections.abc import AsyncIterator

from dynaferry.copy.batcher import Batch


class Handover:
    """Holds up to `size` batches. To be made and used inside a running event loop."""

    def __init__(self, size: int, *, takers: int) -> None:
        self._takers = takers
        self._batches: asyncio.Queue[Batch | None] = asyncio.Queue(size)

    async def put(self, batch: Batch) -> None:
        """Returns when there was room for the batch."""
        await self._batches.put(batch)

    async def close(self) -> None:
        """Says that no batch will follow. Those that were put are still taken."""
        for _ in range(self._takers):
            await self._batches.put(None)

    async def each(self) -> AsyncIterator[Batch]:
        """Every batch that this taker gets, until the end."""
        while (batch := await self._batches.get()) is not None:
            yield batch
            # A batch keeps its whole page alive, and the next one may be long in coming.
            del batch
