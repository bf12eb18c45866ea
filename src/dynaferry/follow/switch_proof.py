"""What takes long in a switch: every key compared before the go, and the streams disabled."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import anyio

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.follow.cut_over import TableLook, captured_of
from dynaferry.follow.followed_table import FollowedTable
from dynaferry.follow.stream_closing import StreamClosing
from dynaferry.follow.whole_comparison import compare_whole, differing_keys
from dynaferry.plan.settings import CopyPlan
from dynaferry.run.lifecycle import Say
from dynaferry.state.facts_file import ClosedProof
from dynaferry.state.move_records import CutOverProof
from dynaferry.stop import StopSignal
from dynaferry.verify.state.store import VerificationStore

# How all tables stand now.
Looks = Callable[[], Awaitable[Sequence[TableLook]]]

_LOOK_SECONDS: Final = 0.5


class SwitchProof(Protocol):
    """Does it for one move."""

    async def refusals(self, proof: CutOverProof) -> tuple[str, ...]:
        """Why that proof cannot be had; empty where it can."""
        ...

    async def close(self) -> ClosedProof:
        """Asks for the end of the sources' streams; returns whether that will be proof."""
        ...

    async def undo(self) -> None:
        """Nothing was switched: streams that are disabled are enabled again, however long that
        takes.
        """
        ...

    def not_undone(self) -> tuple[str, ...]:
        """Why that cannot be done, as long as it cannot; empty where nothing is in its way."""
        ...

    async def compare_all(self, looks: Looks) -> tuple[int, int] | None:
        """Compares every key of both sides: how many there are in the source, and how many differ;
        None where something was captured meanwhile, or a stop asked for.
        """
        ...


class MoveProof:
    """The proofs of a move of these tables. A `SwitchProof`."""

    def __init__(
        self,
        plan: CopyPlan,
        source: AccountSession,
        tables: Sequence[FollowedTable],
        stop: StopSignal,
        say: Say,
    ) -> None:
        self._plan = plan
        self._stop = stop
        self._say = say
        self._closing = StreamClosing(plan, source, tables, say)

    async def refusals(self, proof: CutOverProof) -> tuple[str, ...]:
        """See `SwitchProof`."""
        return await self._closing.refusals() if proof == "closed" else ()

    async def close(self) -> ClosedProof:
        """See `SwitchProof`."""
        return await self._closing.close()

    async def undo(self) -> None:
        """See `SwitchProof`."""
        await self._closing.reopen()

    def not_undone(self) -> tuple[str, ...]:
        """See `SwitchProof`."""
        return self._closing.troubles

    async def compare_all(self, looks: Looks) -> tuple[int, int] | None:
        """See `SwitchProof`."""
        before, found = captured_of(await looks()), None
        async with anyio.create_task_group() as group:

            async def leave_once_changed() -> None:
                while True:
                    await anyio.sleep(_LOOK_SECONDS)
                    if captured_of(await looks()) != before:
                        group.cancel_scope.cancel()

            group.start_soon(leave_once_changed)
            found = await self._compared()
            group.cancel_scope.cancel()
        return found

    async def _compared(self) -> tuple[int, int] | None:
        # What an earlier comparison has found is older than what was applied since.
        await VerificationStore.discard_any(self._plan.state_dir, self._plan.run_name)
        outcome = await compare_whole(self._plan, stop=self._stop, say=self._say)
        if outcome.error is not None:
            raise outcome.error
        summary = outcome.summary
        if summary.status == "interrupted":
            return None
        for table, key in differing_keys(summary):
            self._say(f"{table}: differs on both sides: {key}")
        keys = sum(table.source_items for table in summary.tables)
        differing = sum(
            table.missing + table.extra + table.different + table.rejected + table.in_flux
            for table in summary.tables
        )
        return keys, 0 if summary.status == "equal" else max(1, differing)
