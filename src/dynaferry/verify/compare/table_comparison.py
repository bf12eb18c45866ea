"""One table: its segments compared side by side, and what differs confirmed.

Both sides of a segment are read as evenly as their items arrive, so that what waits for its
counterpart stays little. It is bounded in any case (invariant 5): beyond `MOST_WAITING_BYTES`
items are reduced to keys and digests, and beyond `MOST_WAITING_ITEMS` the oldest are read by key on
both sides, whatever they turn out to be.
"""

import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import anyio

from dynaferry.ports import Page
from dynaferry.stop import StopSignal, unless_stopped
from dynaferry.verify.compare.confirm import KEYS_AT_ONCE, READS_AT_ONCE, Confirmer
from dynaferry.verify.compare.join import SIDES, Join, Side, shown_twice
from dynaferry.verify.compare.side_reader import SideReader
from dynaferry.verify.state.records import ComparedSegment, ComparisonCounters, Difference, Suspect
from dynaferry.verify.state.store import VerificationStore
from dynaferry.verify.stats import ComparisonStats

MOST_WAITING_BYTES = 2 * 1024 * 1024
MOST_WAITING_ITEMS = 20_000
# Keys that are read, the oldest first, when too many wait.
KEYS_READ_AT_ONCE = 5_000
# Items by which one side may be ahead before only the other is read.
MOST_AHEAD_ITEMS = 1_000

Chunk = TypeVar("Chunk")


@dataclass(slots=True)
class _Position:
    """How far one side of a segment has been read."""

    last_evaluated_key: bytes | None = None
    at_end: bool = False
    last_item_key: bytes | None = None


@dataclass(slots=True)
class _ByKey:
    """The keys of one segment that reads by key settled; `matching` are those of the source."""

    matching: int = 0
    settled: int = 0


