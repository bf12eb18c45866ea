"""Runs of several tables as their state files have them, for what is shown of them."""

import time
from collections.abc import Sequence
from pathlib import Path

from dynaferry.plan.recorded import recorded_settings
from dynaferry.plan.resume_command import RecordedCommand
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.state.records import (
    ProgressRecord,
    RunIdentity,
    SegmentRecord,
    TableCounters,
    TableIdentity,
)
from dynaferry.state.sqlite.store import SqliteStore
from tests.state.contract import dead_letter

SEGMENTS = 10
ITEMS_PER_SEGMENT = 100
COMMAND = RecordedCommand(name="copy", flags={"plan": "move.toml"}, directory="/srv/move")


def identity_of(name: str) -> TableIdentity:
    """A table with ten segments, between two accounts."""
    return TableIdentity(
        source_arn=f"arn:aws:dynamodb:us-east-1:111111111111:table/{name}",
        source_table_id=None,
        source_endpoint="http://127.0.0.1:1",
        target_arn=f"arn:aws:dynamodb:eu-west-1:222222222222:table/{name}",
        target_table_id=None,
        target_endpoint="http://127.0.0.1:1",
        total_segments=SEGMENTS,
    )


async def begun_run(
    state_dir: Path,
    names: Sequence[str],
    run: str = "move",
    *,
    command: RecordedCommand | None = COMMAND,
    seconds_ago: float = 100.0,
) -> SqliteStore:
    """A run of these tables whose first attempt began so long ago, and that holds its lock."""
    plan = CopyPlan(tables=tuple(TablePlan(name, name) for name in names), max_write_units=5000.0)
    settings, began = recorded_settings(plan, command=command), time.time() - seconds_ago
    identity = RunIdentity(tables=tuple(map(identity_of, names)))
    store = await SqliteStore.create(state_dir, run, identity, settings, "0.1.0", began)
    await store.begin_attempt("0.1.0", began)
    return store


async def copied(store: SqliteStore, table: int, segments: int, *, rejected: int = 0) -> float:
    """A table that began 50 s ago, and of which so many segments are complete now; returns now."""
    now = time.time()
    await store.begin_table(table, now - 50.0)
    letters = [dead_letter(f"k{n}", table=table, segment=0) for n in range(rejected)]
    await store.add_dead_letters(letters)
    records = [
        SegmentRecord(
            segment=segment,
            pages=1,
            last_evaluated_key=None,
            complete=True,
            items_read=ITEMS_PER_SEGMENT,
            items_written=ITEMS_PER_SEGMENT - (rejected if segment == 0 else 0),
            items_rejected=rejected if segment == 0 else 0,
            items_filtered=0,
            bytes_read=50_000,
        )
        for segment in range(segments)
    ]
    await store.checkpoint(table, records, TableCounters())
    return now


def shown(table: int, done: int, expected: int | None, eta: float | None) -> ProgressRecord:
    """What was shown of a table just now; -1 is the total."""
    return ProgressRecord(
        table=table,
        time=time.time(),
        items_done=done,
        expected_items=expected,
        progress_ratio=done / expected if expected else 0.0,
        eta_seconds=eta,
    )
