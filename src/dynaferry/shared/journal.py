"""Files of lines that are only ever added to, durably and for their owner alone."""

import os
import stat
from pathlib import Path
from typing import Final

from dynaferry.shared.files import kind_of

_OPEN_FLAGS: Final = (
    os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
)


def append_line(path: Path, line: bytes) -> None:
    """Returns when the line, which has no line break, is on the disk. It blocks.

    :raises OSError: it cannot be written, or something else stands there than one's own file
    """
    rest = line + b"\n"
    descriptor = os.open(path, _OPEN_FLAGS, 0o600)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(0, f"it is {kind_of(found.st_mode)} of somebody else, or no file")
        os.fchmod(descriptor, 0o600)
        # What a crash cut short keeps a line of its own.
        if found.st_size and os.pread(descriptor, 1, found.st_size - 1) != b"\n":
            rest = b"\n" + rest
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(descriptor)
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