class TableComparison:
    """The comparison of the table with the number `table`, put together by the caller.

    `readers` segments are compared at once. `consistent_read` says how both sides are scanned.
    `clock` gives seconds since the epoch, since what it says is stored.
    """

    def __init__(
        self,
        source: SideReader,
        target: SideReader,
        confirmer: Confirmer,
        store: VerificationStore,
        stats: ComparisonStats,
        *,
        table: int,
        key_of: Callable[[bytes], bytes],
        readers: int,
        settle_seconds: float,
        consistent_read: bool = False,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._sides: dict[Side, SideReader] = {"source": source, "target": target}
        self._confirmer = confirmer
        self._store = store
        self._stats = stats
        self._table = table
        self._key_of = key_of
        self._readers = readers
        self._settle_seconds = settle_seconds
        self._consistent_read = consistent_read
        self._clock = clock
        self._sleep = sleep

    async def compare(self, segments: Sequence[int], stop: StopSignal) -> bool:
        """Compares `segments` and confirms what differs; returns False if stopped before the end.

        Reading has no effect, so a stop ends it at any point; finished segments are stored.

        :raises StoppedError: inside an exception group; the comparison cannot go on now
        """
        return await unless_stopped(
            stop, partial(self._compare_segments, segments)
        ) and await unless_stopped(stop, self._settle)

    async def _compare_segments(self, segments: Sequence[int]) -> None:
        remaining = iter(segments)
        async with anyio.create_task_group() as readers:
            for _ in range(self._readers):
                readers.start_soon(self._compare_in_turn, remaining)

    async def _compare_in_turn(self, segments: Iterator[int]) -> None:
        for segment in segments:
            await self._compare_segment(segment)

    async def _compare_segment(self, segment: int) -> None:
        join, by_key = Join(self._key_of), _ByKey()
        positions: dict[Side, _Position] = {side: _Position() for side in SIDES}
        while sides := _sides_to_read(join, positions):
            await self._advance(segment, join, positions, sides)
            if join.waiting_bytes > MOST_WAITING_BYTES:
                join.reduce()
            if join.most_waiting > MOST_WAITING_ITEMS:
                join.reduce()
            while join.most_waiting > MOST_WAITING_ITEMS:
                await self._read_oldest(segment, join, by_key)
        join.reduce()
        while join.most_waiting:
            await self._read_oldest(segment, join, by_key)
        compared = self._compared(segment, join, by_key)
        await self._store.finish_segment(self._table, compared, counters_of(self._stats))
        self._stats.segments_complete += 1

    def _compared(self, segment: int, join: Join, by_key: _ByKey) -> ComparedSegment:
        return ComparedSegment(
            segment=segment,
            source_items=join.source.count,
            target_items=join.target.count,
            matching=by_key.matching + join.matching,
            source_digest=join.source.hexdigest,
            target_digest=join.target.hexdigest,
            settled_by_key=by_key.settled,
            compared_at=self._clock(),
            consistent_read=self._consistent_read,
        )

    async def _advance(
        self, segment: int, join: Join, positions: dict[Side, _Position], sides: Sequence[Side]
    ) -> None:
        """Reads the next page of each of `sides` at the same time, and joins what came."""
        pages: dict[Side, Page] = {}

        async def read(side: Side) -> None:
            start_key = positions[side].last_evaluated_key
            pages[side] = await self._sides[side].read_page(segment, start_key)

        async with anyio.create_task_group() as readers:
            for side in sides:
                readers.start_soon(read, side)
        for side, page in pages.items():
            self._check_goes_on(side, page, positions[side])
            join.add(side, page.items)
            positions[side].last_evaluated_key = page.last_evaluated_key
            positions[side].at_end = page.last_evaluated_key is None
            self._note_page(side, page)

    def _check_goes_on(self, side: Side, page: Page, position: _Position) -> None:
        """A page begins behind the last item of the one before it, which may be equal by now."""
        if not page.items:
            return
        if self._key_of(bytes(page.items[0])) == position.last_item_key:
            raise shown_twice(side)
        position.last_item_key = self._key_of(bytes(page.items[-1]))

    def _note_page(self, side: Side, page: Page) -> None:
        if side == "source":
            self._stats.items_read += len(page.items)
            self._stats.items_written += len(page.items)
        else:
            self._stats.target_items += len(page.items)

    async def _read_oldest(self, segment: int, join: Join, by_key: _ByKey) -> None:
        """Reads the oldest keys that wait; stores those that differ, and counts the others."""
        keys = list(join.take(KEYS_READ_AT_ONCE).items())
        suspects: list[Suspect] = []

        async def read(chunk: Sequence[tuple[bytes, bool]]) -> None:
            first = await self._confirmer.read_first(segment, dict(chunk))
            by_key.matching += first.matching
            by_key.settled += first.settled
            suspects.extend(first.suspects)

        await _for_each(_chunks(keys), read)
        if suspects:
            await self._store.add_suspects(self._table, suspects)
            self._stats.unconfirmed += len(suspects)

    async def _settle(self) -> None:
        """Reads every suspect again, each when it is due."""
        while (oldest := await self._store.oldest_suspect(self._table)) is not None:
            now = self._clock()
            wait_seconds = oldest + self._settle_seconds - now
            if wait_seconds > 0:
                # Not more, should the clock have been set back.
                await self._sleep(min(wait_seconds, self._settle_seconds))
                now = self._clock()
            due = max(oldest, now - self._settle_seconds)
            suspects = await self._store.read_suspects(
                self._table, due, KEYS_AT_ONCE * READS_AT_ONCE
            )
            await self._read_again(suspects)

    async def _read_again(self, suspects: Sequence[Suspect]) -> None:
        matching = 0
        differences: list[Difference] = []

        async def read(chunk: Sequence[Suspect]) -> None:
            nonlocal matching
            second = await self._confirmer.read_again(chunk)
            matching += second.matching
            differences.extend(second.differences)

        await _for_each(_chunks(suspects), read)
        await self._store.settle(
            self._table,
            suspects,
            matching=matching,
            differences=differences,
            counters=counters_of(self._stats),
        )
        self._stats.unconfirmed -= len(suspects)
        self._stats.differences += sum(one.kind != "in_flux" for one in differences)


def counters_of(stats: ComparisonStats) -> ComparisonCounters:
    """The counters as they are stored."""
    return ComparisonCounters(
        read_units=stats.read_units,
        write_units=stats.write_units,
        throttled_requests=stats.throttled_requests,
        retried_requests=stats.retried_requests,
    )


def _sides_to_read(join: Join, positions: dict[Side, _Position]) -> list[Side]:
    """The sides whose next page is wanted: both, or the one that is behind; none at the end."""
    unread = [side for side in SIDES if not positions[side].at_end]
    ahead = join.waiting("source") - join.waiting("target")
    if len(unread) < 2 or abs(ahead) <= MOST_AHEAD_ITEMS:
        return unread
    return ["target"] if ahead > 0 else ["source"]


def _chunks(whole: Sequence[Chunk]) -> Iterator[Sequence[Chunk]]:
    return (whole[start : start + KEYS_AT_ONCE] for start in range(0, len(whole), KEYS_AT_ONCE))


async def _for_each(
    chunks: Iterator[Sequence[Chunk]],
    read: Callable[[Sequence[Chunk]], Coroutine[Any, Any, None]],
) -> None:
    async with anyio.create_task_group() as reads:
        for chunk in chunks:
            reads.start_soon(read, chunk)
