"""The proof of a cut-over: the sources' streams disabled, so that each of their shards has an end.

A stream that is open proves nothing by its silence. One that was disabled behind the last write has
an end, and what is read to it is all that it holds; whether that is every write before, only the
service knows, and `bench facts` measures it. Only a stream that this move has enabled is disabled,
since others may read any other one; that of a global table cannot be.

It is noted before the call, so that a process which ends in between is known to have made it. Where
nothing was switched the stream is enabled again: it is another one then, and what was written
between the two is in neither, which is a gap.
"""

import time
from collections.abc import Collection, Sequence
from typing import Final

import anyio
from anyio import to_thread

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.environment.settings import whose_endpoint
from dynaferry.dynamodb.tables.describe import describe_table
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.dynamodb.tables.enable_stream import disable_stream, enable_stream
from dynaferry.dynamodb.tables.replication import with_replication
from dynaferry.errors import DynaferryError
from dynaferry.follow.enabled_streams import closed_streams, enabled_streams, note_enabling
from dynaferry.follow.followed_table import FollowedTable
from dynaferry.plan.settings import CopyPlan
from dynaferry.run.lifecycle import Say
from dynaferry.state.facts_file import ClosedProof, closed_proof

# How long after a stream that could not be enabled again the next try is made.
RETRY_SECONDS: Final = 10.0
NOT_OURS: Final = (
    "its stream was not enabled by this move, and --proof closed would disable it for others too"
)
OF_A_GLOBAL_TABLE: Final = "it is a global table, whose stream cannot be disabled"
NO_LONGER_THERE: Final = "its stream is not the one that this move has enabled"


def why_not_closed(seen: TableDescription, ours: Collection[str]) -> str | None:
    """Why the stream of a source may not be disabled; None where it may. Pure.

    `ours` are the ARNs of the streams that the move has enabled.
    """
    if seen.replicas or seen.is_legacy_global:
        return OF_A_GLOBAL_TABLE
    if seen.stream_arn is None:
        return NO_LONGER_THERE
    return None if seen.stream_arn in ours else NOT_OURS


class StreamClosing:
    """The streams of one move's sources."""

    def __init__(
        self,
        plan: CopyPlan,
        source: AccountSession,
        tables: Sequence[FollowedTable],
        say: Say,
    ) -> None:
        self._plan = plan
        self._source = source
        self._tables = tables
        self._say = say
        self._seen: dict[int, TableDescription] = {}
        self._disabled: set[int] = set()
        self._enabling: set[int] = set()
        self._troubles: dict[int, str] = {}

    @property
    def troubles(self) -> tuple[str, ...]:
        """Why streams cannot be enabled again, by table, as of the last try."""
        return tuple(self._troubles.values())

    async def refusals(self) -> tuple[str, ...]:
        """Everything that speaks against it, by table."""
        run = (self._plan.state_dir, self._plan.run_name)
        noted = await to_thread.run_sync(enabled_streams, *run)
        ours = {each.stream for each in noted if each.stream is not None}
        found = []
        for table in self._tables:
            seen = await describe_table(self._source, table.source)
            seen = await with_replication(self._source, seen)
            if (why := why_not_closed(seen, ours)) is not None:
                found.append(f"{table.source}: {why}")
        return tuple(found)

    async def close(self) -> ClosedProof:
        """Asks for the end of every stream; returns whether that is proof, when it is drained.

        :raises DynaferryError: the service refuses it
        """
        proof = ClosedProof(True, "")
        for table in self._tables:
            seen = self._seen[table.number] = await describe_table(self._source, table.source)
            service = whose_endpoint(seen.endpoint)
            measured = await to_thread.run_sync(
                closed_proof, self._plan.state_dir, seen.arn, service
            )
            proof = measured if proof.is_proof else proof
        async with anyio.create_task_group() as group:
            for table in self._tables:
                group.start_soon(self._close, table)
        return proof

    async def _close(self, table: FollowedTable) -> None:
        seen = self._seen[table.number]
        # Before the note: cancelled behind it this is to be undone as well.
        table.capture.is_to_end = True
        await self._note(seen, seen.stream_arn, closed_at=time.time())
        self._say(f"{table.source}: its stream is being disabled")
        await disable_stream(self._source, seen, say=self._say)
        self._disabled.add(table.number)
        if (current := table.capture.current) is not None:
            current.want_listing()

    async def reopen(self) -> None:
        """Nothing was switched: returns when the sources have streams again."""
        async with anyio.create_task_group() as group:
            for table in self._tables:
                if table.capture.is_to_end:
                    group.start_soon(self._reopen, table)

    async def _reopen(self, table: FollowedTable) -> None:
        """Enables it again; or says that it may be off, where the process ends before it is on."""
        try:
            await self._reopen_patiently(table)
        except anyio.get_cancelled_exc_class():
            self._say(
                f"{table.source}: its stream {self._stands(table)}; what is written as long as it"
                " is off is in none: the same move command enables it again, and compares every key"
            )
            raise

    async def _reopen_patiently(self, table: FollowedTable) -> None:
        """Again and again: as long as it is disabled nothing that changes is captured."""
        seen, stats = self._seen[table.number], table.capture.stats
        while True:
            try:
                if not await self._is_on(table):
                    self._enabling.add(table.number)
                    await enabled_again(self._plan, self._source, seen, self._say)
                break
            except DynaferryError as error:
                self._enabling.discard(table.number)
                told = f"its stream {self._stands(table)} and cannot be enabled again: "
                told += error.message
                if told != stats.trouble:
                    self._say(f"{table.source}: {told}")
                stats.trouble = told
                self._troubles[table.number] = f"{table.source}: {told}"
            await anyio.sleep(RETRY_SECONDS)
        stats.trouble = None
        self._troubles.pop(table.number, None)
        table.capture.is_to_end = False
        self._disabled.discard(table.number)
        self._enabling.discard(table.number)

    def _stands(self, table: FollowedTable) -> str:
        """How the stream stands, as far as is known here."""
        is_known = table.number in self._disabled - self._enabling
        return "is disabled" if is_known else "may be disabled"

    async def _is_on(self, table: FollowedTable) -> bool:
        """Whether it was not disabled at all, as where the role may not do that; this is noted."""
        before = self._seen[table.number]
        there = await describe_table(self._source, table.source)
        if table.number in self._disabled or there.stream_arn != before.stream_arn:
            return False
        await self._note(before, before.stream_arn, closed_at=None)
        return True

    async def _note(
        self, seen: TableDescription, stream: str | None, *, closed_at: float | None
    ) -> None:
        await note_enabling(
            self._plan.state_dir, self._plan.run_name, seen.arn, stream, closed_at=closed_at
        )


async def enabled_again(
    plan: CopyPlan, source: AccountSession, table: TableDescription, say: Say
) -> None:
    """Enables the stream that a cut-over has disabled, or was about to, and notes it.

    :raises DynaferryError: the service refuses it
    """
    say(f"{table.name}: its stream is being enabled again")
    seen, is_ours = await enable_stream(source, table, say=say)
    # Where it was not disabled yet it is the same as before, and ours.
    is_ours = is_ours or seen.stream_arn == table.stream_arn
    await note_enabling(plan.state_dir, plan.run_name, seen.arn, seen.stream_arn, is_ours=is_ours)


async def closed_on_purpose(plan: CopyPlan) -> dict[str, str | None]:
    """By the ARNs of their tables, those of the streams that a cut-over has disabled, or was about
    to.
    """
    noted = await to_thread.run_sync(closed_streams, plan.state_dir, plan.run_name)
    return {each.table: each.stream for each in noted}
