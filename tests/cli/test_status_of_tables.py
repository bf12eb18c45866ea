"""`dynaferry status` of several tables: a line for each, a total, and the same in `--json`."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from dynaferry.cli.commands.status_document import to_summary
from dynaferry.cli.commands.status_text import to_lines
from dynaferry.report.stored_run import StoredRun, read_stored_run
from dynaferry.report.stored_states import state_of_run, state_of_table
from dynaferry.state.records import TOTAL_PROGRESS, ControlsChange
from dynaferry.state.sqlite.store import SqliteStore
from tests.cli.stored_runs import begun_run, copied, shown

NAMES = ("prod-events", "prod-audit", "prod-users", "prod-orders-of-all-the-regions-together")
ERROR = ("AccessDeniedError", "may not write to prod-users", "let the role write to it")


async def _under_way(store: SqliteStore) -> None:
    """One table runs, one waits, one has failed, one is complete but for rejected items."""
    await copied(store, 0, 5)
    now = await copied(store, 2, 1)
    await store.end_table(2, "failed", now, ERROR)
    now = await copied(store, 3, 10, rejected=7)
    await store.end_table(3, "rejected", now)
    await store.keep_progress(
        [
            shown(-1, 1600, 4000, 240.0),
            shown(0, 500, 1000, 100.0),
            shown(1, 0, 1000, None),
            shown(2, 100, 1000, None),
            shown(3, 1000, 1000, None),
        ]
    )


def _today(lines: list[str]) -> list[str]:
    """The lines without what is different each day."""
    dated = (
        re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, [^,]+ ago", "WHEN", line) for line in lines
    )
    timed = (re.sub(r"(?<=about ).*\d\d:\d\d UTC", "WHEN", line) for line in dated)
    return [re.sub(r"process \d+", "process N", line) for line in timed]


async def _look(state_dir: Path) -> StoredRun:
    return await read_stored_run(state_dir, "move")


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates that do not depend on how fast the test is."""
    known = {0: 9812.4, 2: 120.0, 3: 20.0}
    for module in ("status_text", "status_document"):
        monkeypatch.setattr(
            f"dynaferry.cli.commands.{module}.items_per_second",
            lambda _, table: known.get(table.number),
        )


@pytest.mark.usefixtures("rates")
async def test_each_table_has_a_line_and_all_of_them_one_within_80_columns(tmp_path: Path) -> None:
    store = await begun_run(tmp_path, NAMES)
    try:
        await _under_way(store)
        lines = to_lines(await _look(tmp_path))
    finally:
        await store.aclose()
    assert _today(lines) == [
        "run         move",
        "state       running",
        "attempts    1",
        "started     WHEN",
        "checkpoint  WHEN, process N",
        "limits      writes at most 5,000 units/s (as planned)",
        "from, to    111111111111, us-east-1 → 222222222222, eu-west-1",
        "",
        "table                      state        done          items    items/s       ETA",
        "prod-events                running       50%       500/1.0k      9,812    1m 40s",
        "prod-audit                 waiting        0%         0/1.0k          -         -",
        "prod-users                 failed        10%       100/1.0k          2         -",
        "prod-orders-…ons-together  rejected     100%           1.0k         20         -",
        "total, 1 of 4 complete     running       40%      1.6k/4.0k      9,952    4m 00s",
        "ends about WHEN",
        "prod-users: error: may not write to prod-users",
        "prod-users: hint: let the role write to it",
        "prod-orders-of-all-the-regions-together: 7 rejected items: dynaferry "
        "dead-letters list move",
    ]
    table = lines[8:14]
    assert max(map(len, table)) <= 80


async def test_as_long_as_work_is_left_it_takes_a_second(tmp_path: Path) -> None:
    store = await begun_run(tmp_path, ["orders", "events"])
    try:
        await copied(store, 0, 9)
        seen = await _look(tmp_path)
    finally:
        await store.aclose()
    # Looked at as soon as it is stored: of what was shown no time has passed.
    progress = [replace(shown(n, 900, 1000, 0.04), time=seen.now) for n in (0, TOTAL_PROGRESS)]
    seen = replace(seen, progress=progress)
    document = json.loads(msgspec.json.encode(to_summary(seen)))
    assert document["tables"][0]["eta_seconds"] == document["total"]["eta_seconds"] == 1.0
    rows = [line for line in to_lines(seen) if line.startswith(("orders", "total"))]
    assert [row.split()[-1] for row in rows] == ["1s", "1s"]


