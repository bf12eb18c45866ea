"""`set`, `pause` and `resume` on state files, beside a process that works on them, and after."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread

from dynaferry.cli.commands.status_text import to_lines
from dynaferry.cli.main import run_command
from dynaferry.plan.recorded import recorded_settings
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.report.stored_run import read_stored_run
from dynaferry.state.lock import RunLock
from dynaferry.state.records import (
    Controls,
    RunIdentity,
    RunStatus,
    SegmentRecord,
    TableCounters,
    TableIdentity,
)
from dynaferry.state.sqlite.store import SqliteStore
from tests.state.contract import dead_letter, segment_record


async def _begun(state_dir: Path, run: str = "orders", *, seconds_ago: float = 0.0) -> SqliteStore:
    """A run under way, planned with 1,000 write units a second; it holds its lock."""
    plan = CopyPlan(tables=(TablePlan("orders", "orders"),), max_write_units=1000.0)
    table = TableIdentity(
        source_arn="arn:aws:dynamodb:us-east-1:123456789012:table/orders",
        source_table_id=None,
        source_endpoint="http://127.0.0.1:1",
        target_arn="arn:aws:dynamodb:eu-west-1:222222222222:table/orders",
        target_table_id=None,
        target_endpoint="http://127.0.0.1:1",
        total_segments=10,
    )
    store = await SqliteStore.create(
        state_dir, run, RunIdentity(tables=(table,)), recorded_settings(plan), "0.1.0", 0.0
    )
    await store.begin_attempt("0.1.0", time.time() - seconds_ago)
    return store


async def _ended(state_dir: Path, status: RunStatus) -> None:
    """A run that is over, with a rejected item in each segment where it has any."""
    rejected = int(status == "rejected")
    store = await _begun(state_dir)
    await store.add_dead_letters([dead_letter("k", segment=n) for n in range(10 * rejected)])
    segments = [segment_record(n, complete=True, rejected=rejected) for n in range(10)]
    await store.checkpoint(0, segments, TableCounters())
    await store.end_attempt(status, time.time())
    await store.aclose()


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run_command(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def _ask(state_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Asks from another process, as people do."""
    command = [sys.executable, "-m", "dynaferry", *arguments, "--state-dir", str(state_dir)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


async def test_a_run_under_way_is_asked_by_another_process(tmp_path: Path) -> None:
    store = await _begun(tmp_path)
    try:
        answer = _ask(tmp_path, "set", "orders", "--max-write-units", "500", "--json")
        assert answer.returncode == 0, answer.stderr
        assert "orders: writes at most 500 units/s (set by hand)" in answer.stderr
        assert "takes effect within 2 s" in answer.stderr
        document: dict[str, Any] = json.loads(answer.stdout)
        assert document == {
            "run": "orders",
            "status": "running",
            "under_way": "copy",
            "held": {
                "paused_at": None,
                "read": {"units_per_second": None, "origin": "plan"},
                "write": {"units_per_second": 500.0, "origin": "set"},
            },
            "stalled": False,
            "resume_command": None,
        }
        assert (await store.read_controls()).max_write_units == 500.0
    finally:
        await store.aclose()


async def test_of_a_stalled_run_nothing_is_promised(tmp_path: Path) -> None:
    store = await _begun(tmp_path, seconds_ago=600)
    try:
        answer = _ask(tmp_path, "set", "orders", "--max-write-units", "500", "--json")
    finally:
        await store.aclose()
    assert answer.returncode == 0, answer.stderr
    assert "takes effect within 2 s" not in answer.stderr
    assert "it is stalled: this holds once it continues" in answer.stderr
    assert json.loads(answer.stdout)["stalled"]


async def test_no_checkpoint_is_lost_while_another_process_asks(tmp_path: Path) -> None:
    store = await _begun(tmp_path)
    asking = """
import anyio, sys
from pathlib import Path
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.state.records import ControlsChange

async def main() -> None:
    for number in range(1, 41):
        store = await SqliteStore.open_to_control(Path(sys.argv[1]), "orders")
        await store.change_controls(ControlsChange(max_write_units=float(number)), float(number))
        await store.aclose()

anyio.run(main)
"""
    pages = 0
    try:
        command = [sys.executable, "-c", asking, str(tmp_path)]
        with subprocess.Popen(command) as asker:  # noqa: ASYNC220  # nothing else waits meanwhile
            while asker.poll() is None:
                pages += 1
                await store.checkpoint(0, [_segment(pages)], TableCounters())
        assert asker.returncode == 0
        assert (await store.read_segments(0))[0].pages == pages > 0
        assert (await store.read_controls()).max_write_units == 40.0
    finally:
        await store.aclose()


def _segment(pages: int) -> SegmentRecord:
    return SegmentRecord(
        segment=0,
        pages=pages,
        last_evaluated_key=b"{}",
        complete=False,
        items_read=pages,
        items_written=pages,
        items_rejected=0,
        items_filtered=0,
        bytes_read=pages,
    )


@pytest.fixture
def killed_run(tmp_path: Path) -> Path:
    """The directory of a run whose process is gone."""
    import anyio

    async def make() -> None:
        await (await _begun(tmp_path)).aclose()

    anyio.run(make)
    return tmp_path


def test_a_killed_run_is_asked_for_its_next_attempt(
    killed_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = _run(capsys, "pause", "--state-dir", str(killed_run))
    assert code == 0
    assert "orders: paused, writes at most 1,000 units/s (as planned)" in err
    assert "it was killed or crashed: this holds from its next attempt on" in err
    code, _, err = _run(capsys, "resume", "--state-dir", str(killed_run))
    assert code == 0
    assert "the same copy command as before resumes it" in err


def test_status_shows_what_holds_a_run_back(
    killed_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--state-dir", str(killed_run))
    _run(capsys, "set", "--max-write-units", "none", "--max-read-units", "7", *where)
    _, out, _ = _run(capsys, "status", *where)
    assert (
        "limits      no limit on writes (set by hand), reads at most 7 units/s (set by hand)" in out
    )
    _, out, _ = _run(capsys, "status", "--json", *where)
    assert json.loads(out)["held"]["read"] == {"units_per_second": 7.0, "origin": "set"}


async def test_status_of_a_paused_run_says_how_it_goes_on(tmp_path: Path) -> None:
    store = await _begun(tmp_path)
    try:
        _ask(tmp_path, "pause")
        lines = to_lines(await read_stored_run(tmp_path, "orders"))
    finally:
        await store.aclose()
    assert "state       running, paused; dynaferry resume orders resumes it" in lines


@pytest.mark.parametrize("word", ["default", "plan"])
def test_default_goes_back_to_what_the_plan_says(
    killed_run: Path, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    where = ("--state-dir", str(killed_run))
    _run(capsys, "set", "orders", "--max-write-units", "5", *where)
    code, _, err = _run(capsys, "set", "orders", "--max-write-units", word, *where)
    assert code == 0
    assert "writes at most 1,000 units/s (as planned)" in err


@pytest.mark.parametrize("status", ["complete", "rejected"])
async def test_a_complete_run_has_nothing_to_hold_back(tmp_path: Path, status: RunStatus) -> None:
    await _ended(tmp_path, status)
    answer = _ask(tmp_path, "pause", "--json")
    assert answer.returncode == 3
    assert "the run orders is complete: there is nothing left to limit" in answer.stderr
    assert json.loads(answer.stdout)["status"] == "refused"
    store = await SqliteStore.open_for_reading(tmp_path, "orders")
    assert await store.read_controls() == Controls()
    await store.aclose()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("orders", "a replay of its dead letters is under way"),
        ("orders.verify", "its verification is under way"),
    ],
)
async def test_what_goes_on_after_a_complete_run_can_be_paused(
    tmp_path: Path, name: str, words: str
) -> None:
    await _ended(tmp_path, "rejected")
    lock = await to_thread.run_sync(RunLock.acquire, tmp_path, name)
    try:
        answer = _ask(tmp_path, "pause")
        assert answer.returncode == 0, answer.stderr
        # The plan's caps are the copy's: whoever works now may have others.
        assert f"orders: paused\n{words}; this takes effect within 2 s\n" in answer.stderr
        _ask(tmp_path, "set", "--max-write-units", "7")
        lines = to_lines(await read_stored_run(tmp_path, "orders"))
    finally:
        lock.release()
    assert f"state       rejected; {words}, paused; dynaferry resume orders resumes it" in lines
    assert "limits      paused, writes at most 7 units/s (set by hand)" in lines


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("set", "orders"), "nothing is to be set"),
        (("set", "orders", "--max-write-units", "0"), "--max-write-units cannot be '0'"),
        (("set", "orders", "--max-write-units", "1e-300"), "cannot be '1e-300'"),
        (("set", "orders", "--max-write-units", "-5"), "--max-write-units cannot be '-5'"),
        (("set", "orders", "--max-read-units", "inf"), "--max-read-units cannot be 'inf'"),
        (("set", "orders", "--max-read-units", "fast"), "--max-read-units cannot be 'fast'"),
        (("pause", "people"), "there is no run 'people'"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    killed_run: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    code, _, err = _run(capsys, *arguments, "--state-dir", str(killed_run))
    assert code == 2
    assert message in err


def test_a_file_that_is_no_state_file_is_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "orders.sqlite"
    path.write_bytes(b"not a database")
    code, _, err = _run(capsys, "pause", "--state-dir", str(tmp_path))
    assert code == 3
    assert "is not a SQLite database" in err
    assert path.read_bytes() == b"not a database"


def test_one_table_of_a_run_is_paused_and_capped_by_its_name(
    killed_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--state-dir", str(killed_run))
    _run(capsys, "set", "--max-write-units", "5", *where)
    code, _, err = _run(capsys, "pause", "orders", "--table", "orders", *where)
    assert (code, err.splitlines()[:2]) == (
        0,
        [
            "orders, orders: paused",
            "for all tables of the run: writes at most 5 units/s (set by hand)",
        ],
    )
    typed = ("set", "orders", "--table", "orders", "--max-read-units", "7", "--json")
    code, out, _ = _run(capsys, *typed, *where)
    document: dict[str, Any] = json.loads(out)
    (table,) = document["tables"]
    assert (table["source"], table["target"]) == ("orders", "orders")
    assert table["held"]["read"] == {"units_per_second": 7.0, "origin": "set"}
    assert table["held"]["paused_at"] > 0
    # What holds for all is as it was.
    assert (document["held"]["paused_at"], document["held"]["read"]["units_per_second"]) == (
        None,
        None,
    )


def test_a_table_that_a_run_does_not_have_is_refused(
    killed_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = _run(capsys, "pause", "--table", "order", "--state-dir", str(killed_run))
    assert code == 2
    assert "the run orders has no table 'order'" in err
    assert "hint: did you mean 'orders'?" in err
