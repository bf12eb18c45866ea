"""What was written behind the go, by the streams of both sides: what differs in it is no fault.

The target is in use from the go on, and the source may be written by somebody who did not hear of
it. Either stream shows which keys those are, and its spool keeps them. A record shows some time
after its write, so that a key which differs is judged once the stream was read for long enough
behind that moment; where it cannot be, nobody knows what a difference is, and that is said.
"""

import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final, Protocol

import anyio
from anyio import to_thread
from msgspec import Struct

from dynaferry.dynamodb.items.canonical import digest_of
from dynaferry.follow.capture import Capture
from dynaferry.follow.spool_connection import unreadable
from dynaferry.follow.stored_move import opened_to_look

# For so long at most a stream is waited for of which nothing is read.
PATIENCE_SECONDS: Final = 60.0
_POLLED_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.2
_HELD: Final = "SELECT 1 FROM changes WHERE digest = ?"
_COUNT: Final = "SELECT count(*) FROM changes"
_LOST: Final = "SELECT why FROM gaps WHERE mended_at IS NULL ORDER BY number LIMIT 1"


class HasCapture(Protocol):
    """Who captures a stream."""

    @property
    def current(self) -> Capture | None:
        """The capture of the stream that is read now; None while none is."""
        ...


class WatchedStream(Struct, frozen=True):
    """A stream that is captured into the spool at `path`, which holds nothing older than the go."""

    path: Path
    captor: HasCapture


class WrittenBehind:
    """What was written to both sides of one table behind the go. A `WrittenSince`.

    `unknown` says why that is not known in full; None where it is.
    """

    def __init__(
        self,
        source: WatchedStream,
        target: WatchedStream | None,
        *,
        unknown: str | None = None,
    ) -> None:
        self._source = source
        self._target = target
        self.unknown = unknown

    async def among(self, keys: Collection[bytes]) -> Collection[bytes]:
        """See `WrittenSince`."""
        digests = {digest_of(key): key for key in keys}
        found: set[bytes] = set()
        for stream in self._streams():
            found |= await to_thread.run_sync(_held, stream.path, list(digests))
        return {digests[digest] for digest in found}

    async def known_until(self, moment: float) -> None:
        """See `WrittenSince`. Where a stream is not read for long, that is noted and waited for no
        more.
        """
        for stream in self._streams():
            if self.unknown is not None:
                return
            if not await _was_read(stream, moment):
                self.unknown = "a stream could not be read"

    async def counts(self) -> tuple[int, int | None]:
        """How many keys were written to the source and to the target, None where nobody looked;
        notes where records of either stream were lost.
        """
        source, lost = await to_thread.run_sync(_count, self._source.path)
        target: int | None = None
        if self._target is not None:
            target, lost_of_target = await to_thread.run_sync(_count, self._target.path)
            lost = lost or lost_of_target
        if lost is not None:
            self.unknown = self.unknown or f"records of a stream were lost: {lost}"
        return source, target

    def _streams(self) -> Sequence[WatchedStream]:
        return [self._source, *([] if self._target is None else [self._target])]


async def _was_read(stream: WatchedStream, moment: float) -> bool:
    """Whether it was, before nothing was read of it for too long: to catch up may take an hour."""
    read_at = anyio.current_time()
    while not _is_shown(stream.captor.current, moment):
        if _was_polled(stream.captor.current):
            read_at = anyio.current_time()
        if anyio.current_time() - read_at >= PATIENCE_SECONDS:
            return False
        await anyio.sleep(_LOOK_SECONDS)
    return True


def _is_shown(capture: Capture | None, moment: float) -> bool:
    """Whether what was written before then has been shown, as far as can be observed: by the
    longest delay of late, several times.
    """
    if capture is None:
        return False
    if capture.is_over:
        return True
    shown_until = capture.ages.shown_until
    return shown_until is not None and shown_until >= moment + capture.watch.quiet.asked_seconds


def _was_polled(capture: Capture | None) -> bool:
    """Whether all of its shards were read a moment ago."""
    polled_at = None if capture is None else capture.polled_at
    return (
        capture is not None
        and polled_at is not None
        and capture.clock() - polled_at < _POLLED_SECONDS
    )


def _held(path: Path, digests: Sequence[bytes]) -> set[bytes]:
    try:
        with opened_to_look(path) as spool:
            return {
                digest
                for digest in digests
                if spool.execute(_HELD, (digest,)).fetchone() is not None
            }
    except sqlite3.Error as error:
        raise unreadable(path, error) from error


def _count(path: Path) -> tuple[int, str | None]:
    try:
        with opened_to_look(path) as spool:
            (count,) = spool.execute(_COUNT).fetchone()
            lost = spool.execute(_LOST).fetchone()
    except sqlite3.Error as error:
        raise unreadable(path, error) from error
    return count, None if lost is None else lost[0]
