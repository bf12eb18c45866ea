"""`dynaferry resume` of a run that has stopped: it is started, or said how."""

import errno
import os
from functools import partial
from pathlib import Path

import anyio
import pytest

from benchmarks.simulator import NO_LATENCY, OnDemand, Settings, Table, simulator
from dynaferry.cli.flags import CopyFlags, ProgressFlag, invocation_of, plan_from
from dynaferry.cli.main import run_command
from dynaferry.observe.stats import RunStats
from dynaferry.plan.recorded import recorded_settings
from dynaferry.plan.resume_command import Invocation
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.run.copy_tables import execute
from dynaferry.state.lock import RunLock
from dynaferry.state.records import Controls, ControlsChange, RunIdentity, TableIdentity
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.stop import StopSignal

SOURCE = Table(name="source", items=400, item_bytes=600, latency=NO_LATENCY)
TARGET = Table(name="target", latency=NO_LATENCY, capacity=OnDemand(write_units=40_000))


def _make_stopped_run(state_dir: Path, flags: CopyFlags | None) -> None:
    """A paused run that was killed, which a command with these flags began."""

    command = None if flags is None else invocation_of(flags).command

    async def make() -> None:
        plan = CopyPlan(tables=(TablePlan("orders", "orders"),))
        table = TableIdentity(
            source_arn="arn:aws:dynamodb:us-east-1:111111111111:table/orders",
            source_table_id=None,
            source_endpoint="http://127.0.0.1:1",
            target_arn="arn:aws:dynamodb:us-east-1:222222222222:table/orders",
            target_table_id=None,
            target_endpoint="http://127.0.0.1:1",
            total_segments=1,
        )
        settings = recorded_settings(plan, command=command)
        identity = RunIdentity(tables=(table,))
        store = await SqliteStore.create(state_dir, "orders", identity, settings, "0", 1.0)
        await store.begin_attempt("0", 2.0)
        await store.change_controls(ControlsChange(paused=True, max_write_units=7.0), 3.0)
        await store.aclose()

    anyio.run(make)


def _controls(state_dir: Path) -> Controls:
    async def read() -> Controls:
        store = await SqliteStore.open_for_reading(state_dir, "orders")
        try:
            return await store.read_controls()
        finally:
            await store.aclose()

    return anyio.run(read)


class Begun:
    """The copies that were begun, each with where and how."""

    def __init__(self) -> None:
        self.copies: list[tuple[CopyFlags, Invocation, Path]] = []

    def run(self, flags: CopyFlags, invocation: Invocation) -> int:
        self.copies.append((flags, invocation, Path.cwd()))
        return 4


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Begun:
    begun = Begun()
    monkeypatch.setattr("dynaferry.cli.commands.copy.run_copy", begun.run)
    return begun


def _resume(capsys: pytest.CaptureFixture[str], state_dir: Path, *more: str) -> tuple[int, str]:
    code = run_command(["resume", "orders", "--state-dir", str(state_dir), *more])
    return code, capsys.readouterr().err


