"""One process works on a run at a time.

The lock is the kernel's (`flock`): it goes when its owner goes, however that dies, so no lock is
ever left over. The number in the file is for people; nothing decides by it.
"""

import errno
import fcntl
import os
import re
import stat
import struct
import sys
import time
from pathlib import Path
from typing import Final, Self

from dynaferry.errors import StateError
from dynaferry.shared.files import kind_of
from dynaferry.state.directory import lock_path

# `is_locked` holds the lock for a moment to find out; that is not another dynaferry at work.
_TRIES = 5
_BETWEEN_TRIES_SECONDS = 0.02
# No link is followed, and nothing is waited for.
_AS_IT_IS: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FAR_BEHIND: Final = 1 << 62
# What a lock file holds: whatever holds anything else is somebody's file, and is not emptied.
_CONTENT: Final = re.compile(rb"[0-9]{0,20}\n?")
_MOVE_IT: Final = "move it away: it is not dynaferry's; or choose another --state-dir"


class RunLock:
    """Held from `acquire` to `release`, or to the end of the process."""

    __slots__ = ("_descriptors",)

    def __init__(self, descriptor: int) -> None:
        self._descriptors = [descriptor]

    @classmethod
    def acquire(cls, state_dir: Path, run: str) -> Self:
        """Takes the run's lock, or gives up within a tenth of a second. It blocks.

        :raises StateError: another process has it
        :raises OSError: the lock file cannot be made or locked
        """
        path = lock_path(state_dir, run)
        _check_may_be_a_lock(path)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _AS_IT_IS, 0o600)
        try:
            _check_is_a_lock(descriptor, path)
            if not _lock(descriptor):
                raise _busy(run, os.pread(descriptor, 20, 0))
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor)

    def hold_file(self, path: Path) -> None:
        """Takes the state file itself as well, under whatever name others may reach it.

        :raises StateError: another process has it
        :raises OSError: it cannot be opened
        """
        descriptor = os.open(path, os.O_RDWR | _AS_IT_IS)
        self._descriptors.append(descriptor)
        if not _try_lock_file(descriptor):
            raise StateError(
                f"another dynaferry works on the state file {path}, under another name",
                hint="wait for it, or stop it",
            )

    def release(self) -> None:
        """Lets go of the lock; a second time it does nothing. The file has to be closed before."""
        while self._descriptors:
            os.close(self._descriptors.pop())


def is_locked(state_dir: Path, run: str, *, if_hidden: bool = False) -> bool:
    """Whether a process works on the run right now. It blocks for the time of a file access.

    `if_hidden` is the answer where the lock is somebody else's and may not be looked at.

    :raises StateError: the lock file cannot be opened, or is none
    """
    path = lock_path(state_dir, run)
    try:
        _check_may_be_a_lock(path)
        descriptor = os.open(path, os.O_RDONLY | _AS_IT_IS)
    except FileNotFoundError:
        return False
    except PermissionError:
        return if_hidden
    except OSError as error:
        raise StateError(
            f"the lock of the run {run!r} in {state_dir} cannot be read: {error.strerror}",
            hint="run this as the user who started the copy",
        ) from error
    try:
        return not _try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def owner_of(state_dir: Path, run: str) -> int | None:
    """The number of the process that took the lock last, for people; None where it is not known."""
    try:
        descriptor = os.open(lock_path(state_dir, run), os.O_RDONLY | _AS_IT_IS)
    except OSError:
        return None
    try:
        content = os.pread(descriptor, 32, 0)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return int(content) if _CONTENT.fullmatch(content) and content.strip() else None


def _check_may_be_a_lock(path: Path) -> None:
    """Refuses, before it is opened, what only stands in the lock file's place."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode):
        raise StateError(f"the lock file {path} is {kind_of(found.st_mode)}", hint=_MOVE_IT)


def _check_is_a_lock(descriptor: int, path: Path) -> None:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise StateError(f"the lock file {path} is another file's name", hint=_MOVE_IT)
    if not _CONTENT.fullmatch(os.pread(descriptor, 32, 0)):
        raise StateError(f"the lock file {path} holds something else", hint=_MOVE_IT)


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


def _try_lock_file(descriptor: int) -> bool:
    """Locks a byte far behind the end of a file, where SQLite locks none.

    Of the kind that belongs to the open file and not to the process: SQLite opens and closes the
    same file, which lets go of the other kind [man 2 fcntl]. Where there is none, the lock by name
    has to do.
    """
    command = getattr(fcntl, "F_OFD_SETLK", None)
    if sys.platform != "linux" or command is None or struct.calcsize("P") != 8:
        return True
    wanted = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, _FAR_BEHIND, 1, 0)
    try:
        fcntl.fcntl(descriptor, command, wanted)
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES)
    return True


def _busy(run: str, owner: bytes) -> StateError:
    process = owner.decode("ascii", "replace").strip() or "not known"
    return StateError(
        f"another dynaferry works on this run (process {process}): {run}",
        hint=f"`dynaferry status {run}` shows how far it is",
    )
