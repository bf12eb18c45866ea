"""Items that a repair overwrote or deleted though they were newer than what it had seen.

They are kept as dead letters are: whole, in their own bytes, durably, for their owner alone. The
file is one JSON object a line, in the form of an export of dead letters, and is only ever added to:
no later command forgets what is in it.
"""

import os
import stat
from pathlib import Path
from typing import Final

import msgspec
from anyio import to_thread
from msgspec import Raw, Struct

from dynaferry.errors import StateWriteError
from dynaferry.shared.files import kind_of
from dynaferry.state.directory import overwritten_path
from dynaferry.state.json_lines import ExportedError, one_line

_OPEN_FLAGS: Final = (
    os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
)
_CODE: Final = "Overwritten"


class KeptItem(Struct, frozen=True):
    """One line of the file. Field names are a contract with scripts, as those of an export are."""

    table: str
    key: Raw
    item: Raw
    error: ExportedError
    time: str


class OverwrittenItems:
    """The file of one run's overwritten items. It is made with the first item."""

    def __init__(self, state_dir: Path, run: str) -> None:
        self.path = overwritten_path(state_dir, run)

    async def keep(self, table: str, key: bytes, item: bytes, words: str, time: str) -> None:
        """Returns when the item is on the disk. `table` is the ARN of the table that held it.

        :raises StateWriteError: it cannot be kept; the message names the key
        """
        line = msgspec.json.encode(
            KeptItem(table, one_line(key), one_line(item), ExportedError(_CODE, words), time)
        )
        try:
            await to_thread.run_sync(_append, self.path, line + b"\n")
        except OSError as error:
            raise StateWriteError(
                f"the item {key.decode('utf-8', 'replace')} of {table}, which was newer than what "
                f"the repair had seen, is overwritten and cannot be kept in {self.path}: "
                f"{error.strerror}",
                hint="make room, or remove what is in the way, before the repair is run again",
            ) from error


def _append(path: Path, line: bytes) -> None:
    descriptor = os.open(path, _OPEN_FLAGS, 0o600)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(0, f"it is {kind_of(found.st_mode)} of somebody else, or no file")
        os.fchmod(descriptor, 0o600)
        # What a crash cut short keeps a line of its own.
        if found.st_size and os.pread(descriptor, 1, found.st_size - 1) != b"\n":
            line = b"\n" + line
        while line:
            line = line[file.write(line) :]
        os.fsync(descriptor)
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
