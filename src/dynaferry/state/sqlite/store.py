"""The embedded store: one SQLite file for one run."""

import asyncio
import sqlite3
import time
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, Self

import msgspec

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
from dynaferry.state.sqlite import additions, run_file, schema, table_attempts, tables
from dynaferry.state.sqlite import events as stored_events
from dynaferry.state.sqlite import progress as shown_progress
from dynaferry.state.sqlite.controls import controls_in, store_change
from dynaferry.state.sqlite.run_file import RunFile
from dynaferry.state.sqlite.thread import FileThread

Moment = Literal["inside a checkpoint", "after a checkpoint", "inside a settlement"]


class SqliteStore(FileThread):
    """A `StateStore` in `STATE_DIR/RUN.sqlite`. Made by `create`, `open` or `open_for_reading`."""

    @classmethod
    async def create(
        cls,
        state_dir: Path,
        run: str,
        identity: RunIdentity,
        settings: RecordedSettings,
        version: str,
        now: float,
    ) -> Self:
        """Begins a run that has no file yet; its first attempt is still to begin.

        :raises StateError: there is a file already, or none can be written
        """
        record = RunRecord(
            run=run,
            identity=identity,
            settings=settings,
            version=version,
            status="running",
            attempts=0,
            created_at=now,
            started_at=now,
            ended_at=None,
        )

        def write_new(connection: sqlite3.Connection) -> None:
            schema.write_new_run(connection, record)

        return await cls._opened_by(lambda: RunFile.create(state_dir, run, write_new))

    @classmethod
    async def open(cls, state_dir: Path, run: str) -> Self:
        """Opens a run to go on with it. Whether it is the right one, `check_identity` says.

        :raises StateError: there is none, another process works on it, or the file is foreign or
            broken; it is left as it is
        """
        return await cls._opened_by(lambda: RunFile.open(state_dir, run))

    @classmethod
    async def open_for_reading(cls, state_dir: Path, run: str) -> Self:
        """Opens a run to look at it, also while another process works on it.

        :raises StateError: there is none, or the file is foreign or cannot be read
        """
        return await cls._opened_by(lambda: RunFile.open_for_reading(state_dir, run))

    @classmethod
    async def open_to_control(cls, state_dir: Path, run: str) -> Self:
        """Opens a run to change its controls, also while another process works on it.

        :raises StateError: there is none, or the file is foreign or cannot be written
        """
        return await cls._opened_by(lambda: RunFile.open_to_control(state_dir, run))

    @staticmethod
    async def set_aside(state_dir: Path, run: str, now: float) -> Path:
        """Renames the run's file, so that a new run may take its name; returns the new path.

        :raises StateError: there is none, another process works on it, or the file is foreign or
            broken; it is left as it is
        """
        return await asyncio.to_thread(run_file.set_aside, state_dir, run, now)

    async def read_run(self) -> RunRecord:
        """The run as stored."""
        return await self._record(schema.run_of, schema.SELECT_RUN)

    async def begin_attempt(self, version: str, now: float) -> None:
        """Marks the run as running again, and drops the dead letters beyond the watermarks."""

        def begin(connection: sqlite3.Connection) -> None:
            additions.make_tables(connection)
            table_attempts.interrupt_killed(connection)
            connection.execute(schema.BEGIN_ATTEMPT, {"version": version, "now": now})
            connection.execute(schema.NOTE_ATTEMPT)
            connection.execute(schema.DROP_DEAD_LETTERS_BEYOND_THE_WATERMARKS)

        await self._write(begin)

    async def end_attempt(
        self,
        status: RunStatus,
        now: float,
        error: tuple[str, str, str | None] | None = None,
    ) -> None:
        """Stores how the attempt ended; `error` is (type, message, hint)."""
        kind, message, hint = error or (None, None, None)
        ending = {"status": status, "now": now, "type": kind, "message": message, "hint": hint}

        def end(connection: sqlite3.Connection) -> None:
            connection.execute(schema.END_ATTEMPT, ending)
            connection.execute(schema.NOTE_END_OF_ATTEMPT, ending)
            table_attempts.interrupt_all(connection, now)

        await self._write(end)

    async def begin_table(self, table: int, now: float) -> None:
        """Stores that a table begins, or goes on, in the attempt that is under way."""
        await self._write(lambda connection: table_attempts.begin(connection, table, now))

    async def end_table(
        self,
        table: int,
        status: RunStatus,
        now: float,
        error: tuple[str, str, str | None] | None = None,
    ) -> None:
        """Stores how a table ended in the attempt that is under way, be it that others go on."""
        kind, message, hint = error or (None, None, None)
        reason = {"type": kind, "message": message, "hint": hint}
        ending = reason | {"table": table, "status": status, "now": now}
        await self._write(lambda connection: table_attempts.end(connection, ending))

    async def read_table_attempts(self) -> list[TableAttempt]:
        """How each table fared in each attempt, in order; none in files of earlier versions."""
        return await self._added_records(
            table_attempts.NAME, table_attempts.table_attempt_of, table_attempts.SELECT
        )

    async def read_segments(self, table: int) -> list[SegmentRecord]:
        """The records of the segments that have one, in the order of their numbers."""
        return await self._records(schema.segment_of, schema.SELECT_SEGMENTS, table)

    async def read_totals(self, table: int) -> TableTotals:
        """The sums of the table's segment records."""
        return await self._record(schema.totals_of, schema.SELECT_TOTALS, table)

    async def read_segment_sums(self, table: int) -> SegmentSums:
        """The sums over the table's segments, for the estimate of its items."""
        query = shown_progress.SELECT_SEGMENT_SUMS
        return await self._record(shown_progress.segment_sums_of, query, table)

    async def keep_progress(self, records: Sequence[ProgressRecord]) -> None:
        """Stores what is about to be shown, in the place of what was.

        :raises StateWriteError: it could not be stored
        """
        await self._write(lambda connection: shown_progress.keep(connection, records))

    async def read_progress(self) -> list[ProgressRecord]:
        """What was shown last of the total and of each table; nothing where nothing was."""

        def read() -> list[ProgressRecord]:
            with self._file.reading() as connection:
                return shown_progress.read(connection)

        return await self._on_thread(read)

    async def read_counters(self, table: int) -> TableCounters:
        """What the table cost so far."""
        counters = await self._records(schema.counters_of, schema.SELECT_COUNTERS, table)
        if not counters:
            raise _no_such_table(table)
        return counters[0]

    async def read_checkpoint_time(self, table: int) -> float | None:
        """When a table was checkpointed last, in whichever attempt; None for never."""
        row = (await self._rows(schema.SELECT_COUNTERS, table))[0]
        return None if row["checkpointed_at"] is None else float(row["checkpointed_at"])

    async def checkpoint(
        self, table: int, segments: Sequence[SegmentRecord], counters: TableCounters
    ) -> None:
        """Stores watermarks and counters of one table in one transaction.

        :raises StateWriteError: they could not be stored; none of them is
        """
        segment_rows = [schema.segment_row(table, segment) for segment in segments]

        def store(connection: sqlite3.Connection) -> None:
            connection.executemany(schema.PUT_SEGMENT, segment_rows)
            self.reached("inside a checkpoint")
            row = schema.counters_row(table, counters) | {"now": time.time()}
            if connection.execute(schema.UPDATE_COUNTERS, row).rowcount != 1:
                raise _no_such_table(table)

        await self._write(store, lambda: self.reached("after a checkpoint"))

    def reached(self, moment: Moment) -> None:
        """Does nothing, on the store's thread: a test overrides it to die at this moment."""

    async def add_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Stores dead letters in one transaction; one that is there already is replaced.

        :raises StateWriteError: they could not be stored; none of them is
        """
        rows = [msgspec.structs.asdict(letter) for letter in letters]
        await self._write(lambda connection: connection.executemany(schema.PUT_DEAD_LETTER, rows))

    async def read_counted_dead_letters(
        self, table: int, after: DeadLetter | None, limit: int
    ) -> list[DeadLetter]:
        """The next `limit` letters of a table behind `after`, of pages behind the watermarks."""
        behind = (-1, b"") if after is None else (after.segment, after.key)
        query = schema.SELECT_COUNTED_DEAD_LETTERS
        return await self._records(schema.whole_letter_of, query, table, *behind, limit)

    async def settle_dead_letters(
        self,
        table: int,
        *,
        written: Sequence[DeadLetter],
        refused: Sequence[DeadLetter],
        counters: TableCounters,
    ) -> None:
        """Counts letters as written and stores why others were refused again, all or nothing.

        :raises StateWriteError: it could not be stored; nothing of it is
        """
        written_rows = [msgspec.structs.asdict(letter) for letter in written]
        refused_rows = [msgspec.structs.asdict(letter) for letter in refused]

        def settle(connection: sqlite3.Connection) -> None:
            for row in written_rows:
                # A letter is counted once, however often it is settled.
                if connection.execute(schema.DELETE_DEAD_LETTER, row).rowcount:
                    connection.execute(schema.COUNT_REJECTED_AS_WRITTEN, row)
            self.reached("inside a settlement")
            connection.executemany(schema.UPDATE_REFUSAL, refused_rows)
            connection.execute(schema.UPDATE_WRITE_COUNTERS, schema.counters_row(table, counters))
            connection.execute(schema.COMPLETE_WITHOUT_DEAD_LETTERS)

        await self._write(settle)

    async def count_dead_letters(self, table: int, limit: int) -> list[LetterCount]:
        """The `limit` most frequent reasons of a table's dead letters, the most frequent first."""
        return await self._records(schema.letter_count_of, schema.COUNT_DEAD_LETTERS, table, limit)

    async def read_attempts(self) -> list[AttemptRecord]:
        """Every attempt that was begun, in order."""
        return await self._records(schema.attempt_of, schema.SELECT_ATTEMPTS)

    async def keep_tables(
        self, identity: RunIdentity, settings: RecordedSettings, anew: Collection[int] = ()
    ) -> None:
        """Stores the run's tables and settings as of the attempt that begins, all or nothing.

        Further tables stand behind those that are there. Of those with the numbers `anew`
        everything that was stored is forgotten.
        """
        numbers = frozenset(anew)
        await self._write(partial(tables.keep, identity=identity, settings=settings, anew=numbers))

    async def read_controls(self) -> Controls:
        """What was asked of the run while it was under way."""
        return await self._read(controls_in)

    async def change_controls(
        self, change: ControlsChange, now: float, by: str | None = None
    ) -> Controls:
        """Stores what `by` asks for, beside whatever another process stores, and returns it all."""
        asked: list[Controls] = []

        def store(connection: sqlite3.Connection) -> None:
            asked.append(store_change(connection, change, now, by))

        await self._write(store)
        return asked[0]

    async def add_events(self, events: Sequence[RunEvent]) -> None:
        """Stores events behind those that are there; of very many the oldest are dropped."""
        if events:
            await self._write(lambda connection: stored_events.add(connection, events))

    async def read_events(self) -> list[RunEvent]:
        """The events of the run by their time, when its attempts began and ended among them."""

        def read() -> list[RunEvent]:
            with self._file.reading() as connection:
                return stored_events.read(connection)

        return await self._on_thread(read)

    async def add_sample(self, sample: Sample) -> None:
        """Stores one sample."""
        row = msgspec.structs.asdict(sample)
        await self._write(lambda connection: connection.execute(schema.INSERT_SAMPLE, row))

    async def read_samples(self, table: int, limit: int) -> list[Sample]:
        """The latest `limit` samples, oldest first."""
        latest = await self._records(schema.sample_of, schema.SELECT_SAMPLES, table, limit)
        return latest[::-1]


def _no_such_table(table: int) -> IndexError:
    return IndexError(f"the run has no table {table}")
