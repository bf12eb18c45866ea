"""The passes of a move without a stream, one behind the other, until it is switched or stopped.

Each is stored before it begins and when it has ended: of one that has no end, whoever comes next
knows that its process was killed, and that a write of it may be on its way.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import anyio
from msgspec.structs import replace

from dynaferry.errors import AccessDeniedError, PlanError, PreflightError, TableNotFoundError
from dynaferry.follow.change_writer import LATE_WRITE_SECONDS
from dynaferry.follow.passes.convergence import (
    Outage,
    has_converged,
    outage,
    outage_line,
    pass_lines,
    rest_seconds,
)
from dynaferry.follow.passes.one_pass import OnePass
from dynaferry.observe import formatting
from dynaferry.preflight.replication_words import REPLICATION_SECONDS
from dynaferry.run.lifecycle import Say
from dynaferry.state.move_records import PassRecord
from dynaferry.state.sqlite.pass_file import PassFile
from dynaferry.stop import StopSignal

# After one that did not come to its end, as where a side did not respond.
AGAIN_SECONDS: Final = 60.0
OVER_SECONDS: Final = 0.5
# What no wait mends.
FATAL: Final = (PlanError, PreflightError, AccessDeniedError, TableNotFoundError)

MakePass = Callable[[PassRecord, StopSignal], OnePass]


class Passes:
    """The passes of one move. `may_land_until` is when no write of ours is on its way any more, and
    `regions` are those whose writes come to the source by replication.
    """

    def __init__(
        self,
        file: PassFile,
        make_pass: MakePass,
        say: Say,
        *,
        made: Sequence[PassRecord],
        copied_since: float,
        may_land_until: float = 0.0,
        regions: Sequence[str] = (),
        after_one: Callable[[bool], Awaitable[None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`made` are those of earlier processes; `after_one` is told whether they have converged,
        behind each that came to its end.
        """
        self._file = file
        self._make_pass = make_pass
        self._say = say
        self._after_one = after_one
        self._clock = clock
        self._copied_since = copied_since
        self.regions = tuple(regions)
        self._turn = anyio.Lock()
        self._wanted = anyio.Event()
        self._is_over = False
        self.made = list(made)
        self.may_land_until = max(
            may_land_until, *((each.may_land_until or 0.0) for each in self.made), 0.0
        )
        if self.made and self.made[-1].ended_at is None:
            self._may_land_from(clock())
        self.under_way: OnePass | None = None
        self.next_at: float | None = None

    def outage(self) -> Outage | None:
        """The outage that a switch would take now; None before a pass has come to its end."""
        told = outage(self.made, self._clock(), self._copied_since)
        if told is None or not self.regions:
            return told
        return replace(told, replication_seconds=REPLICATION_SECONDS)

    async def run(self) -> None:
        """Makes passes, with rests between them once they have converged, until cancelled.

        :raises DynaferryError: they cannot go on, as where a right is missing
        """
        while True:
            self._wanted = anyio.Event()
            async with self._turn:
                made = None if self._is_over else await self._one(is_last=False)
                if made is not None and made.is_complete:
                    await self._note_complete()
            if made is None:
                await anyio.sleep(OVER_SECONDS)
            else:
                await self._rest_behind(made)

    def want_one(self) -> None:
        """Lets the rest be over, so that the next one begins now."""
        self._wanted.set()

    def end(self, *, is_over: bool = True) -> None:
        """None begins any more, as behind a go; or they go on."""
        self._is_over = is_over

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """None is under way within, and none begins: one that reads is ended."""
        if self.under_way is not None:
            self.under_way.end_reading()
        async with self._turn:
            yield

    async def make_last(self, stop: StopSignal) -> PassRecord:
        """The pass of a switch, with the others held."""
        return await self._one(is_last=True, stop=stop)

    async def _one(self, *, is_last: bool, stop: StopSignal | None = None) -> PassRecord:
        number = self.made[-1].number + 1 if self.made else 1
        begun = PassRecord(number=number, is_last=is_last, began_at=self._clock())
        self.next_at = None
        await self._file.store_pass(begun)
        self.under_way = self._make_pass(begun, stop or StopSignal())
        try:
            made = await self.under_way.make()
            error = self.under_way.error
        except BaseException:
            if self.under_way.may_have_written:
                self._may_land_from(self._clock())
            raise
        finally:
            self.under_way = None
        await self._file.store_pass(made)
        self.made.append(made)
        self.may_land_until = max(self.may_land_until, made.may_land_until or 0.0)
        if isinstance(error, FATAL) and not is_last:
            raise error
        for line in pass_lines(made):
            self._say(line)
        return made

    def _may_land_from(self, sent_at: float) -> None:
        self.may_land_until = max(self.may_land_until, sent_at + LATE_WRITE_SECONDS)

    async def _note_complete(self) -> None:
        is_over = has_converged(self.made)
        await self._after_one(is_over)
        if is_over and (told := self.outage()) is not None:
            self._say(outage_line(told))

    async def _rest_behind(self, made: PassRecord) -> None:
        if made.error is not None:
            seconds = AGAIN_SECONDS
        elif made.is_complete and has_converged(self.made):
            seconds = rest_seconds(made)
        else:
            return  # at once: each finds less than the one before, and this one was ended
        self.next_at = self._clock() + seconds
        self._say(f"the next pass begins in {formatting.duration(seconds)}")
        with anyio.move_on_after(seconds):
            await self._wanted.wait()
