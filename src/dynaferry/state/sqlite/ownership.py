"""Whether a state file is ours: what stands in its place, whose it is, and who else may write it.

It is told before the file is opened. What is worked on has to be ours alone; what is only read may
be anybody's. Which owner and which mode are ours, a file says that is made beside it: there are
file systems that give every file one owner and one mode, whoever makes it.
"""

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from dynaferry.errors import StateError
from dynaferry.shared.files import kind_of

MOVE_IT: Final = "move it away, or choose another --state-dir"


def check_place(path: Path) -> os.stat_result:
    """What the file system says of a state file, which is a plain file and no link to one.

    :raises StateError: it is not there, or something else is
    :raises OSError: it cannot be told
    """
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        raise StateError(
            f"there is no run {path.stem!r} in {path.parent}",
            hint="--state-dir names the directory that the copy was started with",
        ) from None
    if not stat.S_ISREG(found.st_mode):
        raise StateError(
            f"the state file {path} is not a file but {kind_of(found.st_mode)}", hint=MOVE_IT
        )
    return found


def check_ours(path: Path) -> None:
    """Returns if nobody else can have written a state file, and it has no other name.

    :raises StateError: somebody can, or it has
    :raises OSError: it cannot be told
    """
    found = check_place(path)
    if found.st_nlink > 1:
        # SQLite keeps its log beside a name: under another name it would not be found.
        raise StateError(
            f"the state file {path} has {found.st_nlink} names (hard links)",
            hint="remove the others, or move a copy of the file into its place",
        )
    strangers_may_write = bool(found.st_mode & stat.S_IWOTH)
    if found.st_uid == os.geteuid() and not strangers_may_write:
        return
    usual = _what_we_make_in(path.parent)
    if found.st_uid not in (os.geteuid(), usual.st_uid):
        raise StateError(
            f"the state file {path} belongs to the user {found.st_uid}, not to {os.geteuid()}",
            hint="run the same command as its owner; if the run is yours, chown the file",
        )
    if strangers_may_write and not usual.st_mode & stat.S_IWOTH:
        raise StateError(
            f"the state file {path} may be written by everybody",
            hint=f"if nobody has changed it, chmod 600 {path}; else move it away",
        )


def leaves_traces(path: Path) -> bool:
    """Whether whoever reads a state file may leave SQLite's files beside it.

    Not in a directory that cannot be written to, and not beside somebody else's file: what a reader
    makes is the reader's, and would be in its owner's way.
    """
    is_ours = os.geteuid() in (0, path.lstat().st_uid)
    return is_ours and os.access(path.parent, os.W_OK | os.X_OK)


def _what_we_make_in(directory: Path) -> os.stat_result:
    probe = directory / f".{secrets.token_hex(8)}.new"
    descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)
        probe.unlink()
