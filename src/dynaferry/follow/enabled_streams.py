"""Which streams a move has enabled, so that whoever ends it can switch them off, and which of them
it has disabled itself for the proof of a cut-over; and which targets it creates with one.

One JSON object a line, only ever added to: a line before the call, since a process may end between
the call and its answer, and another with the stream's name once it is there. No restart and no
later attempt forgets it.
"""

import time
from contextlib import suppress
from pathlib import Path

import msgspec
from anyio import to_thread
from msgspec import Struct

from dynaferry.errors import StateWriteError
from dynaferry.shared.files import read_bounded
from dynaferry.shared.journal import append_line
from dynaferry.state.directory import enabled_streams_path

_MOST_BYTES = 16 * 1024 * 1024


class EnabledStream(Struct, frozen=True):
    """A table whose stream was enabled `at`, in seconds since the epoch.

    `stream` is None where the answer to that call was never seen; `is_ours` is False where
    somebody else was faster. `closed_at` is when it was asked for that it is disabled again.
    `is_created`: it comes with a target that is about to be created, and `table` is its name.
    """

    table: str
    at: float
    stream: str | None = None
    is_ours: bool = True
    closed_at: float | None = None
    is_created: bool = False


async def note_enabling(
    state_dir: Path,
    run: str,
    table: str,
    stream: str | None = None,
    *,
    is_ours: bool = True,
    closed_at: float | None = None,
) -> None:
    """Returns when it is on the disk that the stream of the table (its ARN) is being enabled, or
    has been; or, with `closed_at`, that it is being disabled.

    :raises StateWriteError: it cannot be kept
    """
    await _note(state_dir, run, EnabledStream(table, time.time(), stream, is_ours, closed_at))


async def note_creating(state_dir: Path, run: str, table: str) -> None:
    """Returns when it is on the disk that a target of this name is created with a stream.

    :raises StateWriteError: it cannot be kept
    """
    await _note(state_dir, run, EnabledStream(table, time.time(), is_created=True))


async def _note(state_dir: Path, run: str, noted: EnabledStream) -> None:
    path, table = enabled_streams_path(state_dir, run), noted.table
    line = msgspec.json.encode(noted)
    try:
        await to_thread.run_sync(append_line, path, line)
    except OSError as error:
        raise StateWriteError(
            f"it cannot be kept in {path} that the stream of {table} is changed: {error.strerror}",
            hint="make room, or remove what is in the way, then run the same command again",
            operation="UpdateTable",
            table=table,
        ) from error


def enabled_streams(state_dir: Path, run: str) -> list[EnabledStream]:
    """The streams that moves of this run have enabled and that are on, the newest of each table. It
    blocks.

    A line that a crash cut short says nothing; nor does a file that cannot be read.
    """
    noted = _noted(state_dir, run)
    return [
        each for each in noted if each.is_ours and each.closed_at is None and not each.is_created
    ]


def created_streams(state_dir: Path, run: str) -> frozenset[str]:
    """The names of the targets that moves of this run have created with a stream, for the way back.
    It blocks.
    """
    return frozenset(each.table for each in _noted(state_dir, run) if each.is_created)


def closed_streams(state_dir: Path, run: str) -> list[EnabledStream]:
    """The streams that moves of this run have enabled and disabled again, or were about to, where
    none was enabled since. It blocks.
    """
    return [each for each in _noted(state_dir, run) if each.closed_at is not None]


def _noted(state_dir: Path, run: str) -> list[EnabledStream]:
    """What was noted last of each table."""
    found: dict[str, EnabledStream] = {}
    with suppress(OSError):
        content = read_bounded(enabled_streams_path(state_dir, run), _MOST_BYTES)
        for line in content.splitlines():
            with suppress(msgspec.MsgspecError):
                enabled = msgspec.json.decode(line, type=EnabledStream)
                found[enabled.table] = enabled
    return list(found.values())
