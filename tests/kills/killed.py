"""A copy whose process is killed with SIGKILL, again and again, and what is left each time.

After every kill the state file is judged against both tables as the endpoint holds them; the next
attempt shows how much was written again. All of that is the endpoint's view.
"""

import asyncio
import random
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec
from msgspec.structs import replace

from dynaferry.observe.summary import RunSummary
from dynaferry.plan.settings import CopyPlan
from dynaferry.state.directory import state_path
from dynaferry.state.sqlite.store import SqliteStore
from tests.faults.judge import Verdict, acknowledged, is_refused, judge_finished, judge_state
from tests.faults.stored import Position
from tests.faults.world import RUN, World
from tests.kills.copy_child import shares_path
from tests.worlds.endpoint import Request

ROOT = Path(__file__).parents[2]
SECOND = 1.0
PAGES_AHEAD = 2  # of a segment, see `copy/ledger.py`


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """How one attempt is killed: at a named point, or after so many requests of any time."""

    point: str = ""
    spared: int = 0
    after_requests: int = 0
    after_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """What a kill left behind, to be compared with what the next attempt writes."""

    acknowledged: frozenset[Position]
    puts_before: int
    since_checkpoint_seconds: float | None


class KilledCopy:
    """One copy through all its attempts."""

    def __init__(
        self,
        world: World,
        state_dir: Path,
        *,
        checkpoint_seconds: float,
        max_write_units: float | None = None,
    ) -> None:
        self._world = world
        self._max_write_units = max_write_units
        self._checkpoint_seconds = checkpoint_seconds
        self._state_dir = state_dir
        self._remains: Remains | None = None
        self.verdict = Verdict()
        self.written_again: list[int] = []
        self.since_checkpoint_seconds: list[float] = []
        self.faults: list[str] = []
        self.shares_shown: list[float] = []

    def _plan(self) -> CopyPlan:
        return replace(
            self._world.plan(self._state_dir),
            patience_seconds=60.0,
            max_write_units=self._max_write_units,
        )

    async def killed_attempt(self, kill: Kill) -> bool:
        """Makes an attempt that is killed, unless it is done before; returns whether it was."""
        puts_before = len(self._world.service.puts)
        child = await self._start(kill)
        if not kill.point:
            self._kill_later(child, kill)
        output, _ = await child.communicate()
        self._world.weather.before_request = None
        killed_at = time.time()
        self._judge_shares()
        await self._note_written_again()
        if child.returncode == 0:
            return False
        assert child.returncode == -signal.SIGKILL, output.decode()
        if state_path(self._state_dir, RUN).exists():
            self.verdict.add(
                await judge_state(self._world.source, self._world.target, self._state_dir, RUN)
            )
            self._remains = await self._look_at_remains(killed_at)
            self._judge_cost(self._remains, puts_before)
        return True

    async def last_attempt(self) -> RunSummary:
        """Copies to the end, and judges the whole."""
        child = await self._start(Kill())
        output, _ = await child.communicate()
        assert child.returncode == 0, output.decode()
        self._judge_shares()
        await self._note_written_again()
        summary = msgspec.json.decode(output, type=RunSummary)
        world = self._world
        self.verdict.add(
            await judge_finished(
                world.service, world.source, world.target, summary, self._state_dir
            )
        )
        return summary

    async def _start(self, kill: Kill) -> Process:
        plan = msgspec.json.encode(self._plan(), enc_hook=str).decode()
        arguments = (plan, str(self._checkpoint_seconds), kill.point, str(kill.spared))
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.kills.copy_child", *arguments, stdout=PIPE, cwd=ROOT
        )

    def _kill_later(self, child: Process, kill: Kill) -> None:
        left = kill.after_requests
        loop = asyncio.get_running_loop()

        def strike() -> None:
            if child.returncode is None:
                child.kill()

        def count(_: Request) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                loop.call_later(kill.after_seconds, strike)

        self._world.weather.before_request = count

    def _judge_shares(self) -> None:
        """No share that was shown is below one that was shown before, in whichever attempt."""
        path = shares_path(self._state_dir)
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        whole = [line for line in lines if line.endswith("\n")]  # a kill may have cut the last one
        shown = [[float(share) for share in line.split()] for line in whole]
        for before, after in pairwise(shown):
            if any(now < then for then, now in zip(before, after, strict=True)):
                self.faults.append(f"a share fell: {before} to {after}")
        self.shares_shown = [shares[0] for shares in shown]

    async def _look_at_remains(self, killed_at: float) -> Remains:
        world = self._world
        store = await SqliteStore.open_for_reading(self._state_dir, RUN)
        try:
            run = await store.read_run()
            records = await store.read_segments(0)
        finally:
            await store.aclose()
        checkpointed_at = run.checkpointed_at
        return Remains(
            acknowledged=acknowledged(world.source, records, run.identity),
            puts_before=len(world.service.puts),
            since_checkpoint_seconds=checkpointed_at
            and killed_at - max(checkpointed_at, run.started_at),
        )

    def _judge_cost(self, remains: Remains, puts_before: int) -> None:
        """What this attempt has put and not acknowledged, so that it will be put again.

        At most what the service took in the last second in which it took anything of it. What was
        in flight at the kill is part of that, since the endpoint answers within a part of a second.
        Where bad items are looked for, their pages wait meanwhile: then all pages that can be open
        may be put again. What an earlier kill cost may still be owed, and is not this one's.
        """
        puts = self._world.service.puts[puts_before:]
        cost = {position for position, _ in puts} - remains.acknowledged
        recent = {position for position, when in puts if when >= puts[-1][1] - SECOND}
        if len(cost) > len(recent) + self._items_that_may_wait():
            self.faults.append(
                f"{len(cost)} to be written again, and {len(recent)} were of the last second"
            )

    def _items_that_may_wait(self) -> int:
        source = self._world.source
        if not any(is_refused(source, item) for item in source.items.values()):
            return 0
        return PAGES_AHEAD * self._plan().readers * source.page_items

    async def _note_written_again(self) -> None:
        """What the attempt since the kill has put that had been put before."""
        remains, self._remains = self._remains, None
        if remains is None:
            return
        puts = self._world.service.puts
        before = {position for position, _ in puts[: remains.puts_before]}
        again = {position for position, _ in puts[remains.puts_before :]} & before
        self.written_again.append(len(again))
        if remains.since_checkpoint_seconds is not None:
            self.since_checkpoint_seconds.append(remains.since_checkpoint_seconds)
        if again & remains.acknowledged:
            self.faults.append(f"acknowledged and written again: {again & remains.acknowledged}")


def random_kill(chance: random.Random, requests: int) -> Kill:
    """At any time of an attempt that makes about so many requests."""
    return Kill(after_requests=chance.randrange(1, requests), after_seconds=chance.uniform(0, 2.0))
