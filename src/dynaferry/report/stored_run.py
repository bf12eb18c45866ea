"""A run as its state file and its locks show it, read while it runs and after.

`status` and `report` read the same: the report `whole`, which takes every sample and every reason.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

from anyio import to_thread
from msgspec import Struct

from dynaferry.control.effective import EffectiveControls, effective_controls
from dynaferry.control.typed_caps import with_set_caps
from dynaferry.observe import limiting_factor, rates
from dynaferry.observe.events import RunEvent
from dynaferry.observe.health import is_stalled
from dynaferry.observe.stats import MOST_REASONS
from dynaferry.observe.summary import ErrorSummary
from dynaferry.plan.resume_command import RecordedCommand
from dynaferry.report.move_end import MoveEnd, move_end_of
from dynaferry.state.directory import move_name, verification_name
from dynaferry.state.lock import is_locked, owner_of
from dynaferry.state.records import (
    AttemptRecord,
    Controls,
    LetterCount,
    ProgressRecord,
    RunRecord,
    Sample,
    SegmentRecord,
    TableAttempt,
    TableCounters,
    TableIdentity,
    TableTotals,
)
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.state.store import StateStore

# The latest rate is that of the last minute for which there are samples.
_RATE_SECONDS = 60.0
# Of a run that goes on only that minute matters; of one that has ended, the whole attempt.
_SAMPLES_WHILE_RUNNING = 600
_SAMPLES_AFTERWARDS = 100_000
# Of a run that is read whole, all that are likely to be there.
_SAMPLES_OF_ALL_ATTEMPTS = 1_000_000

UnderWay = Literal["copy", "move", "verification", "replay"]

State = Literal["running", "stalled", "complete", "rejected", "interrupted", "failed", "killed"]

_UNDER_WAY: frozenset[State] = frozenset({"running", "stalled"})


class StoredTable(Struct, frozen=True, kw_only=True):
    """One table as its state file has it, which knows it by `number`.

    `attempts` are its own, oldest first: none in files of earlier versions. `checkpointed_at` is
    the time of its last checkpoint, of whichever attempt.
    `samples` are the newest ones, oldest first, of whichever attempt. `reasons` are the most
    frequent ones of its rejected items, and are read with a whole run only.
    """

    identity: TableIdentity
    totals: TableTotals
    counters: TableCounters
    segments: list[SegmentRecord]
    samples: list[Sample]
    reasons: list[LetterCount]
    number: int = 0
    checkpointed_at: float | None = None
    attempts: list[TableAttempt] = []

    @property
    def error(self) -> ErrorSummary | None:
        """What ended it in its last attempt, be it that others went on."""
        last = self.attempts[-1] if self.attempts else None
        if last is None or last.error_type is None:
            return None
        return ErrorSummary(
            type=last.error_type, message=last.error_message or "", hint=last.error_hint
        )


class StoredRun(Struct, frozen=True, kw_only=True):
    """A run as its state file and its locks show it at the moment `now`, in seconds, without the
    tables that have left it.

    `process` is the one that works on the run, where there is one and it is known. `events` are
    read with a whole run only. `progress` is what was shown last: see `stored_progress`. `move_end`
    is how its move has ended, if it has.
    """

    record: RunRecord
    state: State
    under_way: UnderWay | None
    process: int | None
    controls: Controls
    attempts: list[AttemptRecord]
    tables: list[StoredTable]
    now: float
    events: Sequence[RunEvent] = ()
    progress: list[ProgressRecord] = []
    move_end: MoveEnd | None = None

    @property
    def command(self) -> RecordedCommand | None:
        """The command that resumes it under the caps that hold; None where it is not known."""
        command = self.record.settings.command
        return None if command is None else with_set_caps(command, self.controls)

    @property
    def is_under_way(self) -> bool:
        """Whether a process copies it, be it that it gets on or not."""
        return self.state in _UNDER_WAY

    @property
    def last_sign(self) -> float:
        """The time at which its process last stored anything in this attempt, or began it."""
        return last_sign_of(self.record)

    @property
    def last_checkpoint(self) -> float | None:
        """The time of the last checkpoint, of whichever attempt."""
        return self.record.checkpointed_at

    @property
    def seconds(self) -> float:
        """The seconds of this attempt so far."""
        if self.is_under_way:
            end: float | None = self.now
        else:
            end = self.record.ended_at or self.last_checkpoint
        return max(0.0, end - self.record.started_at) if end is not None else 0.0

    @property
    def effective(self) -> EffectiveControls:
        """The pause and the caps in force now, or that would be if it ran."""
        return effective_controls(
            self.record.settings, self.controls, datetime.fromtimestamp(self.now, UTC)
        )


async def read_stored_run(state_dir: Path, name: str, *, whole: bool = False) -> StoredRun:
    """Reads the state file, also while another process has it open.

    `whole` is with every sample of all attempts, and with why items were rejected.

    :raises StateError: it is broken, or not one
    """
    store = await SqliteStore.open_for_reading(state_dir, name)
    try:
        record, state = await state_of(store, state_dir, name)
        now, controls = time.time(), await store.read_controls()
        is_paused = controls.paused_at is not None
        if state == "running" and is_stalled(last_sign_of(record), now, paused=is_paused):
            state = "stalled"
        attempts = await store.read_table_attempts()
        tables = [
            await _read_table(store, index, identity, state, attempts, whole=whole)
            for index, identity in enumerate(record.identity.tables)
            if identity.left_at is None
        ]
        under_way = await under_way_of(state, state_dir, name)
        return StoredRun(
            record=record,
            state=state,
            under_way=under_way,
            process=await _process_of(state_dir, name, under_way),
            controls=controls,
            attempts=await store.read_attempts(),
            tables=tables,
            now=now,
            events=await store.read_events() if whole else (),
            progress=await store.read_progress(),
            move_end=await move_end_of(state_dir, record),
        )
    finally:
        await store.aclose()


async def state_of(store: StateStore, state_dir: Path, run: str) -> tuple[RunRecord, State]:
    """The run as stored, and whether it runs: the lock knows that, not the file."""
    record = await store.read_run()
    # Where the lock may not be read, the file decides, and the age of what it holds.
    locked = partial(is_locked, state_dir, run, if_hidden=True)
    if record.status != "running" or await to_thread.run_sync(locked):
        return record, record.status
    # A run stores its end before it lets go of its lock: it may have ended just now.
    record = await store.read_run()
    return record, "killed" if record.status == "running" else record.status


def last_sign_of(record: RunRecord) -> float:
    """The time at which a process last stored anything in this attempt, or began it."""
    return max(record.started_at, record.checkpointed_at or 0.0)


async def under_way_of(state: State, state_dir: Path, run: str) -> UnderWay | None:
    """The work under way for a run in this `state`, which follows its controls; None without any.

    A move is one before its copy, while it says `copy`, and behind it. It and a verification have
    locks of their own; a replay takes the run's, whose state it leaves.
    """
    if state in _UNDER_WAY:
        return "copy"
    if await to_thread.run_sync(is_locked, state_dir, move_name(run)):
        return "move"
    if await to_thread.run_sync(is_locked, state_dir, verification_name(run)):
        return "verification"
    return "replay" if await to_thread.run_sync(is_locked, state_dir, run) else None


async def _process_of(state_dir: Path, run: str, under_way: UnderWay | None) -> int | None:
    """The process that holds the lock of what is under way, for people."""
    if under_way is None:
        return None
    locks = {"move": move_name(run), "verification": verification_name(run)}
    return await to_thread.run_sync(owner_of, state_dir, locks.get(under_way, run))


async def _read_table(
    store: SqliteStore,
    index: int,
    identity: TableIdentity,
    state: State,
    attempts: Sequence[TableAttempt],
    *,
    whole: bool,
) -> StoredTable:
    most = _SAMPLES_WHILE_RUNNING if state in _UNDER_WAY else _SAMPLES_AFTERWARDS
    return StoredTable(
        identity=identity,
        totals=await store.read_totals(index),
        counters=await store.read_counters(index),
        segments=await store.read_segments(index),
        samples=await store.read_samples(index, _SAMPLES_OF_ALL_ATTEMPTS if whole else most),
        reasons=await store.count_dead_letters(index, MOST_REASONS) if whole else [],
        number=index,
        attempts=[attempt for attempt in attempts if attempt.table == index],
        checkpointed_at=await store.read_checkpoint_time(index),
    )


def bottleneck(run: StoredRun, table: StoredTable) -> str | None:
    """The resource that limits the writes now, where the service named it; None when nothing runs.

    As in progress: what it named last, for as long as throttles go on.
    """
    throttled_at, end = table.counters.throttled_at, run.last_checkpoint
    complete = table.totals.segments_complete == table.identity.total_segments
    if run.state != "running" or complete or throttled_at is None or end is None:
        return None
    is_over = throttled_at < end - rates.DEFAULT_WINDOW_SECONDS
    return limiting_factor.bottleneck(
        limiting_factor.Signs(resource=None if is_over else table.counters.bottleneck)
    )


def items_done(totals: TableTotals) -> int:
    """Items that need no more work."""
    return totals.items_written + totals.items_rejected + totals.items_filtered


def items_per_second(run: StoredRun, table: StoredTable) -> float | None:
    """The rate of the last minute while it runs, else of the attempt; None when unknown.

    Of a run that is stalled it is unknown, and not what it was once.
    It ends with what is stored, as the summary does: a sample may be ahead of that, and a run
    that was killed has to do again what lay between.
    """
    end = run.last_checkpoint
    if end is None or run.state == "stalled":
        return None
    if run.state != "running":
        began, at_start = _start(run, table)
        return rates.rate_between(
            (began, at_start), (began + run.seconds, items_done(table.totals))
        )
    first = _first_of_the_last_minute(run, table, end)
    return rates.rate_between(first, (end, items_done(table.totals)))


def _start(run: StoredRun, table: StoredTable) -> tuple[float, int]:
    """When this attempt began, and what was done by then; known late, so rather too much."""
    if run.record.attempts == 1:
        return run.record.started_at, 0
    first = next(_samples_of_this_attempt(run, table), None)
    at_start = first.items_written if first else items_done(table.totals)
    return run.record.started_at, at_start


def _first_of_the_last_minute(run: StoredRun, table: StoredTable, end: float) -> tuple[float, int]:
    since = end - _RATE_SECONDS
    if run.record.attempts == 1 and run.record.started_at >= since:
        return run.record.started_at, 0
    recent = (each for each in _samples_of_this_attempt(run, table) if each.time >= since)
    first = next(recent, None)
    return (first.time, first.items_written) if first else (end, 0)


def _samples_of_this_attempt(run: StoredRun, table: StoredTable) -> Iterator[Sample]:
    return (sample for sample in table.samples if sample.time >= run.record.started_at)
