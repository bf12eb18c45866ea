import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dynaferry.errors import StateError
from dynaferry.state.directory import lock_path
from dynaferry.state.lock import RunLock, is_locked

RUN = "orders"

HOLDER = """
import sys
from pathlib import Path
from dynaferry.state.lock import RunLock
held = RunLock.acquire(Path(sys.argv[1]), sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""


def test_a_run_that_nobody_ever_locked_is_not_locked(tmp_path: Path) -> None:
    assert not is_locked(tmp_path, RUN)
    assert not lock_path(tmp_path, RUN).exists()


def test_a_lock_is_held_until_it_is_released(tmp_path: Path) -> None:
    held = RunLock.acquire(tmp_path, RUN)
    assert is_locked(tmp_path, RUN)
    assert not is_locked(tmp_path, "users")
    held.release()
    held.release()
    assert not is_locked(tmp_path, RUN)


def test_a_lock_dies_with_its_owner(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path), RUN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"held\n"
        assert is_locked(tmp_path, RUN)
        with pytest.raises(StateError, match=rf"\(process {owner.pid}\)"):
            RunLock.acquire(tmp_path, RUN)
        os.kill(owner.pid, signal.SIGKILL)
    assert not is_locked(tmp_path, RUN)
    RunLock.acquire(tmp_path, RUN).release()


def test_a_shorter_process_number_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    lock_path(tmp_path, RUN).write_text("99999999999\n")
    held = RunLock.acquire(tmp_path, RUN)
    assert lock_path(tmp_path, RUN).read_text() == f"{os.getpid()}\n"
    held.release()


def test_somebody_who_only_asks_does_not_keep_a_run_from_being_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RunLock.acquire(tmp_path, RUN).release()
    asking = os.open(lock_path(tmp_path, RUN), os.O_RDONLY)
    fcntl.flock(asking, fcntl.LOCK_SH)
    answered = threading.Event()

    def finish_asking(_: float) -> None:
        if not answered.is_set():
            os.close(asking)
            answered.set()

    monkeypatch.setattr(time, "sleep", finish_asking)
    RunLock.acquire(tmp_path, RUN).release()
    assert answered.is_set()


def test_a_lock_file_that_cannot_be_opened_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StateError, match="cannot be read: Input/output error"):
        is_locked(tmp_path, RUN)


def test_a_lock_of_somebody_else_that_may_not_be_read_is_what_the_asker_takes_it_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert not is_locked(tmp_path, RUN)
    assert is_locked(tmp_path, RUN, if_hidden=True)


def a_link(path: Path, precious: Path) -> None:
    path.symlink_to(precious)


def a_hard_link(path: Path, precious: Path) -> None:
    path.hardlink_to(precious)


def the_file_itself(path: Path, precious: Path) -> None:
    path.write_bytes(precious.read_bytes())


def a_link_to_nowhere(path: Path, precious: Path) -> None:
    path.symlink_to(precious.with_name("nowhere"))


def a_directory(path: Path, _: Path) -> None:
    path.mkdir()


def a_pipe(path: Path, _: Path) -> None:
    os.mkfifo(path)


def a_device(path: Path, _: Path) -> None:
    path.symlink_to(os.devnull)


@pytest.mark.parametrize(
    "plant",
    [a_link, a_hard_link, the_file_itself, a_link_to_nowhere, a_directory, a_pipe, a_device],
)
def test_what_only_stands_in_the_locks_place_is_refused_and_left_as_it_is(
    tmp_path: Path, plant: Callable[[Path, Path], None]
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("a year of work\n" * 1000)
    before = precious.read_bytes()
    path = lock_path(tmp_path, RUN)
    plant(path, precious)
    with pytest.raises(StateError, match="the lock file") as caught:
        RunLock.acquire(tmp_path, RUN)
    assert str(path) in caught.value.message
    assert caught.value.hint is not None
    assert precious.read_bytes() == before
    assert not (tmp_path / "nowhere").exists()
