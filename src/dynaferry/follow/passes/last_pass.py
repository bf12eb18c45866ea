"""The switch of a move without a stream: one pass more, once the writers have stopped.

a. the passes beside the application end; b. the keys that changed of late change no more, and what
was written in other Regions of a global table has had the time to come; c. no write of ours is on
its way any more; d. every key of both sides is compared, and what differs repaired; e. the watched
keys are what they were before, so nobody was seen to write; f. where a write of that pass was sent
again, what is left of it has landed. Then the go is stored.

Whoever asked may withdraw at any moment, and the time that was given ends it. A go is never due to
time: everything before it was true when it was looked at.
"""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import anyio
from msgspec.structs import replace

from dynaferry.follow.cut_over import Go, NotReady
from dynaferry.follow.passes.convergence import (
    WATCH_SECONDS,
    reasons_against_go,
    shown_by,
)
from dynaferry.follow.passes.passes import Passes
from dynaferry.follow.passes.watched_keys import Seen, WatchedKeys, changed
from dynaferry.observe import formatting
from dynaferry.preflight.replication_words import REPLICATION_SECONDS
from dynaferry.run.lifecycle import beside
from dynaferry.state.move_records import PassRecord, TransitionRecord, TransitionReply
from dynaferry.state.sqlite.pass_file import PassFile
from dynaferry.stop import StopSignal

POLL_SECONDS: Final = 0.2
# Whoever asked shows to be there twice a second; silent for so long, nobody waits any more.
ABANDONED_SECONDS: Final = 5.0
SHARE_SECONDS: Final = 10.0
NOT_SHOWN: Final = (
    "that nobody writes to the source any more: without a stream a late write leaves no trace",
    "a way back: what is written to the target from now on is not captured",
)