async def test_the_document_has_the_same_numbers_per_table_and_in_total(tmp_path: Path) -> None:
    store = await begun_run(tmp_path, NAMES)
    try:
        await _under_way(store)
        change = ControlsChange(max_write_units=7.0, table="prod-audit")
        await store.change_controls(change, time.time())
        document = json.loads(msgspec.json.encode(to_summary(await _look(tmp_path))))
    finally:
        await store.aclose()
    keys = ("state", "status", "expected_items", "progress_ratio")
    assert [tuple(table[key] for key in keys) for table in document["tables"]] == [
        ("running", "running", 1000, 0.5),
        ("waiting", "running", 1000, 0.0),
        ("failed", "failed", 1000, 0.1),
        ("rejected", "rejected", 1000, 1.0),
    ]
    running, waiting, failed, _ = document["tables"]
    assert running["eta_seconds"] == pytest.approx(100, abs=5)
    assert running["checkpoint_age_seconds"] == pytest.approx(0, abs=5)
    assert (waiting["eta_seconds"], waiting["checkpoint_age_seconds"]) == (None, None)
    assert waiting["held"]["write"] == {"units_per_second": 7.0, "origin": "set"}
    assert failed["error"] == dict(zip(("type", "message", "hint"), ERROR, strict=True))
    total = document["total"]
    assert total["eta_seconds"] == pytest.approx(240, abs=5)
    assert {key: total[key] for key in ("tables", "tables_complete", "items_done")} == {
        "tables": 4,
        "tables_complete": 1,
        "items_done": 1600,
    }
    assert (total["expected_items"], total["progress_ratio"]) == (4000, 0.4)
    assert (total["max_write_units"], total["max_read_units"]) == (5000.0, None)
    assert total["process"] > 0


async def test_the_words_for_states_are_those_of_what_is_known(
    tmp_path: Path, in_a_while: Callable[[float], None]
) -> None:
    async def states() -> list[str]:
        run = await _look(tmp_path)
        return [state_of_run(run), *(state_of_table(run, table) for table in run.tables)]

    store = await begun_run(tmp_path, NAMES)
    await _under_way(store)
    assert await states() == ["running", "running", "waiting", "failed", "rejected"]
    await store.change_controls(ControlsChange(paused=True, table="prod-audit"), time.time())
    assert await states() == ["running", "running", "waiting", "failed", "rejected"]
    await store.change_controls(ControlsChange(paused=True, table="prod-events"), time.time())
    assert await states() == ["running", "paused", "waiting", "failed", "rejected"]
    await store.change_controls(ControlsChange(paused=False, table="prod-events"), time.time())
    await store.change_controls(ControlsChange(paused=True), time.time())
    assert await states() == ["paused", "paused", "waiting", "failed", "rejected"]
    await store.change_controls(ControlsChange(paused=False), time.time())
    in_a_while(40)
    assert await states() == ["stalled", "stalled", "waiting", "failed", "rejected"]
    await store.aclose()  # as if it was killed
    assert await states() == ["interrupted", "interrupted", "interrupted", "failed", "rejected"]


async def test_one_table_that_stores_nothing_is_stalled_beside_others_that_do(
    tmp_path: Path, in_a_while: Callable[[float], None]
) -> None:
    store = await begun_run(tmp_path, NAMES[:2])
    try:
        await copied(store, 0, 5)
        in_a_while(40)
        await copied_later(store)
        run = await _look(tmp_path)
    finally:
        await store.aclose()
    assert [state_of_table(run, table) for table in run.tables] == ["stalled", "running"]


async def copied_later(store: SqliteStore) -> None:
    """The second table goes on."""
    await copied(store, 1, 1)


async def test_after_a_failure_only_the_table_that_failed_is_failed(tmp_path: Path) -> None:
    store = await begun_run(tmp_path, NAMES)
    await _under_way(store)
    await store.end_attempt("failed", time.time(), ERROR)
    await store.aclose()
    run = await _look(tmp_path)
    states = [state_of_table(run, table) for table in run.tables]
    assert (state_of_run(run), states) == (
        "failed",
        ["interrupted", "interrupted", "failed", "rejected"],
    )
    assert to_lines(run, "/root")[-4:] == [
        "error: may not write to prod-users",
        "hint: let the role write to it",
        "to resume:",
        "  cd /srv/move && dynaferry copy --plan move.toml",
    ]
    summary = to_summary(run, here="/root")
    assert summary.resume_command == "cd /srv/move && dynaferry copy --plan move.toml"
    assert (summary.total.process, summary.total.eta_seconds) == (None, None)
