"""One process works on a run at a time.

The lock is the kernel's (`flock`): it goes when its owner goes, however that dies, so no lock is
ever left over. The number in the file is for people; nothing decides by it.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import Self

from dynaferry.errors import StateError
from dynaferry.state.directory import lock_path

# `is_locked` holds the lock for a moment to find out; that is not another dynaferry at work.
_TRIES = 5
_BETWEEN_TRIES_SECONDS = 0.02


class RunLock:
    """Held from `acquire` to `release`, or to the end of the process."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, state_dir: Path, run: str) -> Self:
        """Takes the run's lock, or gives up within a tenth of a second. It blocks.

        :raises StateError: another process has it
        :raises OSError: the lock file cannot be made or locked
        """
        descriptor = os.open(
            lock_path(state_dir, run), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            if not _lock(descriptor):
                raise _busy(run, os.pread(descriptor, 20, 0))
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor)

    def release(self) -> None:
        """Lets go of the lock; a second time it does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_locked(state_dir: Path, run: str) -> bool:
    """Whether a process works on the run right now. It blocks for the time of a file access.

    :raises StateError: the lock file cannot be opened
    """
    try:
        descriptor = os.open(lock_path(state_dir, run), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StateError(
            f"the lock of the run {run!r} in {state_dir} cannot be read: {error.strerror}",
            hint="run this as the user who started the copy",
        ) from error
    try:
        return not _try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    for _ in range(_TRIES):
        if _try_lock(descriptor, fcntl.LOCK_EX):
            return True
        time.sleep(_BETWEEN_TRIES_SECONDS)
    return False


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _busy(run: str, owner: bytes) -> StateError:
    process = owner.decode("ascii", "replace").strip() or "not known"
    return StateError(
        f"another dynaferry works on this run (process {process}): {run}",
        hint=f"`dynaferry status {run}` shows how far it is",
    )
