"""The protocols of a store that keeps the records of a run.

One store holds one run. `tests/state/contract.py` is the suite that every store passes. A store
is opened by one process at a time; reading it for `status` is allowed at any time.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from dynaferry.observe.events import RunEvent
from dynaferry.observe.segment_sums import SegmentSums
from dynaferry.plan.recorded import RecordedSettings
from dynaferry.state.records import (
    AttemptRecord,
    Controls,
    ControlsChange,
    DeadLetter,
    LetterCount,
    ProgressRecord,
    RunIdentity,
    RunRecord,
    RunStatus,
    Sample,
    SegmentRecord,
    TableAttempt,
    TableCounters,
    TableTotals,
)


class CheckpointStore(Protocol):
    """What a copy stores while it goes on. Every method returns when it is durable."""

    async def checkpoint(
        self, table: int, segments: Sequence[SegmentRecord], counters: TableCounters
    ) -> None:
        """Stores watermarks and counters of one table in one transaction.

        :raises StateWriteError: they could not be stored; none of them is
        """
        ...

    async def add_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Stores dead letters in one transaction; one that is there already is replaced.

        :raises StateWriteError: they could not be stored; none of them is
        """
        ...

    async def add_sample(self, sample: Sample) -> None:
        """Stores one sample."""
        ...


class StateStore(CheckpointStore, Protocol):
    """Keeps one run. Every method returns when what it was given is durable."""

    async def read_run(self) -> RunRecord:
        """The run as stored."""
        ...

    async def begin_attempt(self, version: str, now: float) -> None:
        """Marks the run as running again, and drops the dead letters beyond the watermarks."""
        ...

    async def end_attempt(
        self,
        status: RunStatus,
        now: float,
        error: tuple[str, str, str | None] | None = None,
    ) -> None:
        """Stores how the attempt ended; `error` is (type, message, hint)."""
        ...

    async def begin_table(self, table: int, now: float) -> None:
        """Stores that a table begins, or goes on, in the attempt that is under way."""
        ...

    async def end_table(
        self,
        table: int,
        status: RunStatus,
        now: float,
        error: tuple[str, str, str | None] | None = None,
    ) -> None:
        """Stores how a table ended in the attempt that is under way, be it that others go on."""
        ...

    async def read_table_attempts(self) -> list[TableAttempt]:
        """How each table fared in each attempt, in order; none in files of earlier versions."""
        ...

    async def read_segments(self, table: int) -> list[SegmentRecord]:
        """The records of the segments that have one, in the order of their numbers."""
        ...

    async def read_totals(self, table: int) -> TableTotals:
        """The sums of the table's segment records."""
        ...

    async def read_segment_sums(self, table: int) -> SegmentSums:
        """The sums over the table's segments, for the estimate of its items."""
        ...

    async def keep_progress(self, records: Sequence[ProgressRecord]) -> None:
        """Stores what is about to be shown, in the place of what was.

        :raises StateWriteError: it could not be stored
        """
        ...

    async def read_progress(self) -> list[ProgressRecord]:
        """What was shown last of the total and of each table; nothing where nothing was."""
        ...

    async def read_counters(self, table: int) -> TableCounters:
        """What the table cost so far."""
        ...

    async def read_counted_dead_letters(
        self, table: int, after: DeadLetter | None, limit: int
    ) -> list[DeadLetter]:
        """The next `limit` letters of a table behind `after`, in an order that stays.

        Only those of pages behind the watermarks: they are what the counts count.
        """
        ...

    async def settle_dead_letters(
        self,
        table: int,
        *,
        written: Sequence[DeadLetter],
        refused: Sequence[DeadLetter],
        counters: TableCounters,
    ) -> None:
        """Counts letters as written and stores why others were refused again, all or nothing.

        What is written is no letter any more: one rejected less, one written more. `refused` are
        the letters with their new reasons. A rejected run without a letter left is complete.

        :raises StateWriteError: it could not be stored; nothing of it is
        """
        ...

    async def count_dead_letters(self, table: int, limit: int) -> list[LetterCount]:
        """The `limit` most frequent reasons of a table's dead letters, the most frequent first."""
        ...

    async def read_attempts(self) -> list[AttemptRecord]:
        """Every attempt that was begun, in order."""
        ...

    async def keep_tables(
        self, identity: RunIdentity, settings: RecordedSettings, anew: Collection[int] = ()
    ) -> None:
        """Stores the run's tables and settings as of the attempt that begins, all or nothing.

        Further tables stand behind those that are there. Of those with the numbers `anew`
        everything that was stored is forgotten.
        """
        ...

    async def read_controls(self) -> Controls:
        """What was asked of the run while it was under way."""
        ...

    async def change_controls(
        self, change: ControlsChange, now: float, by: str | None = None
    ) -> Controls:
        """Stores what `by` asks for, beside whatever another process stores, and returns it all.

        What of it is new is an event of the run.
        """
        ...

    async def add_events(self, events: Sequence[RunEvent]) -> None:
        """Stores events behind those that are there; of very many the oldest are dropped."""
        ...

    async def read_events(self) -> list[RunEvent]:
        """The events of the run by their time, when its attempts began and ended among them."""
        ...

    async def read_samples(self, table: int, limit: int) -> list[Sample]:
        """The latest `limit` samples, oldest first."""
        ...

    async def aclose(self) -> None:
        """Lets go of the store and its lock."""
        ...
