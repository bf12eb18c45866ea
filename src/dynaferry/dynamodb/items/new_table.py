"""A target that was made a moment ago, and may not be found by every server of the service yet."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from dynaferry.errors import TableNotFoundError, UnavailableError
from dynaferry.ports import BatchExchange, BatchTarget, Change

FOUND_EVERYWHERE_SECONDS: Final = 120.0


class NewTable:
    """A `BatchTarget` to which a table that is not found is one that is not found yet.

    After two minutes it is gone, as any other would be.
    """

    def __init__(self, target: BatchTarget, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._target = target
        self._clock = clock
        self._found_until = clock() + FOUND_EVERYWHERE_SECONDS

    async def write_batches(self, batches: BatchExchange) -> None:
        """Writes batches as the target does; see `BatchTarget`."""
        try:
            await self._target.write_batches(batches)
        except TableNotFoundError as error:
            if self._clock() >= self._found_until:
                raise
            raise UnavailableError(
                f"{error.message}; it was made a moment ago",
                operation=error.operation,
                table=error.table,
            ) from error

    def units_of(self, changes: Sequence[Change]) -> float:
        """What the changes are likely to consume; see `BatchTarget`."""
        return self._target.units_of(changes)

    def key_of(self, change: Change) -> bytes:
        """The key attributes; see `BatchTarget`."""
        return self._target.key_of(change)
