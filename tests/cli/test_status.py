"""`dynaferry status` on state files: while a run goes on, after it ended, and after a kill."""

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from dynaferry.cli.commands.status_document import to_summary
from dynaferry.cli.commands.status_text import to_lines
from dynaferry.cli.main import run_command
from dynaferry.plan.recorded import recorded_settings
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.report.stored_run import items_per_second, read_stored_run
from dynaferry.state.records import (
    ControlsChange,
    RunIdentity,
    RunStatus,
    Sample,
    SegmentRecord,
    TableCounters,
    TableIdentity,
)
from dynaferry.state.sqlite.store import SqliteStore
from tests.state.contract import dead_letter

TOTAL_SEGMENTS = 10


def _identity(name: str) -> TableIdentity:
    return TableIdentity(
        source_arn=f"arn:aws:dynamodb:us-east-1:123456789012:table/{name}",
        source_table_id=None,
        source_endpoint="http://127.0.0.1:1",
        target_arn=f"arn:aws:dynamodb:eu-west-1:222222222222:table/{name}",
        target_table_id=None,
        target_endpoint="http://127.0.0.1:1",
        total_segments=TOTAL_SEGMENTS,
    )


async def _begun(state_dir: Path, run: str = "orders", *, seconds_ago: float = 100) -> SqliteStore:
    """A run of one table whose attempt began so long ago, and that holds its lock."""
    plan = CopyPlan(tables=(TablePlan("orders", "orders"),))
    began = time.time() - seconds_ago
    store = await SqliteStore.create(
        state_dir,
        run,
        RunIdentity(tables=(_identity("orders"),)),
        recorded_settings(plan),
        "0.1.0",
        began,
    )
    await store.begin_attempt("0.1.0", began)
    return store


def _complete_segments(segments: int, rejected: int = 0) -> list[SegmentRecord]:
    return [
        SegmentRecord(
            segment=segment,
            pages=1,
            last_evaluated_key=None,
            complete=True,
            items_read=100,
            items_written=100 - (rejected if segment == 0 else 0),
            items_rejected=rejected if segment == 0 else 0,
            items_filtered=0,
            bytes_read=50_000,
        )
        for segment in range(segments)
    ]


def _sample(*, seconds_ago: float, items_written: int) -> Sample:
    return Sample(
        table=0,
        time=time.time() - seconds_ago,
        items_written=items_written,
        bytes_read=0,
        read_units=0.0,
        write_units=0.0,
        throttled_requests=0,
    )


async def _half_done(store: SqliteStore, segments: int = 5, rejected: int = 0) -> None:
    """So many segments of 100 items each are complete, and items came at 5 a second."""
    records = _complete_segments(segments, rejected)
    counters = TableCounters(read_units=62.54, write_units=500.0, throttled_requests=3)
    await store.add_dead_letters([dead_letter(f"k{n}", segment=0) for n in range(rejected)])
    await store.checkpoint(0, records, counters)
    for second in (20, 10, 0):
        await store.add_sample(_sample(seconds_ago=second, items_written=500 - second * 5))


async def test_a_running_run_shows_its_rate_and_what_is_left(tmp_path: Path) -> None:
    store = await _begun(tmp_path)
    try:
        await _half_done(store)
        look = await read_stored_run(tmp_path, "orders")
    finally:
        await store.aclose()
    lines = to_lines(look)
    assert lines[:3] == ["run         orders", "state       running", "attempts    1"]
    assert (
        "table       orders (123456789012, us-east-1) → orders (222222222222, eu-west-1)" in lines
    )
    # 500 more items are expected, at 5 a second.
    (row,) = [line for line in lines if line.startswith("orders ")]
    assert row.split() == ["orders", "running", "50%", "500/1.0k", "5", "1m", "40s"]
    checkpoint = next(line for line in lines if line.startswith("checkpoint"))
    assert re.search(rf" UTC, \d+s ago, process {os.getpid()}$", checkpoint)
    assert str(to_summary(look).status) == "running"


async def test_a_run_that_stores_nothing_is_stalled_without_rate_or_time_left(
    tmp_path: Path, in_a_while: Callable[[float], None]
) -> None:
    store = await _begun(tmp_path)
    try:
        await _half_done(store)
        in_a_while(3600)
        look = await read_stored_run(tmp_path, "orders")
    finally:
        await store.aclose()
    lines = to_lines(look)
    assert lines[1].startswith("state       stalled: nothing was stored for 1h ")
    assert lines[1].endswith(
        f"end its process ({os.getpid()}), kill -9 if need be, then the same command resumes"
    )
    (row,) = [line for line in lines if line.startswith("orders ")]
    assert row.split() == ["orders", "stalled", "50%", "500/1.0k", "-", "-"]
    summary = to_summary(look)
    assert (str(summary.status), summary.state) == ("running", "stalled")
    assert summary.tables[0].items_per_second == 0.0


