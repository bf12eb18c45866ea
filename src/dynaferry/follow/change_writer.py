"""A batch of changes to the target: at its rate, through what fails in passing, and in doubt where
nobody knows what became of it.
"""

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Final

from dynaferry.errors import RetryableError, ThrottledError, UnprocessedError
from dynaferry.follow.lanes import Lanes
from dynaferry.follow.spool import Spool
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_records import Waiting
from dynaferry.ports import BatchTarget, Change, WriteResult
from dynaferry.throttle.limited_call import LimitedCall, Taken
from dynaferry.throttle.retry import RetryPolicy

# A request that was sent takes effect within this or never: a choice, the service names no bound.
LATE_WRITE_SECONDS: Final = 60.0
OPERATION: Final = "BatchWriteItem"


class ChangeWriter:
    """Writes batches of changes, each of another key. Any number of tasks may call it."""

    def __init__(
        self,
        spool: Spool,
        target: BatchTarget,
        writes: LimitedCall,
        retry: RetryPolicy,
        lanes: Lanes,
        clock: Callable[[], float],
    ) -> None:
        self._spool = spool
        self._target = target
        self._writes = writes
        self._retry = retry
        self._lanes = lanes
        self._clock = clock

    async def write(self, rows: Sequence[Waiting], batch: Sequence[Change]) -> WriteResult:
        """Writes the changes of these rows; what is left unprocessed is to wait a little.

        :raises ItemRefusedError: at least one item is refused for its content
        :raises StoppedError: the target takes nothing more
        """
        try:
            result = await self._retry.call(lambda: self._send(rows, batch))
        except ThrottledError as error:
            self._retry.give_up_if_gone(error)
            result = WriteResult(batch)
        else:
            if len(result.unprocessed) == len(batch):
                self._retry.give_up_if_gone(_all_unprocessed(batch))
        return result

    async def _send(self, rows: Sequence[Waiting], batch: Sequence[Change]) -> WriteResult:
        units = self._target.units_of(batch)
        sending = _Sending(self._lanes, self._target, rows, batch, units)
        exchange = partial(self._exchange, batch)
        try:
            return await self._writes.send(OPERATION, exchange, units, sending)
        except RetryableError as error:
            if not isinstance(error, ThrottledError):
                await self._doubt(rows)
            raise

    async def _exchange(self, batch: Sequence[Change]) -> WriteResult:
        results: list[WriteResult] = []

        def exchange() -> Generator[Sequence[Change], WriteResult, None]:
            results.append((yield batch))

        await self._target.write_batches(exchange())
        return results[0]

    async def _doubt(self, rows: Sequence[Waiting]) -> None:
        until = self._clock() + LATE_WRITE_SECONDS
        await self._spool.insist(partial(SpoolFile.add_doubts, changes=rows, until=until))


class _Sending:
    """One request, for the limiter. An `Attribution`."""

    __slots__ = ("_batch", "_lanes", "_rows", "_target", "_units")

    def __init__(
        self,
        lanes: Lanes,
        target: BatchTarget,
        rows: Sequence[Waiting],
        batch: Sequence[Change],
        units: float,
    ) -> None:
        self._lanes = lanes
        self._target = target
        self._rows = rows
        self._batch = batch
        self._units = units

    def taken(self, result: WriteResult) -> Taken:
        """What the target took of it, and whether what it left is the table's matter."""
        if not result.unprocessed:
            self._lanes.note_written(self._rows, self._units)
            return Taken()
        left = {id(change) for change in result.unprocessed}
        undone = [
            row for row, change in zip(self._rows, self._batch, strict=True) if id(change) in left
        ]
        is_for_all = self._lanes.is_left_for_all(self._rows, undone)
        refused = self._target.units_of(result.unprocessed) if is_for_all else 0.0
        return Taken(refused, is_progress=len(undone) < len(self._rows))

    def is_for_all(self, error: ThrottledError) -> bool:
        """Whether a refusal is the table's matter."""
        return self._lanes.is_refused_for_all(self._rows, error)


def _all_unprocessed(batch: Sequence[Change]) -> UnprocessedError:
    return UnprocessedError(
        f"{OPERATION} left all of {len(batch)} changes unprocessed", operation=OPERATION
    )
