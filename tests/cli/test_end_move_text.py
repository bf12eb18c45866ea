"""What a move leaves is said with the calls that do it, for the side that is in use."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from dynaferry.cli.commands.end_move_text import (
    compared_lines,
    late_lines,
    left_of,
    pending_lines,
)
from dynaferry.follow.after_go_certificate import (
    AfterGoCertificate,
    AfterGoStatus,
    write_after_go,
)
from dynaferry.follow.after_go_pending import PendingComparison
from dynaferry.follow.enabled_streams import EnabledStream, note_creating, note_enabling
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.run.lifecycle import closing
from dynaferry.state.directory import move_name, spool_path, way_back_path
from dynaferry.state.lock import RunLock
from dynaferry.state.move_records import MoveRecord, Stage
from dynaferry.state.sqlite.move_file import MoveFile
from tests.follow.test_asking import stored
from tests.state.contract import CREATED_AT, table_identity

TABLE = table_identity(0)
STREAM = EnabledStream(TABLE.source_arn, 1.0, "a-stream")
FINISHED = MoveRecord(stage="finished", since=9.0, switched_at=5.0)


def left(command: str, move: MoveRecord, *streams: EnabledStream) -> str:
    assert command in ("abort", "finish")
    return "\n".join(left_of("abort" if command == "abort" else "finish", move, [TABLE], streams))


def ended(what: str, state_dir: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [what, "orders", "--state-dir", str(state_dir), *more]
    return subprocess.run(
        [sys.executable, "-m", "dynaferry", *command], capture_output=True, text=True, check=False
    )


def test_a_finished_move_leaves_time_to_live_triggers_and_the_policy_and_drops_nothing() -> None:
    said = left("finish", FINISHED)
    assert "update-time-to-live --table-name target-0 --region eu-central-1" in said
    assert "list-event-source-mappings --region eu-west-1" in said
    assert f"delete-resource-policy --resource-arn {TABLE.source_arn}" in said
    assert "delete-table" not in said
    assert "StreamEnabled=false" not in said


def test_an_aborted_move_leaves_a_copy_and_names_the_call_that_drops_it() -> None:
    said = left("abort", MoveRecord(stage="aborted", since=9.0))
    assert "the source source-0 is as it was" in said
    assert "delete-table --table-name target-0 --region eu-central-1" in said
    assert f"delete-resource-policy --resource-arn {TABLE.source_arn}" in said
    assert "delete-table --table-name source" not in said


def test_a_move_that_went_back_leaves_the_target_and_not_the_source() -> None:
    said = left("finish", MoveRecord(stage="finished", since=9.0, switched_at=5.0, returned_at=7.0))
    assert "the source source-0 is in use" in said
    assert "delete-table --table-name target-0" in said
    assert "update-time-to-live" not in said
    again = MoveRecord(stage="finished", since=9.0, switched_at=8.0, returned_at=7.0)
    assert left("finish", again) == left("finish", FINISHED)


def test_a_stream_is_switched_off_only_where_it_is_ours() -> None:
    foreign = EnabledStream(TABLE.source_arn, 1.0, "another", is_ours=False)
    assert "StreamEnabled=false" not in left("finish", FINISHED, foreign)
    for command in ("finish", "abort"):
        assert f"update-table --table-name {TABLE.source_arn} --stream" in left(
            command, FINISHED, STREAM
        )


def test_the_stream_that_a_target_was_created_with_is_to_be_disabled_behind_a_finish() -> None:
    call = "update-table --table-name target-0 --region eu-central-1 --stream-specification"
    returned = MoveRecord(stage="finished", since=9.0, switched_at=5.0, returned_at=7.0)
    for move in (FINISHED, returned):
        assert f"{call} StreamEnabled=false" in "\n".join(
            left_of("finish", move, [TABLE], [], {"target-0"})
        )
    assert call not in "\n".join(left_of("finish", FINISHED, [TABLE], [], {"another"}))
    # It goes with the table, whose drop is said.
    aborted = MoveRecord(stage="aborted", since=9.0)
    assert call not in "\n".join(left_of("abort", aborted, [TABLE], [], {"target-0"}))


@pytest.mark.parametrize("is_created", [True, False])
def test_finish_names_the_stream_of_a_target_that_the_move_has_created(
    tmp_path: Path, is_created: bool
) -> None:
    asyncio.run(stored(tmp_path, "cutting-over", "switched"))
    if is_created:
        asyncio.run(note_creating(tmp_path, "orders", "target-0"))
    done = ended("finish", tmp_path)
    assert done.returncode == 0, done.stderr
    assert ("the stream of target-0 was created with it" in done.stderr) is is_created
    assert "target-1 was created with it" not in done.stderr


def test_late_writes_are_said_first_with_where_they_are_and_what_is_lost() -> None:
    said = list(late_lines("orders", 1_234, [Path("a"), Path("b")], ["trimmed"]))
    assert said == [
        "1,234 keys were written to the source behind the switch, and are not in the target:"
        " dynaferry late-writes list orders",
        "what was written is kept in a, b",
        "there may be more late writes: trimmed",
    ]
    assert list(late_lines("orders", 0, [], [])) == []


def certificate(status: AfterGoStatus, go: float) -> AfterGoCertificate:
    return AfterGoCertificate(
        run="orders",
        status=status,
        go=go,
        switched_at="",
        began_at="",
        ended_at="",
        attempts=1,
        consistent_read=True,
        settle_seconds=5.0,
        tables=(),
    )


def test_what_the_comparison_behind_this_very_go_found_is_said_or_that_it_has_not_ended() -> None:
    path = Path("certified")
    assert list(compared_lines(FINISHED, certificate("equal", 5.0), path)) == [
        "behind the go every key was compared: equal"
    ]
    assert list(compared_lines(FINISHED, certificate("different", 5.0), path)) == [
        "behind the go every key was compared: different",
        "certificate: certified",
    ]
    for found in (None, certificate("equal", 4.0)):
        (line,) = compared_lines(FINISHED, found, path)
        assert "not every key was compared" in line
    returned = MoveRecord(stage="finished", since=9.0, switched_at=5.0, returned_at=7.0)
    assert list(compared_lines(returned, certificate("equal", 5.0), path)) == []


@pytest.mark.parametrize(("status", "code"), [("equal", 0), ("undecided", 0), ("different", 6)])
def test_finish_ends_with_6_where_keys_were_lost(
    tmp_path: Path, status: AfterGoStatus, code: int
) -> None:
    asyncio.run(stored(tmp_path, "cutting-over", "switched"))
    write_after_go(tmp_path, certificate(status, CREATED_AT))
    done = ended("finish", tmp_path)
    assert done.returncode == code, done.stderr
    assert f"every key was compared: {status}" in done.stderr


@pytest.mark.parametrize("what", ["abort", "finish"])
def test_a_run_that_never_was_a_move_is_refused_and_left_as_it_is(
    tmp_path: Path, what: str
) -> None:
    asyncio.run(stored(tmp_path))
    done = ended(what, tmp_path)
    assert done.returncode == 3, done.stderr
    assert "the run orders is a copy, and no move" in done.stderr
    assert "a copy is stopped by Ctrl-C" in done.stderr
    assert asyncio.run(stored_move(tmp_path)) is None


async def stored_move(state_dir: Path) -> MoveRecord | None:
    file = await MoveFile.open_for_reading(state_dir, "orders")
    async with closing(file):
        return await file.read_move()


def test_a_move_that_was_stopped_while_its_tables_were_copied_is_aborted(tmp_path: Path) -> None:
    """Without a stream nothing but the file of its lock says by then that it is one."""
    asyncio.run(stored(tmp_path))
    RunLock.acquire(tmp_path, move_name("orders")).release()
    done = ended("abort", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "the move is aborted" in done.stderr


def finished(state_dir: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """What becomes of `finish`."""
    return ended("finish", state_dir, "--json", *more)


@contextmanager
def running(state_dir: Path) -> Iterator[None]:
    """As a process that moves it."""
    lock = RunLock.acquire(state_dir, move_name("orders"))
    try:
        yield
    finally:
        lock.release()


def moved(state_dir: Path, *stages: Stage) -> list[Path]:
    """A move by a stream that nobody moves now, with its way back: both spools."""
    asyncio.run(stored(state_dir, *stages))
    spools = [spool_path(state_dir, "orders", 0), way_back_path(state_dir, "orders", 0)]
    for path in spools:
        SpoolFile.create(path, "id").close()
    return spools


@pytest.mark.parametrize("is_running", [False, True])
def test_a_move_whose_comparison_has_not_ended_is_not_finished_unless_that_is_said(
    tmp_path: Path, is_running: bool
) -> None:
    spools = moved(tmp_path, "cutting-over", "switched")
    write_after_go(tmp_path, certificate("equal", CREATED_AT - 1.0))  # of another go
    with running(tmp_path) if is_running else nullcontext():
        done = finished(tmp_path)
    assert done.returncode == 7, done.stderr
    told = json.loads(done.stdout)
    assert (told["state"], told["after_go"]) == ("switched", None)
    assert "the comparison behind the go has not started" in told["left"][0]
    assert ("run the same move command" in told["left"][0]) is not is_running
    assert "dynaferry finish orders --without-comparison" in done.stderr
    assert all(path.exists() for path in spools)
    done = finished(tmp_path, "--without-comparison")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] == "finished"
    assert "not every key was compared behind the go" in done.stderr
    assert not any(path.exists() for path in spools)
    # Said once more it is finished still.
    assert finished(tmp_path).returncode == 0


def test_a_move_whose_comparison_has_ended_is_finished(tmp_path: Path) -> None:
    moved(tmp_path, "cutting-over", "switched")
    write_after_go(tmp_path, certificate("equal", CREATED_AT))
    done = finished(tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "stages",
    [("following",), ("cutting-over",), ("cutting-over", "switched", "going-back", "returned")],
)
def test_what_has_no_comparison_behind_a_go_is_finished_or_refused_as_ever(
    tmp_path: Path, stages: tuple[Stage, ...]
) -> None:
    moved(tmp_path, *stages)
    done = finished(tmp_path)
    assert done.returncode == (0 if stages[-1] == "returned" else 3), done.stderr


def test_a_move_that_is_switched_just_now_is_not_finished(tmp_path: Path) -> None:
    moved(tmp_path, "cutting-over")
    with running(tmp_path):
        done = finished(tmp_path)
    assert done.returncode == 7, done.stderr
    assert "a switch is under way" in done.stderr


def pending(**known: Any) -> str:
    with_way_back = {"is_running": True, "is_switching": False, "has_way_back": True}
    return "\n".join(pending_lines("orders", PendingComparison(**(with_way_back | known))))


def test_how_long_the_comparison_takes_is_told_by_what_it_has_taken() -> None:
    told = pending(share=0.25, seconds=600.0)
    assert "25% of the segments are compared, 10m 00s after it began" in told
    assert "it takes 30m 00s more" in told
    assert "and without the way back" in told
    assert "as long as dynaferry verify" in pending(share=0.0, seconds=600.0)
    told = pending(has_way_back=False, is_running=False)
    assert "no process works on it" in told
    assert "way back" not in told


@pytest.mark.parametrize("what", ["abort", "finish"])
def test_a_stream_that_a_cut_over_was_about_to_disable_is_named_where_it_did_not_switch(
    tmp_path: Path, what: str
) -> None:
    asyncio.run(stored(tmp_path, "cutting-over", "switched" if what == "finish" else "following"))
    asyncio.run(note_enabling(tmp_path, "orders", TABLE.source_arn, "a-stream", closed_at=1.0))
    write_after_go(tmp_path, certificate("equal", CREATED_AT))
    done = ended(what, tmp_path)
    assert done.returncode == 0, done.stderr
    named = "was enabled for this move, and may be disabled already; to disable it: aws dynamodb"
    assert (named in done.stderr) == (what == "abort")
