"""A follower's requests are counted and timed as a copy's are: by a target and a lookup."""

import time
from collections.abc import Callable, Generator, Sequence

from dynaferry.copy.limiters import Limiters
from dynaferry.copy.measured import outcome_of
from dynaferry.errors import DynaferryError, ThrottledError
from dynaferry.observe.limiting_factor import resource_in_words
from dynaferry.observe.stats import TableStats
from dynaferry.ports import (
    BatchExchange,
    BatchTarget,
    Change,
    FoundItems,
    KeyLookup,
    WriteResult,
)
from dynaferry.shared.arn import resource_name


class MeasuredTarget:
    """A `BatchTarget` that notes in `stats` how its requests go, and the rates of `limiters`."""

    def __init__(
        self,
        target: BatchTarget,
        stats: TableStats,
        limiters: Limiters,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._target = target
        self._stats = stats
        self._limiters = limiters
        self._clock = clock
        self._wall_clock = wall_clock

    async def write_batches(self, batches: BatchExchange) -> None:
        """Writes batches, as the target does."""
        times = [self._clock()]
        try:
            await self._target.write_batches(self._noted(batches, times))
        except DynaferryError as error:
            self._stats.batch_writes.note(outcome_of(error), self._clock() - times[-1])
            if isinstance(error, ThrottledError):
                self._note_throttle(error)
            raise
        finally:
            self._limiters.note_rates(self._stats)

    def units_of(self, changes: Sequence[Change], /) -> float:
        """The write units that `changes` are likely to consume."""
        return self._target.units_of(changes)

    def key_of(self, change: Change, /) -> bytes:
        """The key attributes in wire form."""
        return self._target.key_of(change)

    def _noted(
        self, batches: BatchExchange, times: list[float]
    ) -> Generator[Sequence[Change], WriteResult, None]:
        """The same batches; `times` gets when each was given to be sent."""
        batch = next(batches)
        while True:
            times.append(self._clock())
            result = yield batch
            undone = len(result.unprocessed)
            took = self._clock() - times[-1]
            self._stats.batch_writes.note("unprocessed" if undone else "ok", took)
            if undone:
                self._stats.unprocessed_items += undone
                self._stats.throttled_at = self._wall_clock()
            try:
                batch = batches.send(result)
            except StopIteration:
                return

    def _note_throttle(self, error: ThrottledError) -> None:
        self._stats.throttled_at = self._wall_clock()
        for reason, resource in error.reasons[:1]:
            is_index = reason.startswith("Index")
            self._stats.bottleneck = resource_in_words(
                resource_name(resource),
                is_index=is_index,
                is_table=not is_index and "KeyRange" not in reason,
                undone_share=0.0,
            )


class MeasuredLookup:
    """A `KeyLookup` that notes in `stats` how its requests go."""

    def __init__(
        self,
        lookup: KeyLookup,
        stats: TableStats,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lookup = lookup
        self._lookups = stats.lookups
        self._clock = clock

    async def find_items(self, keys: Sequence[bytes]) -> FoundItems:
        """Finds items, as the lookup does."""
        began = self._clock()
        try:
            found = await self._lookup.find_items(keys)
        except DynaferryError as error:
            self._lookups.note(outcome_of(error), self._clock() - began)
            raise
        self._lookups.note("unprocessed" if found.unprocessed else "ok", self._clock() - began)
        return found
