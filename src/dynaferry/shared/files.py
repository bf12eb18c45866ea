"""Files that people name: read with a bound, and replaced as a whole or not at all.

What is unfinished has a name that nobody can guess, in the directory of the file that it becomes,
and is opened only if nobody has put anything there before (O_EXCL, which follows no link). It is
locked while it is written to. One without a lock is of a writer that was killed: the next writer of
the same file removes it.
"""

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from dynaferry.errors import DynaferryError, PlanError

UNFINISHED: Final = ".new"
# A name may have 255 bytes: what is added to it must fit as well.
_MOST_OF_A_NAME: Final = 180
_RANDOM_BYTES: Final = 8
_PRIVATE: Final = 0o600
_COMMON: Final = 0o666


_KINDS: Final = (
    (stat.S_ISREG, "a file"),
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def kind_of(mode: int) -> str:
    """The kind of a file of this mode, in words."""
    return next((words for is_one, words in _KINDS if is_one(mode)), "a device")


def expanded(path: str | Path) -> Path:
    """The path with `~` as a shell has it, which leaves it alone behind a `=`.

    One that begins with the name of no user is as it was.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def decoded(content: bytes) -> str:
    """Text as editors and shells write it: UTF-8, on Windows behind a byte order mark.

    :raises UnicodeError: it is something else, such as UTF-16
    """
    if b"\0" in content:
        raise UnicodeError("text has no zero bytes")
    return content.decode("utf-8-sig")


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """The content of a file, or of a pipe up to its end. It blocks.

    A pipe into which nobody writes is empty; one that somebody has open is read to its end.

    :raises OSError: it cannot be read, or holds more than `most_bytes`
    """
    # Without O_NONBLOCK a pipe that nobody has open would be waited for without end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        os.set_blocking(descriptor, True)
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"it has more than {most_bytes:,} bytes")
    return content


@contextmanager
def replacing(path: Path, *, private: bool) -> Iterator[BinaryIO]:
    """Gives a file to write to, which takes the place of `path` once it is whole. It blocks.

    One that is `private` is for its owner alone, any other as the umask has it. After an error
    `path` is as it was. What is there and is no plain file, a pipe or a device, is written into.

    :raises OSError: it cannot be written, or is a pipe that nobody reads
    """
    if _is_plain_or_missing(path):
        with _unfinished(path, _PRIVATE if private else _COMMON) as file:
            yield file
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "wb") as file:
        os.set_blocking(descriptor, True)
        yield file


def write_whole(path: Path, content: bytes, *, private: bool) -> None:
    """Puts a file there whole, or leaves `path` as it was; see `replacing`. It blocks.

    :raises OSError: it cannot be written
    """
    with replacing(path, private=private) as file:
        file.write(content)


@contextmanager
def refusals_raised(
    name: str, *, hint: str, error: type[DynaferryError] = PlanError
) -> Iterator[None]:
    """Within, an OSError is raised as an `error` that says that `name` cannot be written.

    :raises DynaferryError: the system refused to open or to write a file
    """
    try:
        yield
    except OSError as refusal:
        raise error(f"{name} cannot be written: {refusal.strerror}", hint=hint) from refusal


def check_replaceable(path: Path) -> None:
    """Returns if `replacing` would begin now; it makes an unfinished file and removes it.

    :raises OSError: it would not
    """
    if _is_plain_or_missing(path):
        descriptor, unfinished = _open_unfinished(path, _PRIVATE)
        os.close(descriptor)
        unfinished.unlink()
    elif stat.S_ISDIR(path.stat().st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))


def _is_plain_or_missing(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True


@contextmanager
def _unfinished(path: Path, mode: int) -> Iterator[BinaryIO]:
    _remove_abandoned(path)
    descriptor, unfinished = _open_unfinished(path, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
            # Before it is closed, which lets go of its lock.
            unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _open_unfinished(path: Path, mode: int) -> tuple[int, Path]:
    unfinished = path.with_name(f"{_prefix(path)}{secrets.token_hex(_RANDOM_BYTES)}{UNFINISHED}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(unfinished, flags, mode)
    with suppress(OSError):  # a file system without locks
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor, unfinished


def _prefix(path: Path) -> str:
    return f".{path.name.encode(errors='replace')[:_MOST_OF_A_NAME].decode(errors='ignore')}."


def _remove_abandoned(path: Path) -> None:
    """Removes what writers of `path` left unfinished when they were killed."""
    prefix, digits = _prefix(path), 2 * _RANDOM_BYTES
    with suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            middle = entry.name.removeprefix(prefix).removesuffix(UNFINISHED)
            if entry.name == f"{prefix}{middle}{UNFINISHED}" and len(middle) == digits:
                _remove_if_abandoned(Path(entry.path))


def _remove_if_abandoned(unfinished: Path) -> None:
    with suppress(OSError):
        if not stat.S_ISREG(unfinished.lstat().st_mode):
            return
        descriptor = os.open(unfinished, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unfinished.unlink()
        finally:
            os.close(descriptor)