@pytest.mark.parametrize(("seconds", "state"), [(0, "running"), (31, "stalled")])
async def test_half_a_minute_without_a_checkpoint_is_what_makes_it_stalled(
    tmp_path: Path,
    in_a_while: Callable[[float], None],
    seconds: float,
    state: str,
) -> None:
    store = await _begun(tmp_path)
    try:
        await _half_done(store)
        in_a_while(seconds)
        assert (await read_stored_run(tmp_path, "orders")).state == state
    finally:
        await store.aclose()


async def test_an_attempt_that_has_just_begun_is_not_stalled_by_the_age_of_the_one_before(
    tmp_path: Path, in_a_while: Callable[[float], None]
) -> None:
    store = await _begun(tmp_path)
    try:
        await _half_done(store)
        in_a_while(3600)
        await store.begin_attempt("0.1.0", time.time() - 10)
        assert (await read_stored_run(tmp_path, "orders")).state == "running"
    finally:
        await store.aclose()


async def test_a_run_that_is_paused_is_not_stalled(
    tmp_path: Path, in_a_while: Callable[[float], None]
) -> None:
    store = await _begun(tmp_path)
    try:
        await _half_done(store)
        await store.change_controls(ControlsChange(paused=True), time.time())
        in_a_while(3600)
        look = await read_stored_run(tmp_path, "orders")
    finally:
        await store.aclose()
    assert look.state == "running"
    assert to_lines(look)[1].startswith("state       running, paused")


async def test_a_run_that_stored_nothing_and_is_gone_was_killed(
    tmp_path: Path, in_a_while: Callable[[float], None]
) -> None:
    store = await _begun(tmp_path)
    await _half_done(store)
    await store.aclose()
    in_a_while(3600)
    assert to_summary(await read_stored_run(tmp_path, "orders")).state == "killed"


async def _throttled(store: SqliteStore, *, segments: int, seconds_ago: float) -> None:
    counters = TableCounters(bottleneck="index by-owner", throttled_at=time.time() - seconds_ago)
    await store.checkpoint(0, _complete_segments(segments), counters)


@pytest.mark.parametrize(
    ("segments", "seconds_ago", "bottleneck"),
    [(5, 0, "index by-owner"), (5, 20, "index by-owner"), (5, 40, None), (TOTAL_SEGMENTS, 0, None)],
)
async def test_what_the_service_named_is_shown_while_it_holds_the_writes_back(
    tmp_path: Path, segments: int, seconds_ago: float, bottleneck: str | None
) -> None:
    store = await _begun(tmp_path)
    try:
        await _throttled(store, segments=segments, seconds_ago=seconds_ago)
        look = await read_stored_run(tmp_path, "orders")
    finally:
        await store.aclose()
    assert to_summary(look).tables[0].bottleneck == bottleneck
    assert ("orders: throttled by index by-owner" in to_lines(look)) == (bottleneck is not None)


async def test_nothing_holds_back_a_run_that_is_not_under_way(tmp_path: Path) -> None:
    store = await _begun(tmp_path)
    await _throttled(store, segments=5, seconds_ago=0)
    await store.end_attempt("interrupted", time.time())
    await store.aclose()
    look = await read_stored_run(tmp_path, "orders")
    assert to_summary(look).tables[0].bottleneck is None
    assert not any("throttled" in line for line in to_lines(look))


async def test_the_last_checkpoint_is_not_the_last_sample(tmp_path: Path) -> None:
    store = await _begun(tmp_path)
    await _half_done(store)
    await store.add_sample(_sample(seconds_ago=-30, items_written=900))
    await store.aclose()
    look = await read_stored_run(tmp_path, "orders")
    assert look.last_checkpoint == look.record.checkpointed_at
    assert look.last_checkpoint is not None
    assert look.last_checkpoint <= look.now


async def test_a_rate_is_shown_before_there_is_a_sample(tmp_path: Path) -> None:
    store = await _begun(tmp_path, seconds_ago=10)
    try:
        await store.checkpoint(0, _complete_segments(5), TableCounters())
        look = await read_stored_run(tmp_path, "orders")
    finally:
        await store.aclose()
    assert items_per_second(look, look.tables[0]) == pytest.approx(50, rel=0.1)


async def test_before_the_first_checkpoint_there_is_no_rate(tmp_path: Path) -> None:
    store = await _begun(tmp_path)
    await store.add_sample(_sample(seconds_ago=0, items_written=900))
    await store.aclose()
    look = await read_stored_run(tmp_path, "orders")
    assert items_per_second(look, look.tables[0]) is None
    assert "checkpoint  -" in to_lines(look)


async def test_a_resumed_run_that_is_killed_counts_only_what_is_stored(tmp_path: Path) -> None:
    store = await _begun(tmp_path)
    began = time.time() - 10
    await store.begin_attempt("0.1.0", began)
    # Samples count what is acknowledged, 9,900 items; the last checkpoint holds 500.
    await store.add_sample(_sample(seconds_ago=9, items_written=100))
    await store.add_sample(_sample(seconds_ago=0, items_written=9900))
    await store.checkpoint(0, _complete_segments(5), TableCounters())
    await store.aclose()
    look = await read_stored_run(tmp_path, "orders")
    assert look.state == "killed"
    assert items_per_second(look, look.tables[0]) == pytest.approx(40, rel=0.1)


