"""A run whose move has ended for good: nothing resumes it, and nobody is told to."""

import json
import time
from pathlib import Path

import anyio
import pytest

from dynaferry.cli.main import run_command
from dynaferry.plan.recorded import recorded_settings
from dynaferry.plan.resume_command import RecordedCommand
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.state.move_records import Stage
from dynaferry.state.records import RunIdentity, RunStatus, TableCounters
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.state.sqlite.store import SqliteStore
from tests.cli.stored_runs import SEGMENTS, identity_of
from tests.state.contract import segment_record

RESUMES = "dynaferry move orders orders"


def _moved(state_dir: Path, end: Stage, *, segments: int) -> None:
    """A run that was moved until this end, with so many segments copied."""

    async def make() -> None:
        plan = CopyPlan(tables=(TablePlan("orders", "orders"),))
        command = RecordedCommand(
            name="move", flags={"source": "orders", "target": "orders"}, directory=str(state_dir)
        )
        identity = RunIdentity(tables=(identity_of("orders"),), move="a-move")
        settings = recorded_settings(plan, command=command)
        store = await SqliteStore.create(state_dir, "orders", identity, settings, "0", 1.0)
        await store.begin_attempt("0", time.time())
        records = [segment_record(n, complete=True) for n in range(segments)]
        await store.checkpoint(0, records, TableCounters())
        status: RunStatus = "complete" if segments == SEGMENTS else "interrupted"
        await store.end_attempt(status, time.time())
        await store.aclose()
        file = await MoveFile.open(state_dir, "orders")
        await file.begin_move(
            "switched" if end == "finished" else "following", 2.0, has_way_back=False
        )
        if end != "following":
            before: Stage = "switched" if end == "finished" else "following"
            assert await file.enter(end, before, 3.0)
        await file.aclose()

    anyio.run(make)


def _said(capsys: pytest.CaptureFixture[str], state_dir: Path, *words: str) -> tuple[int, str, str]:
    code = run_command([*words, "--state-dir", str(state_dir)])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


@pytest.mark.parametrize(
    ("end", "segments", "is_resumed"),
    [
        ("following", SEGMENTS, True),
        ("finished", SEGMENTS, False),
        ("aborted", SEGMENTS, False),
        ("aborted", 3, False),
    ],
)
def test_only_a_move_that_goes_on_has_a_command_that_resumes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], end: Stage, segments: int, is_resumed: bool
) -> None:
    _moved(tmp_path, end, segments=segments)
    _, out, _ = _said(capsys, tmp_path, "status", "orders")
    assert (RESUMES in out) == is_resumed
    _, out, _ = _said(capsys, tmp_path, "status", "orders", "--json")
    document = json.loads(out)
    assert (document["resume_command"] is not None) == is_resumed
    assert "resume" not in [step["step"] for step in document["next_steps"]]
    _, out, _ = _said(capsys, tmp_path, "runs", "--json")
    assert (json.loads(out)["runs"][0]["resume_command"] is not None) == is_resumed
    page = tmp_path / "report.html"
    assert _said(capsys, tmp_path, "report", "orders", "--output", str(page))[0] == 0
    assert RESUMES not in page.read_text()


@pytest.mark.parametrize("end", ["finished", "aborted"])
@pytest.mark.parametrize("command", ["resume", "pause"])
def test_of_a_move_that_has_ended_nothing_is_held_and_nothing_begun(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], end: Stage, command: str
) -> None:
    _moved(tmp_path, end, segments=3)
    code, _, err = _said(capsys, tmp_path, command, "orders")
    assert code == 3
    assert err.splitlines() == [
        f"error: the move of orders is {end}: there is nothing left to limit"
    ]