class LastPass:
    """One switch, from when it was asked for to its end."""

    def __init__(
        self,
        file: PassFile,
        passes: Passes,
        watched: WatchedKeys,
        transition: TransitionRecord,
        stop_of_move: StopSignal,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = file
        self._passes = passes
        self._watched = watched
        self._number = transition.number
        self._timeout = transition.request.timeout_seconds
        self._verify = transition.request.verify
        self._beats = transition.beats
        self._clock = clock
        self._begun_at = self._beaten_at = self._changed_at = clock()
        self._reply = TransitionReply(step="passes", since=clock())
        self._stop = StopSignal()
        self._stop_of_move = stop_of_move
        self._over: str | None = None
        self._is_withdrawn = False
        self._before: Seen = ()
        self._made: PassRecord | None = None

    async def make(self) -> bool:
        """Takes step after step; returns whether it was a go, which is durable then.

        :raises DynaferryError: it cannot go on
        """
        async with beside(self._watch_who_asked):
            await self._tell("passes", "ends the pass that is under way")
            async with self._passes.held():
                decision = await self._decided()
                return await self._end(decision)

    async def _decided(self) -> Go | NotReady:
        settled = (self._wait_for_what_may_land, self._compare, self._look_again)
        still = (self._wait_for_writers, self._wait_for_replication)
        reasons = await self._in_order(*still, *settled)
        while not reasons and self._may_land_seconds > 0:
            # A write of that pass was sent again: what it did late is found by another one.
            reasons = await self._in_order(*settled)
        if reasons:
            return NotReady(reasons)
        seconds = self._clock() - self._begun_at
        shown = () if self._made is None else shown_by(self._made, self._watched.count, seconds)
        return Go(shown=shown, not_shown=(*NOT_SHOWN, *self._not_replicated), seconds=None)

    async def _in_order(self, *steps: Callable[[], Awaitable[tuple[str, ...]]]) -> tuple[str, ...]:
        """Takes the steps up to the first that has reasons against a go, or until it is over."""
        for step in steps:
            reasons = await step()
            if self._over is not None:
                return (self._over,)
            if reasons:
                return reasons
        return ()

    @property
    def _may_land_seconds(self) -> float:
        """For how long an earlier write of ours, whose outcome nobody knows, may be on its way."""
        return self._passes.may_land_until - self._clock()

    async def _wait_for_writers(self) -> tuple[str, ...]:
        """Until the keys that changed of late do so no more, as far as there are any."""
        before = await self._watched.seen()
        while self._watched.count and self._over is None:
            await self._sleep(WATCH_SECONDS)
            now = await self._watched.seen()
            changing, before = changed(before, now), now
            if not changing:
                break
            self._changed_at = self._clock()
            of = f"{changing:,} of {self._watched.count:,} watched keys changed just now"
            await self._tell("writers", f"stop the writers now: {of}")
        self._before = before
        return ()

    async def _wait_for_replication(self) -> tuple[str, ...]:
        """What is written in another Region comes to a global table's replica a little later."""
        regions = ", ".join(self._passes.regions)
        while regions and self._over is None:
            left = self._changed_at + REPLICATION_SECONDS - self._clock()
            if left <= 0:
                break
            told = f"waits {left:.0f} s more for what {regions} may replicate yet"
            await self._tell("replication", told)
            await self._sleep(left)
            before, self._before = self._before, await self._watched.seen()
            if changed(before, self._before):
                self._changed_at = self._clock()
        return ()

    @property
    def _not_replicated(self) -> tuple[str, ...]:
        regions = ", ".join(self._passes.regions)
        return (f"a write in {regions} that is not replicated yet",) if regions else ()

    async def _wait_for_what_may_land(self) -> tuple[str, ...]:
        """What lands behind the comparison of its key would undo what is newer."""
        if (left := self._may_land_seconds) > 0:
            told = f"of a write nobody knows what became of it: waits {left:.0f} s"
            await self._tell("doubts", told)
            await self._sleep(left)
        return ()

    async def _compare(self) -> tuple[str, ...]:
        outage = self._passes.outage()
        about = "" if outage is None else f": about {formatting.duration(outage.seconds)}"
        always = "" if self._verify == "full" else f"; --verify {self._verify} makes it no less"
        told = f"compares every key of both tables and repairs{about}{always}"
        await self._tell("compare", told)
        async with beside(self._tell_share):
            self._made = await self._passes.make_last(self._stop)
        return () if self._over else reasons_against_go(self._made, 0)

    async def _look_again(self) -> tuple[str, ...]:
        await self._tell("look", "looks whether a key has changed since")
        if self._made is None:
            return ("the last pass was not made",)
        return reasons_against_go(self._made, changed(self._before, await self._watched.seen()))

    async def _tell_share(self) -> None:
        while True:
            await anyio.sleep(SHARE_SECONDS)
            if (under_way := self._passes.under_way) is not None:
                share = formatting.percent(under_way.share)
                await self._tell(f"{under_way.phase} {share}", f"{under_way.phase}, {share}")

    # Who asked ----------------------------------------------------------------------------------

    async def _watch_who_asked(self) -> None:
        """Ends it once it is withdrawn, nobody waits any more, or its time is over."""
        while self._over is None:
            await anyio.sleep(POLL_SECONDS)
            self._over = await self._why_over()
        if not self._stop.asked:
            self._stop.ask()

    async def _why_over(self) -> str | None:
        now, transition = self._clock(), await self._file.read_transition(self._number)
        if transition.outcome is not None:
            return "it was withdrawn"
        if self._stop_of_move.asked:
            return "the process of the move was stopped"
        if transition.beats != self._beats:
            self._beats, self._beaten_at = transition.beats, now
        elif now - self._beaten_at > ABANDONED_SECONDS:
            self._is_withdrawn = True
            return "who asked for it is not there any more"
        if now - self._begun_at >= self._timeout:
            return f"{self._timeout:g} s are over: {self._reply.step}"
        return None

    async def _sleep(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self._stop.finish.wait()

    async def _tell(self, step: str, told: str) -> None:
        """A step that is new is a line more."""
        if step == self._reply.step and self._reply.lines:
            return
        after = self._clock() - self._begun_at
        lines = (*self._reply.lines, f"{after:5.1f} s  {told}")
        self._reply = replace(self._reply, step=step, since=self._clock(), lines=lines)
        await self._file.reply(self._number, self._reply)

    async def _end(self, decision: Go | NotReady) -> bool:
        end = partial(self._file.end, self._number, now=self._clock())
        if isinstance(decision, NotReady):
            reply = replace(self._reply, reasons=decision.reasons)
            await end(outcome="withdrawn" if self._is_withdrawn else "not ready", reply=reply)
            return False
        reply = replace(
            self._reply,
            step="go",
            since=self._clock(),
            shown=decision.shown,
            not_shown=decision.not_shown,
            outage_seconds=self._clock() - self._begun_at,
        )
        # Before it is stored: behind it none may begin, here or in a process after this one.
        self._passes.end()
        return await end(outcome="go", reply=reply, stage=("cutting-over", "switched"))
