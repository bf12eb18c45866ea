"""The state file of a verification: `RUN.verify.sqlite` beside the copy's own."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

from anyio import to_thread

from dynaferry.state.directory import has_state, verification_name
from dynaferry.state.sqlite.run_file import RunFile
from dynaferry.state.sqlite.thread import FileThread
from dynaferry.verify.state import schema
from dynaferry.verify.state.damage import fault_of_verification
from dynaferry.verify.state.records import (
    ComparedSegment,
    ComparisonCounters,
    ComparisonTotals,
    Difference,
    Suspect,
    Verification,
    VerificationStatus,
)

# Or both sides agree by now, without our doing.
RepairOutcome = Literal["written", "deleted", "agreed"]
# What a repair took the place of, where that is not what it had seen: a newer item, which is kept,
# or nobody knows what, since the response did not come or did not say.
ReplacedKind = Literal["overwritten", "unseen"]


class _VerificationFile(RunFile):
    application_id = schema.APPLICATION_ID
    ladder = schema.LADDER
    __slots__ = ()

    @staticmethod
    def fault_of(connection: sqlite3.Connection) -> str | None:
        return fault_of_verification(connection)


class VerificationStore(FileThread):
    """The store of one verification. Every method returns when what it was given is durable.

    :raises StateWriteError: from every method that stores: nothing of it is stored
    """

    @classmethod
    async def create(cls, state_dir: Path, record: Verification) -> Self:
        """Begins a verification that has no file yet; its first attempt is still to begin.

        :raises StateError: there is a file already, or none can be written
        """

        def write_new(connection: sqlite3.Connection) -> None:
            schema.write_new_run(connection, record)

        name = verification_name(record.run)
        return await cls._opened_by(lambda: _VerificationFile.create(state_dir, name, write_new))

    @classmethod
    async def open(cls, state_dir: Path, run: str) -> Self:
        """Opens a verification to go on with it.

        :raises StateError: there is none, another process works on it, or the file is foreign or
            broken; it is left as it is
        """
        name = verification_name(run)
        store = await cls._opened_by(lambda: _VerificationFile.open(state_dir, name))
        try:
            await store._write(schema.add_new_columns)
        except BaseException:
            await store.aclose()
            raise
        return store

    @staticmethod
    async def discard(state_dir: Path, run: str) -> None:
        """Removes the file of a verification, so that a new one may take its name.

        :raises StateError: there is none, another process works on it, or the file is foreign
        """
        await to_thread.run_sync(_VerificationFile.discard, state_dir, verification_name(run))

    @staticmethod
    async def discard_any(state_dir: Path, run: str) -> None:
        """Removes the file of a verification, where there is one.

        :raises StateError: another process works on it, or the file is foreign
        """
        if await to_thread.run_sync(has_state, state_dir, verification_name(run)):
            await VerificationStore.discard(state_dir, run)

    @staticmethod
    async def try_out(state_dir: Path, run: str) -> None:
        """Returns if `create` would work now.

        :raises StateError: it would not
        """
        await to_thread.run_sync(_VerificationFile.try_out, state_dir, verification_name(run))

    async def read_run(self) -> Verification:
        """The verification as stored."""
        return await self._record(schema.verification_of, schema.SELECT_RUN)

    async def begin_attempt(self, version: str, now: float) -> None:
        """Marks it as running again, and drops the suspects of unfinished segments."""

        def begin(connection: sqlite3.Connection) -> None:
            connection.execute(schema.BEGIN_ATTEMPT, {"version": version, "now": now})
            connection.execute(schema.DROP_SUSPECTS_OF_UNFINISHED_SEGMENTS)

        await self._write(begin)

    async def end_attempt(
        self,
        status: VerificationStatus,
        now: float,
        error: tuple[str, str, str | None] | None = None,
    ) -> None:
        """Stores how the attempt ended; `error` is (type, message, hint)."""
        kind, message, hint = error or (None, None, None)
        ending = {"status": status, "now": now, "type": kind, "message": message, "hint": hint}
        await self._write(lambda connection: connection.execute(schema.END_ATTEMPT, ending))

    async def finish_segment(
        self, table: int, segment: ComparedSegment, counters: ComparisonCounters
    ) -> None:
        """Stores the result of a segment. Its suspects are stored before."""

        def finish(connection: sqlite3.Connection) -> None:
            connection.execute(schema.PUT_SEGMENT, schema.row_of(table, segment))
            connection.execute(schema.UPDATE_COUNTERS, schema.row_of(table, counters))

        await self._write(finish)

    async def add_suspects(self, table: int, suspects: Sequence[Suspect]) -> None:
        """Stores suspects; one of the same segment and key is replaced."""
        rows = [schema.row_of(table, suspect) for suspect in suspects]
        await self._write(lambda connection: connection.executemany(schema.PUT_SUSPECT, rows))

    async def settle(
        self,
        table: int,
        suspects: Sequence[Suspect],
        *,
        matching: int,
        differences: Sequence[Difference],
        counters: ComparisonCounters,
    ) -> None:
        """Replaces `suspects` by their results, all or nothing."""
        settled = [schema.row_of(table, suspect) for suspect in suspects]
        found = [schema.difference_row(table, difference) for difference in differences]
        differing = {difference.key for difference in differences}
        agreeing = sum(suspect.key not in differing for suspect in suspects)
        added = {"table": table, "matching": matching, "settled_by_key": agreeing}

        def put(connection: sqlite3.Connection) -> None:
            connection.executemany(schema.DELETE_SUSPECT, settled)
            connection.executemany(schema.PUT_DIFFERENCE, found)
            connection.execute(schema.ADD_SETTLED, added)
            connection.execute(schema.UPDATE_COUNTERS, schema.row_of(table, counters))

        await self._write(put)

    async def mark_repaired(
        self, table: int, keys: Sequence[bytes], how: RepairOutcome, counters: ComparisonCounters
    ) -> None:
        """Marks differences as repaired."""
        rows = [{"table": table, "key": key, "how": how} for key in keys]

        def mark(connection: sqlite3.Connection) -> None:
            connection.executemany(schema.MARK_REPAIRED, rows)
            connection.execute(schema.UPDATE_COUNTERS, schema.row_of(table, counters))

        await self._write(mark)

    async def note_replaced(
        self, table: int, replaced: Mapping[bytes, ReplacedKind | None]
    ) -> None:
        """Notes by key what a write took the place of: None is what was seen, or nothing."""
        rows = [{"table": table, "key": key, "replaced": kind} for key, kind in replaced.items()]
        await self._write(lambda connection: connection.executemany(schema.NOTE_REPLACED, rows))

    async def read_segments(self, table: int) -> list[ComparedSegment]:
        """The segments that are compared, in the order of their numbers."""
        return await self._records(schema.segment_of, schema.SELECT_SEGMENTS, table)

    async def read_counters(self, table: int) -> ComparisonCounters:
        """The cost of the table so far."""
        return await self._record(schema.counters_of, schema.SELECT_COUNTERS, table)

    async def read_totals(self, table: int) -> ComparisonTotals:
        """The sums of what is stored of the table."""
        tally = {row["what"]: row["number"] for row in await self._rows(schema.SELECT_TALLY, table)}
        return await self._record(
            lambda row: schema.totals_of(row, tally), schema.SELECT_TOTALS, table
        )

    async def read_suspects(self, table: int, seen_before: float, limit: int) -> list[Suspect]:
        """The oldest suspects that were seen by then."""
        query = schema.SELECT_SUSPECTS
        return await self._records(schema.suspect_of, query, table, seen_before, limit)

    async def oldest_suspect(self, table: int) -> float | None:
        """The time at which the oldest suspect was seen; None without any."""
        oldest: float | None = (await self._rows(schema.SELECT_OLDEST, table))[0]["oldest"]
        return oldest

    async def read_differences(
        self, table: int, limit: int, after: bytes = b""
    ) -> list[Difference]:
        """The next differences behind the key `after` that are not repaired, by key."""
        query = schema.SELECT_DIFFERENCES
        return await self._records(schema.difference_of, query, table, after, limit)

    async def read_unequal_keys(self, table: int, limit: int, after: bytes = b"") -> list[bytes]:
        """The next keys behind `after` of all that was not found equal, in flux or rejected too."""
        rows = await self._rows(schema.SELECT_UNEQUAL_KEYS, table, after, limit)
        return [row["key"] for row in rows]

    async def sample_keys(self, table: int, most: int) -> list[bytes]:
        """So many keys of those that differed, whatever became of them since; all if fewer."""
        return [row["key"] for row in await self._rows(schema.SELECT_SAMPLE, table, most)]

    async def read_in_flux(self, table: int, limit: int) -> list[Difference]:
        """The first items that were being changed while they were compared, by key."""
        return await self._records(schema.difference_of, schema.SELECT_IN_FLUX, table, limit)
