"""What a report tells, read from a run's state file. It may be read while the run goes on."""

from pathlib import Path

from msgspec import Struct

from dynaferry.observe.stats import MOST_REASONS
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.state.store import (
    AttemptRecord,
    LetterCount,
    RunRecord,
    Sample,
    StateStore,
    TableCounters,
    TableIdentity,
    TableTotals,
)

MOST_SAMPLES = 1_000_000


class TableFacts(Struct, frozen=True, kw_only=True):
    """One table; `reasons` are the most frequent ones of its rejected items."""

    identity: TableIdentity
    totals: TableTotals
    counters: TableCounters
    samples: list[Sample]
    reasons: list[LetterCount]


class RunFacts(Struct, frozen=True, kw_only=True):
    """A run and all its attempts. Times are seconds since the epoch."""

    record: RunRecord
    attempts: list[AttemptRecord]
    paused: bool = False
    tables: list[TableFacts]


async def read_facts(state_dir: Path, run: str) -> RunFacts:
    """Reads the state file, whoever else has it open.

    :raises StateError: it is broken, or not one
    """
    store = await SqliteStore.open_for_reading(state_dir, run)
    try:
        record = await store.read_run()
        tables = [
            await _read_table(store, index, identity)
            for index, identity in enumerate(record.identity.tables)
        ]
        return RunFacts(
            record=record,
            attempts=await store.read_attempts(),
            paused=(await store.read_controls()).paused_at is not None,
            tables=tables,
        )
    finally:
        await store.aclose()


async def _read_table(store: StateStore, index: int, identity: TableIdentity) -> TableFacts:
    return TableFacts(
        identity=identity,
        totals=await store.read_totals(index),
        counters=await store.read_counters(index),
        samples=await store.read_samples(index, MOST_SAMPLES),
        reasons=await store.count_dead_letters(index, MOST_REASONS),
    )
