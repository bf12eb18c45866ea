"""Puts together the way back of a move: the capture of its targets, and what applies it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Self

from anyio import to_thread
from msgspec import Struct
from msgspec.structs import replace

from dynaferry.control.run_limits import RunCaps
from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.account.streams_endpoint import streams_endpoint
from dynaferry.dynamodb.tables.describe import describe_table
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.dynamodb.tables.replication import with_replication
from dynaferry.errors import ItemRefusedError, NotReadyError, PlanError
from dynaferry.follow.back_table import BackTable
from dynaferry.follow.both_sides import BothSides
from dynaferry.follow.followed_table import FollowedTable
from dynaferry.follow.own_writes import OwnWrites
from dynaferry.follow.spool import Spool
from dynaferry.follow.spool_budget import SpoolBudget
from dynaferry.follow.spool_connection import remove_spool
from dynaferry.follow.switched_table import SwitchedTable
from dynaferry.follow.table import open_applier, open_capture, open_spool
from dynaferry.follow.table_capture import TableCapture
from dynaferry.follow.target_capture import TargetCapture
from dynaferry.observe.stats import TableStats
from dynaferry.plan.settings import Account, CopyPlan
from dynaferry.ports import ChangeRecord
from dynaferry.preflight.stream_words import call_that_enables
from dynaferry.run.lifecycle import Say
from dynaferry.run.sides import Sides, open_side
from dynaferry.state.directory import way_back_path
from dynaferry.state.move_records import MoveRecord, TransitionRequest


class WayBackWanted(Struct, frozen=True):
    """Whether a move captures its targets, and whether what was captured of them counts already.

    `is_applied`: it stands on this side of a switch, so that what waits goes to the targets.
    """

    is_wanted: bool
    is_switched: bool
    is_applied: bool = True

    @classmethod
    def of(cls, plan: CopyPlan, move: MoveRecord | None, say: Say) -> Self:
        """Before the switch what the plan says counts, behind it what was captured."""
        wanted = plan.way_back == "keep"
        if move is None or move.switched_at is None:
            return cls(wanted, is_switched=False)
        if wanted and not move.has_way_back:
            say("there is no way back: it was switched with --way-back none")
        is_applied = move.stage not in ("switched", "going-back", "returned")
        return cls(move.has_way_back, is_switched=True, is_applied=is_applied)


async def open_target_capture(
    plan: CopyPlan,
    number: int,
    target: AccountSession,
    stack: AsyncExitStack,
    wanted: WayBackWanted,
    *,
    spool_id: str,
    budget: SpoolBudget,
    say: Say,
    clock: Callable[[], float],
) -> TargetCapture | None:
    """The capture of a target, with its spool, for as long as `stack` is open. Not running.

    What stands in the spool's place before the switch is nobody's.
    """
    path = way_back_path(plan.state_dir, plan.run_name, number)
    if not wanted.is_switched:
        await to_thread.run_sync(remove_spool, path)
    if not wanted.is_wanted:
        return None
    opening = open_spool(path, spool_id, is_new=not wanted.is_switched)
    spool = await stack.enter_async_context(opening)
    name = plan.tables[number].target_name
    own = OwnWrites()

    def seen(changes: Sequence[ChangeRecord]) -> None:
        if own.seen(changes, clock()):
            say(f"{name}: somebody else writes to the target, where nobody has to before a switch")

    opens = partial(_opened, target, name, spool, budget, seen, clock)
    return TargetCapture(name, spool, budget, own, opens, say, clock)


@asynccontextmanager
async def _opened(
    target: AccountSession,
    name: str,
    spool: Spool,
    budget: SpoolBudget,
    seen: Callable[[Sequence[ChangeRecord]], None],
    clock: Callable[[], float],
) -> AsyncIterator[TableCapture]:
    """The capture of the target as it is now; `seen` is told of what it passes over.

    :raises NotReadyError: it has no stream
    """
    there = await describe_table(target, name)
    if there.stream_arn is None:
        raise _without_stream(there, target.region)
    async with open_capture(
        target,
        there,
        spool,
        endpoint=await streams_endpoint(target),
        clock=clock,
        keys_only=lambda: budget.is_over,
        passes_over=(lambda: spool.passes_over, seen),
    ) as capture:
        yield capture


class _RefusedBySource:
    """What the source refuses is set aside in the spool: it speaks against a go. See
    `RejectedChanges`.
    """

    def check(self, key: bytes, error: ItemRefusedError) -> None:
        pass

    async def accepted(self, keys: Sequence[bytes]) -> None:
        pass


@asynccontextmanager
async def open_back(
    plan: CopyPlan,
    sides: Sides,
    followed: Sequence[FollowedTable],
    switched: Sequence[SwitchedTable],
    request: TransitionRequest,
) -> AsyncIterator[list[BackTable]]:
    """The tables of a move to be gone back, with the source opened by the role that may write it.

    :raises AccessDeniedError: the role may not be assumed
    :raises PlanError: none is named
    """
    back = _exchanged(plan)
    caps = RunCaps(back)
    async with AsyncExitStack() as stack:
        writer = await stack.enter_async_context(
            open_side(plan, writing_account(plan.source, request), "source")
        )
        exchanged = Sides(source=sides.target, target=writer)
        yield [
            await stack.enter_async_context(_back_table(back, exchanged, table, looked.both, caps))
            for table, looked in zip(followed, switched, strict=True)
        ]


@asynccontextmanager
async def _back_table(
    back: CopyPlan, exchanged: Sides, table: FollowedTable, both: BothSides, caps: RunCaps
) -> AsyncIterator[BackTable]:
    """A table to be gone back, from what is a target up to now to what is a source."""
    capture = table.way_back
    if capture is None:
        raise NotReadyError(f"the target of {table.source} was not captured")
    seen = await describe_table(exchanged.target, table.source)
    check_is_the_source(seen, table.seen)
    there = await describe_table(exchanged.source, table.target)
    there = await with_replication(exchanged.source, there)
    async with open_applier(
        back,
        table.number,
        exchanged,
        there,
        seen,
        capture.spool,
        _RefusedBySource(),
        TableStats(source=table.target, target=table.source, segments_total=1),
        caps,
        clock=capture.clock,
    ) as applier:
        yield BackTable(table.source, there, capture, applier, both, capture.clock)


def check_is_the_source(seen: TableDescription, read: TableDescription) -> None:
    """Returns if what a cut-back would write to is the table that the move has read.

    A role of another account sees another table of that name.

    :raises PlanError: it is not
    """
    if (seen.arn, seen.table_id) != (read.arn, read.table_id):
        which = "another table" if seen.arn == read.arn else seen.arn
        raise PlanError(
            f"who is named to write to the source sees {which}, and the source is {read.arn}",
            hint="name a role or a profile of the source's account and Region",
            table=read.name,
        )


def writing_account(source: Account, request: TransitionRequest) -> Account:
    """The source's account under the role or profile that a cut-back names.

    :raises PlanError: it names none
    """
    if request.write_role_arn is None and request.write_profile is None:
        raise PlanError(
            "nothing says who may write to the source",
            hint="dynaferry cut-back RUN --source-write-role-arn ARN",
        )
    named = {} if request.write_profile is None else {"profile": request.write_profile}
    return replace(source, role_arn=request.write_role_arn, **named)


def _exchanged(plan: CopyPlan) -> CopyPlan:
    """The plan from the target to the source, under no cap: those of the plan are its target's."""
    tables = tuple(
        replace(t, source=t.target, target=t.source, max_read_units=None, max_write_units=None)
        for t in plan.tables
    )
    return replace(
        plan,
        tables=tables,
        source=plan.target,
        target=plan.source,
        max_read_units=None,
        max_write_units=None,
    )


def _without_stream(table: TableDescription, region: str) -> NotReadyError:
    return NotReadyError(
        f"the target table {table.name} has no stream",
        hint=f"enable one: {call_that_enables(table, region)}",
        operation="DescribeTable",
        table=table.name,
    )
