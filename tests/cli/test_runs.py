"""`dynaferry runs`, and `status` where there are several runs: a line for each."""

import json
import time
from pathlib import Path

import anyio
import pytest

from dynaferry.cli.commands.status import show
from dynaferry.cli.main import run_command
from tests.cli.stored_runs import begun_run, copied, shown


def _make_runs(state_dir: Path) -> None:
    """One that was killed half-way, one that is complete, one whose file is no state file."""

    async def make() -> None:
        store = await begun_run(state_dir, ["orders", "users"], "half")
        await copied(store, 0, 10)
        await store.keep_progress([shown(-1, 1000, 2000, 60.0)])
        await store.aclose()
        store = await begun_run(state_dir, ["orders"], "whole", seconds_ago=7200.0)
        await copied(store, 0, 10)
        await store.end_attempt("complete", time.time() - 3600)
        await store.aclose()

    anyio.run(make)
    (state_dir / "broken.sqlite").write_bytes(b"this is not a state file")


@pytest.mark.parametrize("command", ["runs", "status"])
def test_each_run_has_a_line_be_its_file_broken(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _make_runs(tmp_path)
    assert run_command([command, "--state-dir", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "run                           state         tables  done       ETA  started",
        "broken                        cannot be read",
        "half                          interrupted      1/2   50%         -  1m 40s ago",
        "whole                         complete         1/1  100%         -  2h 00m ago",
    ]
    assert lines[4].startswith("broken: ")
    assert max(map(len, lines[:4])) <= 80


def test_the_document_lists_the_runs_with_their_totals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _make_runs(tmp_path)
    assert run_command(["runs", "--state-dir", str(tmp_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["state_dir"] == str(tmp_path)
    broken, half, whole = document["runs"]
    assert (broken["run"], broken["state"], broken["error"]["type"]) == (
        "broken",
        None,
        "StateError",
    )
    assert (half["state"], half["total"]["progress_ratio"]) == ("killed", 0.5)
    assert half["resume_command"] == "cd /srv/move && dynaferry copy --plan move.toml"
    assert (whole["state"], whole["resume_command"], whole["error"]) == ("complete", None, None)


def test_without_any_run_it_says_where_it_searched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["runs", "--state-dir", str(tmp_path)]) == 2
    assert f"there is no run in {tmp_path}" in capsys.readouterr().err


def test_one_of_several_has_to_be_named_to_be_watched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _make_runs(tmp_path)
    assert run_command(["status", "--watch", "--state-dir", str(tmp_path)]) == 2
    assert "name the one to watch" in capsys.readouterr().err


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_what_is_watched_is_shown_until_nobody_works_on_it(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    form: tuple[str, ...],
) -> None:
    """The run ends while it is watched: shown twice, under way and as it ended."""
    store = None

    async def begin() -> None:
        nonlocal store
        store = await begun_run(tmp_path, ["orders"], "half")
        await copied(store, 0, 5)

    async def end(_: float) -> None:
        assert store is not None
        await store.end_attempt("interrupted", time.time())
        await store.aclose()

    async def watched() -> None:
        await begin()
        await show(tmp_path, "half", as_json=bool(form), watch=True, sleep=end)

    anyio.run(watched)
    out = capsys.readouterr().out
    if form:
        assert [json.loads(line)["state"] for line in out.splitlines()] == [
            "running",
            "interrupted",
        ]
    else:
        assert [line for line in out.splitlines() if line.startswith("state")] == [
            "state       running",
            "state       interrupted",
        ]