def test_a_run_that_has_stopped_is_started_where_and_as_it_was_begun(
    begun: Begun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = CopyFlags(source="orders", target="orders", max_write_units=700.0, writers=3)
    _make_stopped_run(tmp_path / ".dynaferry", flags)
    (elsewhere := tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(elsewhere)
    code, err = _resume(capsys, Path("../.dynaferry"))
    assert code == 4
    assert "starting orders: dynaferry copy orders orders --writers 3 --max-write-units 700" in err
    ((started, invocation, where),) = begun.copies
    assert (started.source, started.writers, started.run) == ("orders", 3, "orders")
    assert started.state_dir is not None
    assert started.state_dir.resolve() == tmp_path / ".dynaferry"
    assert where == tmp_path
    assert Path.cwd() == elsewhere
    # Nothing was typed now: what was set since holds, and the pause is over.
    assert (invocation.typed_caps, invocation.command.flags["max_write_units"]) == ({}, 700.0)
    controls = _controls(tmp_path / ".dynaferry")
    assert (controls.paused_at, controls.max_write_units) == (None, 7.0)


@pytest.mark.parametrize("more", [("--no-start",), ("--json",), ("--table", "orders")])
def test_nothing_is_started_where_only_the_pause_is_to_end(
    begun: Begun, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    _make_stopped_run(tmp_path, CopyFlags(source="orders", target="orders"))
    code, err = _resume(capsys, tmp_path, *more)
    assert (code, begun.copies) == (0, [])
    assert err.splitlines()[-2:] == ["to resume:", "  dynaferry copy orders orders"]


@pytest.mark.parametrize(
    ("secret", "option"),
    [
        (CopyFlags(source="orders", target_external_id="s3cret"), "--target-external-id"),
        (CopyFlags(source="orders", source_profile="s3cret"), "--source-profile"),
    ],
)
def test_what_is_not_kept_has_to_be_in_the_environment(
    begun: Begun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    secret: CopyFlags,
    option: str,
) -> None:
    _make_stopped_run(tmp_path, secret)
    assert b"s3cret" not in (tmp_path / "orders.sqlite").read_bytes()
    code, err = _resume(capsys, tmp_path)
    assert (code, begun.copies) == (0, [])
    variable = f"DYNAFERRY_{option[2:].replace('-', '_').upper()}"
    assert err.splitlines()[-1] == f"  with {option} (or {variable}) added, which is not kept"
    monkeypatch.setenv(variable, "s3cret")
    code, err = _resume(capsys, tmp_path)
    assert (code, len(begun.copies)) == (4, 1)
    assert getattr(begun.copies[0][0], option[2:].replace("-", "_")) == "s3cret"
    assert "s3cret" not in err


def test_a_run_whose_directory_is_gone_is_not_started_elsewhere(
    begun: Begun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (gone := tmp_path / "gone").mkdir()
    monkeypatch.chdir(gone)
    _make_stopped_run(tmp_path, CopyFlags(plan=Path("move.toml")))
    monkeypatch.chdir(tmp_path)
    gone.rmdir()
    code, err = _resume(capsys, tmp_path)
    assert (code, begun.copies) == (0, [])
    assert err.splitlines()[-1] == f"  cd {gone} && dynaferry copy --plan move.toml"


@pytest.mark.parametrize("name", ["chdir", "stat"])
def test_a_run_whose_directory_may_not_be_entered_is_refused_by_its_name(
    begun: Begun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    (closed := tmp_path / "closed").mkdir()
    monkeypatch.chdir(closed)
    _make_stopped_run(tmp_path, CopyFlags(plan=Path("move.toml")))
    monkeypatch.chdir(tmp_path)
    there = getattr(os, name)

    def refuse(path: str, *more: object, **named: object) -> object:
        if str(path) == str(closed):
            raise PermissionError(errno.EACCES, "Permission denied")
        return there(path, *more, **named)

    monkeypatch.setattr(os, name, refuse)
    code, err = _resume(capsys, tmp_path)
    assert (code, begun.copies) == (3, [])
    assert f"the directory {closed} of the run cannot be entered: Permission denied" in err


def test_a_plan_of_a_variable_has_to_be_there_again(
    begun: Begun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DYNAFERRY_PLAN_TOML", "tables = [{source = 'orders'}]")
    _make_stopped_run(tmp_path, CopyFlags(writers=3))
    monkeypatch.delenv("DYNAFERRY_PLAN_TOML")
    code, err = _resume(capsys, tmp_path)
    assert (code, begun.copies) == (0, [])
    assert err.splitlines()[-1] == "  with DYNAFERRY_PLAN_TOML added, which is not kept"
    monkeypatch.setenv("DYNAFERRY_PLAN_TOML", "tables = [{source = 'orders'}]")
    code, _ = _resume(capsys, tmp_path)
    assert (code, [flags.writers for flags, _, _ in begun.copies]) == (4, [3])


def test_all_tables_are_resumed_though_the_last_attempt_was_for_one(
    begun: Begun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _make_stopped_run(tmp_path, CopyFlags(plan=Path("move.toml"), only=["events"], skip=["logs"]))
    assert _resume(capsys, tmp_path)[0] == 4
    ((started, _, _),) = begun.copies
    assert (started.only, started.skip) == (CopyFlags().only, ["logs"])


def test_of_a_run_that_was_begun_from_code_nobody_knows_the_command(
    begun: Begun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _make_stopped_run(tmp_path, None)
    code, err = _resume(capsys, tmp_path)
    assert (code, begun.copies) == (0, [])
    assert "the same copy command as before resumes it" in err


def test_a_run_under_way_is_not_started_a_second_time(
    begun: Begun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _make_stopped_run(tmp_path, CopyFlags(source="orders", target="orders"))
    lock = RunLock.acquire(tmp_path, "orders")
    try:
        code, err = _resume(capsys, tmp_path)
    finally:
        lock.release()
    assert (code, begun.copies) == (0, [])
    assert "to resume:" not in err


def test_a_run_that_was_stopped_is_completed_by_resume_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with simulator(Settings(tables=(SOURCE, TARGET))) as simulated:
        flags = CopyFlags(
            source="source",
            target="target",
            run="orders",
            source_region="us-east-1",
            source_endpoint_url=simulated.url,
            target_region="us-east-1",
            target_endpoint_url=simulated.url,
            segments="4",
            max_write_units=5.0,
            progress=ProgressFlag.NONE,
        )
        stop = StopSignal()

        async def interrupt(_: RunStats) -> None:
            stop.ask()

        begin = partial(execute, plan_from(flags), stop=stop, watch=interrupt)
        assert anyio.run(partial(begin, invocation=invocation_of(flags))).error is None
        # At the 5 units a second of its flag it would take minutes.
        assert run_command(["set", "orders", "--max-write-units", "none"]) == 0
        code, err = _resume(capsys, Path(".dynaferry"))
    assert code == 0, err
    assert "orders: complete" in err
