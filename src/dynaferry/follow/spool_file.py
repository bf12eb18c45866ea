"""The spool: the changes that wait, and how far each shard is read, in one SQLite file.

Of a key only the newest change waits, in the place of its first: so the file grows with the keys
that change, not with the changes, and the oldest `first_at` bounds what is not applied. What is
stored and the positions behind it are one transaction: after a crash nothing is missing, and
nothing comes twice. What was applied is deleted only if no newer change of its key has arrived
meanwhile; to compare what it holds instead would remove a newer change that looks the same.

The file holds items: it is 0600. `SpoolFile` blocks; `spool.Spool` runs it on a thread of its own.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self, TypeVar

from dynaferry.follow import spool_late_writes, spool_positions
from dynaferry.follow.lineage import Gap, Position
from dynaferry.follow.spool_connection import (
    connect,
    damaged,
    is_whole,
    make,
    transaction,
    unreadable,
    used_bytes,
)
from dynaferry.follow.spool_doubts import due_doubts, put_doubts
from dynaferry.follow.spool_history import note_sample, note_state
from dynaferry.follow.spool_keeping import is_passing_over
from dynaferry.follow.spool_letters import end_letters, letter_keys, put_letter
from dynaferry.follow.spool_records import (
    Arrivals,
    Letter,
    SpoolCounts,
    SpoolOrigin,
    Waiting,
    arrivals_of,
)
from dynaferry.follow.spool_rows import UPSERT, drop_images, drop_those, read_rows, rows_of
from dynaferry.follow.timed_count import TimedCount
from dynaferry.observe.move_history import MovePoint
from dynaferry.observe.move_status import MoveState, MoveStatus, encode_status
from dynaferry.ports import ChangeKind, ChangeRecord

_CAPTURED: Final = (
    "UPDATE spool SET arrival = arrival + ?, captured = captured + ?,"
    " compacted = compacted + ?, alive_at = coalesce(?, alive_at)"
)
_Result = TypeVar("_Result")
_COUNT_READ_AGAIN: Final = "SELECT count(*) FROM changes WHERE kind = 2"


class SpoolFile:
    """An open spool. One thread at a time may use it."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self.path = path
        self._read_again = TimedCount(lambda: self._row(_COUNT_READ_AGAIN)[0])
        self._letters = self._waiting = 0
        self._is_late = self.passes_over = False
        self._count_anew()

    @classmethod
    def create(cls, path: Path, spool_id: str, lost: str | None = None) -> Self:
        """Makes a spool that belongs to the run which holds `spool_id` as well.

        In the place of one that was `lost`, for that reason, it begins with that gap.

        :raises StateError: there is a file of this name, or none can be made
        """
        make(path, spool_id, lost)
        return cls._opened(path)

    @classmethod
    def open(cls, path: Path, spool_id: str) -> Self | None:
        """Opens the spool of the run which holds `spool_id`; None if it is not there.

        :raises SpoolLostError: it is damaged, not a spool, or of another move
        :raises StateError: it cannot be read, or is of another version
        """
        return cls._opened(path) if is_whole(path, spool_id) else None

    @classmethod
    def _opened(cls, path: Path) -> Self:
        connection = connect(path)
        try:
            return cls(connection, path)
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.Error):
                raise unreadable(path, error) from error
            raise

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()

    def keep_log_below(self, pages: int) -> None:
        """Folds the log into the file whenever it is longer than so many pages of 4 KB."""
        self._connection.execute(f"PRAGMA wal_autocheckpoint = {pages:d}")

    def change(self, step: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Does one thing to the tables, in one transaction; see `spool_keeping`."""
        with self._writing():
            result = step(self._connection)
        self._count_anew()
        return result

    # The capture -------------------------------------------------------------------------------

    def begin(
        self,
        stream: str | None,
        at: float,
        positions: Sequence[Position] = (),
        gaps: Sequence[Gap] = (),
    ) -> None:
        """From now on the changes are those of this stream, of which these are the shards; without
        one, of the next that is opened. `gaps` are what was lost before.
        """
        with self._writing():
            self._connection.execute(
                "UPDATE spool SET stream = ?, begun_at = ?, alive_at = ?", (stream, at, at)
            )
            self._connection.execute("DELETE FROM shards")
            spool_positions.put_positions(self._connection, positions)
            spool_positions.put_gaps(self._connection, gaps, at)

    def note_clean(self, is_clean: bool) -> None:
        """Whether all that was sent has been answered: nothing is on its way should it end now."""
        with self._writing() as connection:
            connection.execute("UPDATE spool SET is_clean = ?", (int(is_clean),))

    def is_clean(self) -> bool:
        """Whether the process before ended with nothing on its way."""
        return bool(self._row("SELECT is_clean FROM spool")[0])

    def note_status(
        self,
        status: MoveStatus,
        sample: MovePoint | None = None,
        entered: Sequence[tuple[float, MoveState]] = (),
    ) -> None:
        """Keeps how the move stands, a sample that is due, and the states that were entered."""
        with self._writing() as connection:
            connection.execute("UPDATE spool SET status = ?", (encode_status(status),))
            for at, state in (*entered, (status.at, status.state)):
                note_state(connection, state, at)
            if sample is not None:
                note_sample(connection, sample)

    def origin(self) -> SpoolOrigin:
        """Whose changes it holds."""
        return SpoolOrigin(*self._row("SELECT id, stream, begun_at, alive_at FROM spool"))

    def store(
        self,
        changes: Sequence[ChangeRecord],
        positions: Sequence[Position],
        now: float,
        *,
        keys_only: bool = False,
        gaps: Sequence[Gap] = (),
        settled: Sequence[bytes] = (),
        alive_at: float | None = None,
    ) -> None:
        """Stores what was read and how far, in one transaction, and gaps behind it.

        The doubts with the digests `settled` are over; the stream was read last at `alive_at`.
        With `keys_only` no image is kept: its key is read again when its turn comes. Where it
        passes over what comes, it keeps the positions alone.

        :raises StateWriteError: the disk is full, or fails; nothing of it is stored
        """
        if self.passes_over:
            changes, gaps = (), ()
        first, count = self._arrival + 1, len(changes)
        rows = rows_of(changes, first, now, keys_only=keys_only)
        with self._writing() as connection:
            connection.executemany(UPSERT, rows)
            if self._is_late and not settled:  # what was settled nobody has written
                spool_late_writes.note(connection, rows, changes)
            inserted = self._row("SELECT count(*) FROM changes WHERE number >= ?", first)[0]
            spool_positions.put_positions(connection, positions)
            spool_positions.put_gaps(connection, gaps, now)
            connection.executemany("DELETE FROM doubts WHERE digest = ?", [(d,) for d in settled])
            connection.execute(_CAPTURED, (count, count, count - inserted, alive_at))
        self._arrival += count
        self._captured += count
        self._compacted += count - inserted
        self._waiting += inserted
        if inserted < count and not keys_only:
            self._images_from = 0

    def positions(self) -> list[Position]:
        """How far each shard is read.

        :raises StateError: what is there is not what was stored
        """
        return spool_positions.read_positions(self._connection, self.path)

    # The applier -------------------------------------------------------------------------------

    def waiting(self, after: int, limit: int, *, most_bytes: int | None = None) -> list[Waiting]:
        """Up to `limit` changes that wait behind the number `after`, in the order of their keys'
        first arrival; no more than it takes to have `most_bytes` of images.

        :raises StateError: what waits is not what was stored
        """
        rows = read_rows(self._connection, self.path, after, limit, most_bytes)
        if not rows and not after and self._waiting:
            raise damaged(self.path, f"{self._waiting} changes that wait are not there")
        return rows

    def applied(self, arrivals: Arrivals, sent_at: float) -> int:
        """The target holds these: they go, but for keys of which something newer has arrived.

        What stays takes the place of that arrival, and is as old as `sent_at`. Returns how many
        went.
        """
        with self._writing() as connection:
            if self._letters:
                self._letters = end_letters(connection, arrivals)
            removed = self._take_out(arrivals, sent_at)
            connection.execute("UPDATE spool SET applied = applied + ?", (removed,))
        self._applied += removed
        self._waiting -= removed
        return removed

    def set_aside(self, change: Waiting, letter: Letter, sent_at: float) -> None:
        """The target refuses what the source holds: a dead letter, until its key is applied."""
        with self._writing() as connection:
            put_letter(connection, change.digest, change.key, letter)
            self._letters = self._row("SELECT count(*) FROM letters")[0]
            removed = self._take_out(arrivals_of([change]), sent_at)
            connection.execute("UPDATE spool SET rejected = rejected + ?", (removed,))
        self._rejected += removed
        self._waiting -= removed

    def letter_keys(self) -> set[bytes]:
        """The keys of the dead letters."""
        return letter_keys(self._connection)

    def read_again(self, changes: Sequence[Waiting]) -> None:
        """The target refused these images: the source is asked what the items are now."""
        with self._writing() as connection:
            drop_those(connection, changes)

    # Gaps, spill and doubts --------------------------------------------------------------------

    def open_gaps(self) -> list[tuple[int, Gap]]:
        """The gaps after which not every key has been compared, with their numbers."""
        return spool_positions.read_open_gaps(self._connection)

    def compared_since(self) -> int | None:
        """The number of the gap since which keys are compared; None where they are not."""
        return self._row("SELECT compared_since FROM spool")[0]  # type: ignore[no-any-return]

    def compare_since(self, number: int | None) -> None:
        """A comparison of every key begins, since this gap."""
        with self._writing() as connection:
            connection.execute("UPDATE spool SET compared_since = ?", (number,))

    def mend_gaps(self, up_to: int, now: float) -> None:
        """Every key was compared since the gap number `up_to`."""
        with self._writing() as connection:
            spool_positions.close_gaps(connection, up_to, now)

    def drop_images(self, limit: int) -> int:
        """Makes up to `limit` of the oldest images keys to read again; returns how many."""
        with self._writing() as connection:
            dropped = drop_images(connection, self._images_from, limit)
        # Those before have none, until one comes for a key that waits there.
        if dropped:
            self._images_from = dropped[-1]
        return len(dropped)

    def add_doubts(self, changes: Iterable[Waiting], until: float) -> None:
        """Nobody knows what became of writes to these keys; none takes effect after `until`."""
        with self._writing() as connection:
            put_doubts(connection, changes, until)

    def revisit_doubts(self, now: float) -> int:
        """Keys of which no write can be on its way any more are read again; returns how many."""
        if not (due := due_doubts(self._connection, now)):
            return 0
        keys = [ChangeRecord(digest, key, ChangeKind.READ_AGAIN) for digest, key in due]
        self.store(keys, (), now, settled=[digest for digest, _ in due])
        return len(due)

    def counts(self) -> SpoolCounts:
        """What it holds and has held."""
        late = spool_late_writes.counts(self._connection)
        doubts, doubts_due_at = self._row("SELECT count(*), max(until) FROM doubts")
        return SpoolCounts(
            captured=self._captured,
            compacted=self._compacted,
            applied=self._applied,
            rejected=self._rejected,
            waiting=self._waiting,
            read_again=self._read_again.value(),
            oldest_at=self._row("SELECT (SELECT first_at FROM changes ORDER BY number LIMIT 1)")[0],
            used_bytes=used_bytes(self._connection),
            letters=self._letters,
            doubts=doubts,
            doubts_due_at=doubts_due_at,
            open_gaps=self._row("SELECT count(*) FROM gaps WHERE mended_at IS NULL")[0],
            gaps=self._row("SELECT count(*) FROM gaps")[0],
            late_writes=late.keys,
            expired=late.expired,
        )

    # Within ------------------------------------------------------------------------------------

    def _take_out(self, arrivals: Arrivals, sent_at: float) -> int:
        """Within a transaction: these go, but for keys of which something newer has arrived."""
        removed = self._connection.executemany(
            "DELETE FROM changes WHERE number = ? AND arrival = ?", arrivals.items()
        ).rowcount
        if removed < len(arrivals):
            self._connection.executemany(
                "UPDATE changes SET number = arrival, first_at = max(first_at, ?)"
                " WHERE number = ? AND arrival != number",
                [(sent_at, number) for number in arrivals],
            )
        return removed

    def _count_anew(self) -> None:
        counted = self._row("SELECT captured, compacted, applied, rejected FROM spool")
        self._arrival = self._row("SELECT arrival FROM spool")[0]
        self._captured, self._compacted, self._applied, self._rejected = counted
        self._letters = self._row("SELECT count(*) FROM letters")[0]
        # To count them would be to read a large part of the file.
        self._waiting = self._captured - self._compacted - self._applied - self._rejected
        self._images_from = 0
        self._is_late = spool_late_writes.counts(self._connection).is_on
        self.passes_over = is_passing_over(self._connection)

    def _row(self, query: str, *parameters: object) -> sqlite3.Row:
        row: sqlite3.Row = self._connection.execute(query, parameters).fetchone()
        return row

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with transaction(self._connection, self.path):
            yield self._connection
