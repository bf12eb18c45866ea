from pathlib import Path

import pytest

from dynaferry.errors import PlanError, StateError
from dynaferry.state.directory import exposures, find_runs, sole_run, spool_path, state_path


def begin(state_dir: Path, *runs: str) -> None:
    for run in runs:
        state_path(state_dir, run).touch()


def test_runs_are_found_by_their_state_files_alone(tmp_path: Path) -> None:
    begin(tmp_path, "orders", "b.sqlite", "a-to-b")
    for other in (
        "orders.sqlite-wal",
        "orders.sqlite-shm",
        "orders.lock",
        "gone.lock",
        "old.sqlite.20231114T221320Z.old",
        ".begun.sqlite.new",
        ".hidden.sqlite",
    ):
        (tmp_path / other).touch()
    (tmp_path / "directory.sqlite").mkdir()
    assert find_runs(tmp_path) == ["a-to-b", "b.sqlite", "orders"]


def test_a_directory_that_is_not_there_holds_no_run(tmp_path: Path) -> None:
    assert find_runs(tmp_path / "nowhere") == []


def test_a_state_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(StateError, match="cannot be read: Not a directory"):
        find_runs(file)


def test_the_only_run_needs_no_name(tmp_path: Path) -> None:
    begin(tmp_path, "orders")
    assert sole_run(tmp_path, None) == "orders"


def test_a_run_is_found_by_its_name_among_others(tmp_path: Path) -> None:
    begin(tmp_path, "orders", "users")
    assert sole_run(tmp_path, "users") == "users"


@pytest.mark.parametrize("run", [None, "orders"])
def test_where_there_is_no_run_the_directory_is_named(tmp_path: Path, run: str | None) -> None:
    with pytest.raises(PlanError, match="there is no run in") as caught:
        sole_run(tmp_path, run)
    assert str(tmp_path) in caught.value.message
    assert caught.value.hint is not None
    assert "--state-dir" in caught.value.hint


@pytest.mark.parametrize("run", ["order", "../orders", ""])
def test_a_name_that_no_run_has_is_answered_with_those_there_are(tmp_path: Path, run: str) -> None:
    begin(tmp_path, "users", "orders")
    with pytest.raises(PlanError) as caught:
        sole_run(tmp_path, run)
    assert repr(run) in caught.value.message
    assert caught.value.hint == "there is orders, users"


def test_several_runs_are_listed_to_choose_from(tmp_path: Path) -> None:
    begin(tmp_path, "users", "orders")
    with pytest.raises(PlanError, match="there are 2 runs in") as caught:
        sole_run(tmp_path, None)
    assert caught.value.hint == "name one of orders, users"


@pytest.mark.parametrize(
    ("directory", "file", "said"),
    [
        (0o700, 0o600, 0),
        (0o755, 0o600, 0),  # others may list it, and read nothing
        (0o1777, 0o600, 0),  # as /tmp: nobody replaces a file of somebody else
        (0o770, 0o600, 1),
        (0o757, 0o600, 1),
        (0o700, 0o640, 1),
        (0o777, 0o644, 2),
    ],
)
def test_what_others_could_reach_is_said_with_what_to_do(
    tmp_path: Path, directory: int, file: int, said: int
) -> None:
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    path = state_path(state_dir, "orders")
    path.touch()
    path.chmod(file)
    state_dir.chmod(directory)
    found = exposures(state_dir, "orders")
    assert len(found) == said
    assert all("chmod" in line for line in found)


def test_what_is_not_there_yet_is_no_exposure(tmp_path: Path) -> None:
    assert exposures(tmp_path / "not-yet", "orders") == []


def test_a_move_that_has_copied_nothing_yet_is_told_as_such(tmp_path: Path) -> None:
    begin(tmp_path, "users")
    spool_path(tmp_path, "orders", 0).touch()
    with pytest.raises(PlanError, match="the move 'orders' has copied nothing yet") as caught:
        sole_run(tmp_path, "orders")
    assert caught.value.hint is not None
    assert "in a minute" in caught.value.hint
