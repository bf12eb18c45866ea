"""Behind the go every key is compared, with nobody waiting.

The source stands still and the target is in use. So a key counts as different only if neither
side's stream has shown it since the go: what the application wrote is no fault, and neither is a
late write, which is told elsewhere. It takes as long as it takes, at the rates that a verification
has; another process goes on with it where one ends, and the certificate says what was found. Once
the writers go back to the source it is left.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

import anyio
from anyio import to_thread

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.errors import DynaferryError, StateError
from dynaferry.follow.after_go_certificate import (
    AfterGoTable,
    LeftKeys,
    certificate_of,
    lines_of,
    read_after_go,
    table_of,
    write_after_go,
)
from dynaferry.follow.followed_table import FollowedTable
from dynaferry.follow.spools_left import remove_witnesses
from dynaferry.follow.whole_comparison import SETTLE_SECONDS, compare_whole, whole_plan
from dynaferry.follow.witness import open_witness
from dynaferry.follow.written_behind import WatchedStream, WrittenBehind
from dynaferry.plan.settings import CopyPlan
from dynaferry.run.lifecycle import Say, beside, closing, first_reason
from dynaferry.state.directory import after_go_path, spool_path, way_back_path
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.stop import StopSignal
from dynaferry.verify.state.store import VerificationStore
from dynaferry.verify.summary import ComparisonSummary, VerifySummary

RETRY_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.5
_KEYS_AT_ONCE: Final = 500
_MOST_KEYS_TOLD: Final = 20


class AfterGo:
    """The comparison behind the go of one move, with what its ways back capture of the targets."""

    def __init__(
        self,
        plan: CopyPlan,
        target: AccountSession,
        tables: Sequence[FollowedTable],
        stop: StopSignal,
        say: Say,
    ) -> None:
        self._plan = plan
        self._target = target
        self._tables = tables
        self._stop = stop
        self._say = say
        self._clock = tables[0].capture.clock

    async def run(self) -> None:
        """Compares once it is switched, until it is cancelled."""
        while True:
            await anyio.sleep(LOOK_SECONDS)
            if not self._is_switched():
                continue
            try:
                go = await self._switched_at()
                if go is not None and not await self._is_certified(go):
                    await self._verify(go)
            except* DynaferryError as group:
                why = first_reason(group).message
                if not self._stop.asked:
                    self._say(f"behind the go, again in {RETRY_SECONDS:.0f} s: not compared: {why}")
                await anyio.sleep(RETRY_SECONDS)

    def _is_switched(self) -> bool:
        return all(table.is_switched and table.stands == "switched" for table in self._tables)

    async def _switched_at(self) -> float | None:
        file = await MoveFile.open(self._plan.state_dir, self._plan.run_name)
        async with closing(file):
            move = await file.read_move()
        return move.switched_at if move is not None and move.stage == "switched" else None

    async def _is_certified(self, go: float) -> bool:
        """Whether that was done, for this very go."""
        read = partial(read_after_go, self._plan.state_dir, self._plan.run_name)
        certificate = await to_thread.run_sync(read)
        return certificate is not None and certificate.go == go

    async def _verify(self, go: float) -> None:
        await self._drop_what_is_older(go)
        async with self._written(go) as written:
            for table, known in zip(self._tables, written, strict=True):
                how = "what is written to the target meanwhile is known by its stream"
                if known.unknown is not None:
                    how = f"what the application writes is not known apart: {known.unknown}"
                self._say(f"{table.source}: every key is compared now, with nobody waiting; {how}")
            for known in written:
                # What was written to a target long before the go may have to be read past.
                await known.known_until(go)
            stop = StopSignal()
            async with beside(partial(self._stop_with, stop)):
                outcome = await compare_whole(
                    self._plan, stop=stop, say=self._say, written_since=written
                )
            if outcome.error is not None:
                raise outcome.error
            if outcome.summary.status == "interrupted":
                return
            await self._certify(outcome.summary, written, go)
        run = (self._plan.state_dir, self._plan.run_name)
        await to_thread.run_sync(remove_witnesses, *run, _numbers(self._tables))

    async def _stop_with(self, stop: StopSignal) -> None:
        """Ends it where the process is to end, or the move goes back."""
        while True:
            if self._stop.asked or not self._is_switched():
                stop.finish.set()
                return
            await anyio.sleep(LOOK_SECONDS)

    async def _drop_what_is_older(self, go: float) -> None:
        """What was compared before the go says nothing of what is behind it."""
        run = (self._plan.state_dir, self._plan.run_name)
        try:
            store = await VerificationStore.open(*run)
        except StateError:
            return  # there is none, or the comparison itself says what is wrong with it
        async with closing(store):
            began_at = (await store.read_run()).created_at
        if began_at < go:
            await VerificationStore.discard_any(*run)

    @asynccontextmanager
    async def _written(self, go: float) -> AsyncIterator[list[WrittenBehind]]:
        """By table, what is written while the block lasts, and since the go."""
        async with AsyncExitStack() as stack:
            known = []
            for table in self._tables:
                path = spool_path(self._plan.state_dir, self._plan.run_name, table.number)
                stream: WatchedStream | None = None
                why: str | None = None
                if table.way_back is not None:
                    back = way_back_path(self._plan.state_dir, self._plan.run_name, table.number)
                    stream = WatchedStream(back, table.way_back)
                else:
                    opening = open_witness(self._plan, self._target, table, go, self._say)
                    stream, why = await stack.enter_async_context(opening)
                source = WatchedStream(path, table.capture)
                known.append(WrittenBehind(source, stream, unknown=why))
            yield known

    # The end ------------------------------------------------------------------------------------

    async def _certify(
        self, summary: VerifySummary, written: Sequence[WrittenBehind], go: float
    ) -> None:
        tables = []
        store = await VerificationStore.open(self._plan.state_dir, self._plan.run_name)
        async with closing(store):
            record = await store.read_run()
            for number, compared in enumerate(summary.tables):
                table = await self._judged(store, number, compared, written[number])
                tables.append(table)
        if await self._switched_at() != go:
            return  # it is on its way back, and what was written since leaves its spool
        certificate = certificate_of(
            summary,
            tables,
            run=self._plan.run_name,
            go=go,
            began_at=record.created_at,
            ended_at=self._clock(),
            settle_seconds=whole_plan(self._plan).settle_seconds,
        )
        path = after_go_path(self._plan.state_dir, self._plan.run_name)
        await to_thread.run_sync(write_after_go, self._plan.state_dir, certificate)
        for line in lines_of(certificate, path):
            self._say(line)

    async def _judged(
        self,
        store: VerificationStore,
        number: int,
        compared: ComparisonSummary,
        written: WrittenBehind,
    ) -> AfterGoTable:
        """What differs and was not written since, even by records that came late."""
        await written.known_until(self._clock() - SETTLE_SECONDS)
        kinds: dict[str, int] = {}
        after = b""
        while found := await store.read_differences(number, _KEYS_AT_ONCE, after):
            after = found[-1].key
            known = await written.among([one.key for one in found])
            for one in found:
                if one.key in known:
                    continue
                kinds[one.kind] = kinds.get(one.kind, 0) + 1
                if sum(kinds.values()) <= _MOST_KEYS_TOLD:
                    key = one.key.decode("utf-8", "replace")
                    self._say(f"{compared.source}: {one.kind} behind the go: {key}")
        # A record that came in between has made it fewer.
        unknown = await self._unknown_keys(store, number, written)
        kinds["in_flux"] = max(0, unknown - sum(kinds.values()))
        counts = await written.counts()
        return table_of(compared, LeftKeys(**kinds), counts, written.unknown)

    async def _unknown_keys(
        self, store: VerificationStore, number: int, written: WrittenBehind
    ) -> int:
        """How many keys were not found equal, in flux or not, and were not written since."""
        total, after = 0, b""
        while keys := await store.read_unequal_keys(number, _KEYS_AT_ONCE, after):
            after = keys[-1]
            total += len(keys) - len(await written.among(keys))
        return total


def _numbers(tables: Sequence[FollowedTable]) -> int:
    """So many numbers there are up to that of the last of these tables."""
    return max(table.number for table in tables) + 1