async def test_a_killed_run_says_that_it_can_be_resumed(tmp_path: Path) -> None:
    store = await _begun(tmp_path)
    await _half_done(store)
    # The lock goes with the process; nothing else is written when it is killed.
    await store.aclose()
    look = await read_stored_run(tmp_path, "orders")
    lines = to_lines(look)
    assert lines[1] == "state       interrupted: killed or crashed"
    assert lines[-1] == "the same command as before resumes it"
    summary = to_summary(look)
    assert summary.status == "interrupted"
    assert summary.error is not None
    assert summary.error.hint == "the same command resumes"


@pytest.mark.parametrize(
    ("status", "segments", "rejected", "table_status"),
    [
        ("complete", TOTAL_SEGMENTS, 0, "complete"),
        ("rejected", TOTAL_SEGMENTS, 7, "rejected"),
        ("interrupted", 5, 0, "interrupted"),
        ("failed", 5, 0, "failed"),
    ],
)
async def test_a_run_that_has_ended_says_how(
    tmp_path: Path, status: RunStatus, segments: int, rejected: int, table_status: str
) -> None:
    store = await _begun(tmp_path)
    await _half_done(store, segments, rejected)
    error = ("ServiceGoneError", "nothing was accepted for 300 s", "look at the target")
    await store.end_attempt(status, time.time(), error if status == "failed" else None)
    await store.aclose()
    look = await read_stored_run(tmp_path, "orders")
    summary = to_summary(look)
    (table,) = summary.tables
    assert (summary.status, table.status) == (status, table_status)
    assert table.items_read == table.items_written + table.items_rejected == segments * 100
    assert table.seconds == pytest.approx(100, abs=5)
    assert table.items_per_second == pytest.approx(segments, rel=0.1)
    if status == "failed":
        assert to_lines(look)[-3:-1] == [
            "error: nothing was accepted for 300 s",
            "hint: look at the target",
        ]


def _make_killed_run(state_dir: Path, run: str) -> None:
    async def make() -> None:
        store = await _begun(state_dir, run)
        await _half_done(store)
        await store.aclose()

    anyio.run(make)


def _status(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run_command(["status", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_only_run_need_not_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _make_killed_run(tmp_path, "orders")
    code, out, err = _status(capsys, "--state-dir", str(tmp_path))
    assert (code, err) == (0, "")
    assert "run         orders" in out


def test_json_is_one_document_in_the_shape_of_a_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _make_killed_run(tmp_path, "orders")
    code, out, _ = _status(capsys, "orders", "--state-dir", str(tmp_path), "--json")
    document: dict[str, Any] = json.loads(out)
    assert code == 0
    assert {"run", "status", "state", "error", "tables", "held"} <= set(document)
    assert (document["status"], document["state"]) == ("interrupted", "killed")
    table = document["tables"][0]
    of_now = ("state", "expected_items", "progress_ratio", "eta_seconds")
    assert [table.pop(name) for name in of_now] == ["interrupted", 1000, 0.5, None]
    assert table.pop("checkpoint_age_seconds") < 60
    assert table.pop("held")["write"] == {"units_per_second": None, "origin": "plan"}
    assert document["total"]["expected_items"] == 1000
    assert table | {"seconds": 0, "items_per_second": 0} == {
        "source": "orders",
        "target": "orders",
        "status": "interrupted",
        "items_read": 500,
        "items_written": 500,
        "items_rejected": 0,
        "items_filtered": 0,
        "bytes_read": 250_000,
        "read_units": 62.5,
        "write_units": 500.0,
        "throttled_requests": 3,
        "retried_requests": 0,
        "unprocessed_items": 0,
        "segments_total": 10,
        "segments_complete": 5,
        "seconds": 0,
        "items_per_second": 0,
        "source_arn": "arn:aws:dynamodb:us-east-1:123456789012:table/orders",
        "target_arn": "arn:aws:dynamodb:eu-west-1:222222222222:table/orders",
        "bottleneck": None,
        "error": None,
        "total_seconds": 0.0,
    }


def test_without_any_run_it_says_where_it_searched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = _status(capsys, "--state-dir", str(tmp_path / "empty"))
    assert (code, out) == (2, "")
    assert err.startswith(f"error: there is no run in {tmp_path / 'empty'}\nhint: ")


def test_a_run_that_is_not_there_has_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _make_killed_run(tmp_path, "orders")
    code, out, _ = _status(capsys, "other", "--state-dir", str(tmp_path), "--json")
    assert code == 2
    assert json.loads(out)["error"]["type"] == "PlanError"


def test_a_broken_state_file_has_code_3_and_is_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "orders.sqlite"
    broken.write_bytes(b"this is not a state file")
    code, out, err = _status(capsys, "--state-dir", str(tmp_path))
    assert (code, out) == (3, "")
    assert err.startswith("error: ")
    assert broken.read_bytes() == b"this is not a state file"
