"""The capture of a table through all the streams that it has, one after the other.

A stream that is disabled and enabled again is another one, with another ARN. The old one is
readable for 24 hours, so it is read to its end first: no record of it is lost, and none comes after
a newer one. What was written between the two is in neither. That is a gap, told from the moment
that the old one is over.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

import anyio
from msgspec import Struct

from dynaferry.errors import NotReadyError, RetryableError, StreamGoneError
from dynaferry.follow.capture import Capture
from dynaferry.follow.delays import rounding_of
from dynaferry.follow.lineage import OVERLAP_SECONDS, Gap, Lineage
from dynaferry.follow.shard_reader import RETENTION_SECONDS, CaptureStats, Polls
from dynaferry.follow.spool import Spool
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_records import SpoolOrigin
from dynaferry.follow.stream_watch import StreamWatch
from dynaferry.ports import ChangeSource, StreamListing

# So often a table whose stream is over is looked at for another one.
LOOK_SECONDS: Final = 10.0
DISABLED: Final = "the table has no stream any more, so what changes in it is not captured"
_RETRY_SECONDS: Final = 1.0


class TableStreams(Protocol):
    """The streams that a table has and had."""

    async def latest(self) -> str | None:
        """The ARN of the one that is enabled now; None without any."""
        ...

    async def opened(self, arn: str) -> tuple[ChangeSource, StreamListing]:
        """One of them, and its shards.

        :raises StreamGoneError: it is not there any more
        """
        ...


class _Opened(Struct, frozen=True):
    arn: str
    source: ChangeSource
    lineage: Lineage
    start: float
    read_until: float


class TableCapture:
    """The capture of one table. `stats` go on from stream to stream, and `polls` as well.

    One that begins captures from now on, or where `since` is given what was written since then.
    While `is_to_end` the stream is disabled on purpose: its end is no gap, and behind it no other
    one is waited for.
    """

    def __init__(
        self,
        streams: TableStreams,
        spool: Spool,
        *,
        clock: Callable[[], float] = time.time,
        keys_only: Callable[[], bool] = lambda: False,
        since: float | None = None,
    ) -> None:
        self.stats = CaptureStats()
        self.polls = Polls()
        self.is_to_end = False
        self._streams = streams
        self._spool = spool
        self.clock = clock
        self._keys_only = keys_only
        self._since = since
        self._stream: str | None = None
        self._capture: Capture | None = None

    @property
    def polled_at(self) -> float | None:
        """When the shard was polled that was not for the longest; None while nobody knows."""
        return None if self._capture is None else self._capture.polled_at

    @property
    def read_until(self) -> float | None:
        """What the table's stream showed before then is in the spool; None while nobody knows."""
        return None if self._capture is None else self._capture.read_until

    @property
    def current(self) -> Capture | None:
        """The capture of the stream that is read now; None between two of them."""
        return self._capture

    @property
    def is_capturing(self) -> bool:
        """Whether there is a stream: what changes in the table from now on is captured."""
        return self._capture is not None and self._capture.is_enabled and not self._capture.is_over

    @property
    def is_drained(self) -> bool:
        """Whether the stream was disabled on purpose, and each of its shards is read to its end."""
        return self.is_to_end and self._capture is not None and self._capture.is_over

    async def open(self) -> None:
        """Goes on where an earlier capture stopped, or begins: what changes from now on will be
        captured once it runs.

        :raises StoppedError: the table has no stream, or it may not be read
        """
        origin = await self._spool.run(SpoolFile.origin)
        latest = await self._streams.latest()
        if latest is None and not self.is_to_end:
            raise NotReadyError(DISABLED, hint="enable one; the same command resumes then")
        if origin.stream is None:
            if latest is not None:
                self._take(await self._begun(latest, None))
            return
        try:
            self._take(await self._resumed(origin, origin.stream))
        except StreamGoneError:
            if latest is None:
                return  # it was read to its end, or what was left of it is gone: nothing comes
            lost = f"the stream {origin.stream} is not there any more"
            self._take(await self._begun(latest, lost))

    async def run(self) -> None:
        """Captures until it is cancelled.

        :raises StoppedError: the stream may not be read, until somebody acts
        """
        while self._capture is not None:
            try:
                await self._capture.run()
            except* StreamGoneError:
                pass  # what was not read of it is lost with what was written since
            await self._until_another_is_wanted()
            self._capture = None
            self.stats.shards_reading = self.stats.shards_waiting = self.stats.shards_childless = 0
            latest = await self._another()
            self._take(await self._begun(latest, f"the table has another stream now: {latest}"))

    async def _until_another_is_wanted(self) -> None:
        """Behind a stream that was disabled on purpose."""
        while True:
            if not self.is_to_end:
                return
            await anyio.sleep(_RETRY_SECONDS)

    async def _another(self) -> str:
        """The ARN of the stream that comes after the one that is over. Until there is one, that is
        a gap.
        """
        is_told = False
        while True:
            latest: str | None = None
            trouble = DISABLED
            try:
                latest = await self._streams.latest()
            except RetryableError as error:
                trouble = str(error)
            if latest not in (None, self._stream):
                self.stats.trouble = None
                return latest
            self.stats.trouble = trouble
            if not is_told:
                await self._note_gap(DISABLED)
                is_told = True
            await anyio.sleep(LOOK_SECONDS)

    def _take(self, opened: _Opened) -> None:
        self._stream = opened.arn
        self._capture = Capture(
            opened.source,
            self._spool,
            opened.lineage,
            start=opened.start,
            read_until=opened.read_until,
            clock=self.clock,
            keys_only=self._keys_only,
            stats=self.stats,
            polls=self.polls,
            watch=StreamWatch(self.clock, rounding_of(opened.arn)),
        )

    async def _begun(self, arn: str, lost: str | None) -> _Opened:
        """The capture of a stream from now on, behind what was `lost` before for that reason."""
        source, listing = await self._patiently_opened(arn)
        start = seen = self.clock()
        if lost is None and self._since is not None:
            # A capture goes back by the overlap before its start.
            start, seen = self._since + OVERLAP_SECONDS, self._since
        lineage = Lineage()
        lineage.begin(listing.shards, start)
        gaps = [] if lost is None else [Gap("", lost)]
        positions = lineage.take_changed()
        await self._spool.insist(
            partial(SpoolFile.begin, stream=arn, at=start, positions=positions, gaps=gaps)
        )
        self.stats.gaps += len(gaps)
        return _Opened(arn, source, lineage, start, seen)

    async def _resumed(self, origin: SpoolOrigin, arn: str) -> _Opened:
        source, _ = await self._patiently_opened(arn)
        now = self.clock()
        alive_at = origin.alive_at or now
        if (why := why_lost(alive_at, now)) is not None:
            await self._note_gap(why)
            alive_at = now
        lineage = Lineage(await self._spool.run(SpoolFile.positions))
        return _Opened(arn, source, lineage, origin.begun_at or now, alive_at)

    async def _patiently_opened(self, arn: str) -> tuple[ChangeSource, StreamListing]:
        """It is tried again for as long as that may help."""
        while True:
            try:
                return await self._streams.opened(arn)
            except RetryableError as error:
                self.stats.trouble = str(error)
            await anyio.sleep(_RETRY_SECONDS)

    async def _note_gap(self, why: str) -> None:
        self.stats.gaps += 1
        now = self.clock()
        await self._spool.insist(
            partial(SpoolFile.store, changes=(), positions=(), now=now, gaps=[Gap("", why)])
        )


def why_lost(alive_at: float, now: float) -> str | None:
    """Why records may be lost that a capture had to read which was alive until then; None where
    none can be. A clock that was set back says nothing of how long ago that was.
    """
    if now - alive_at > RETENTION_SECONDS:
        return "nothing was captured for more than 24 hours"
    if alive_at - now > OVERLAP_SECONDS:
        return "the clock was set back, so nobody knows for how long nothing was captured"
    return None
