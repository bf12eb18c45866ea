import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dynaferry.errors import StateError
from dynaferry.state.sqlite import ownership
from dynaferry.state.sqlite.ownership import check_ours, check_place, leaves_traces


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "orders.sqlite"
    path.write_bytes(b"state")
    path.chmod(0o600)
    return path


def a_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def a_link_to_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_device(path: Path) -> None:
    path.unlink()
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes devices")


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (a_link, "a symbolic link"),
        (a_link_to_nowhere, "a symbolic link"),
        (a_directory, "a directory"),
        (a_pipe, "a pipe"),
        (a_device, "a device"),
    ],
)
def test_what_only_stands_in_the_files_place_is_refused_before_it_is_opened(
    path: Path, plant: Callable[[Path], None], words: str
) -> None:
    check_place(path)
    plant(path)
    with pytest.raises(StateError, match=f"is not a file but {words}"):
        check_place(path)


def test_a_file_that_is_ours_alone_is_worked_on(path: Path) -> None:
    check_ours(path)
    path.chmod(0o644)
    check_ours(path)
    path.chmod(0o660)  # as a volume of Kubernetes gives it to its group
    check_ours(path)
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_everybody_may_write_is_refused(path: Path) -> None:
    path.chmod(0o602)
    with pytest.raises(StateError, match="may be written by everybody") as caught:
        check_ours(path)
    assert f"chmod 600 {path}" in (caught.value.hint or "")
    assert list(path.parent.iterdir()) == [path]


def test_a_file_with_another_name_is_refused(path: Path) -> None:
    path.with_name("other.sqlite").hardlink_to(path)
    with pytest.raises(StateError, match=r"has 2 names \(hard links\)"):
        check_ours(path)


def test_a_file_of_somebody_else_is_refused(path: Path) -> None:
    try:
        os.chown(path, 12345, -1)
    except PermissionError:
        pytest.skip("only root gives files away")
    with pytest.raises(StateError, match=r"belongs to the user 12345, not to \d+") as caught:
        check_ours(path)
    assert "as its owner" in (caught.value.hint or "")


def test_where_every_file_has_one_owner_and_one_mode_these_are_ours(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.chmod(0o777)
    usual: dict[str, Any] = {"mode": path.stat().st_mode, "uid": path.stat().st_uid}

    def as_told(_: Path) -> os.stat_result:
        return os.stat_result((usual["mode"], 0, 0, 1, usual["uid"], 0, 0, 0, 0, 0))

    monkeypatch.setattr(ownership, "_what_we_make_in", as_told)
    check_ours(path)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    check_ours(path)
    usual["uid"] = 4711
    with pytest.raises(StateError, match="belongs to the user"):
        check_ours(path)


def test_nothing_is_left_beside_the_file_of_somebody_else(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert leaves_traces(path)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    assert not leaves_traces(path)


LOOK = """
import os, sys
from pathlib import Path
from dynaferry.state.sqlite.ownership import leaves_traces
sys.exit(leaves_traces(Path(sys.argv[1])))
"""


def test_nothing_is_left_in_a_directory_that_cannot_be_written_to(path: Path) -> None:
    path.parent.chmod(0o500)
    powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    try:
        looked = subprocess.run(
            [*powerless, sys.executable, "-c", LOOK, str(path)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            timeout=60,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("setpriv is not there")
    finally:
        path.parent.chmod(0o700)
    assert looked.returncode == 0
