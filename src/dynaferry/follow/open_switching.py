"""Puts together what answers a cut-over beside the appliers of a move."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import anyio

from dynaferry.dynamodb.tables.describe import describe_table
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.follow.applier import Applier
from dynaferry.follow.both_sides import open_both_sides
from dynaferry.follow.chosen import NotFollowed, check_all_followed, plan_of
from dynaferry.follow.followed_table import FollowedTable
from dynaferry.follow.open_way_back import open_back
from dynaferry.follow.switch_proof import MoveProof
from dynaferry.follow.switched_table import SwitchedTable, stage_of
from dynaferry.follow.switching import Switching
from dynaferry.plan.settings import CopyPlan
from dynaferry.run.lifecycle import Say, closing
from dynaferry.run.sides import Sides
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.stop import StopSignal


@asynccontextmanager
async def open_switching(
    plan: CopyPlan,
    sides: Sides,
    tables: Sequence[FollowedTable],
    targets: Sequence[TableDescription],
    appliers: Sequence[Applier],
    stop: StopSignal,
    say: Say,
    *,
    goes_forward: bool = False,
    without: Sequence[NotFollowed] = (),
) -> AsyncIterator[Switching]:
    """What answers, in the state that is stored: behind a switch the appliers are held already.

    `plan` names all tables of the run by their numbers, `without` those that nobody follows.
    """
    file = await MoveFile.open(plan.state_dir, plan.run_name)
    async with closing(file), AsyncExitStack() as stack:
        switched = [
            SwitchedTable(
                table,
                applier,
                await stack.enter_async_context(open_both_sides(sides, table.seen, there)),
                there.late_regions,
            )
            for table, there, applier in zip(tables, targets, appliers, strict=True)
        ]

        switching = Switching(
            file,
            switched,
            stop,
            say,
            stage_now=lambda: stage_of(switched),
            refresh=partial(_look_at_targets, sides, switched, without),
            opens_back=partial(open_back, plan, sides, tables, switched),
            goes_forward=goes_forward,
            proof=MoveProof(plan_of(plan, tables), sides.source, tables, stop, say),
            clock=tables[0].capture.clock,
        )
        await switching.begin()
        yield switching


async def _look_at_targets(
    sides: Sides, tables: Sequence[SwitchedTable], without: Sequence[NotFollowed]
) -> None:
    """Asks for the state of all targets, side by side.

    :raises NotReadyError: a table of the run is not followed
    """
    check_all_followed(without)

    async def look_at(table: SwitchedTable) -> None:
        table.target_status = (await describe_table(sides.target, table.target)).status

    async with anyio.create_task_group() as group:
        for table in tables:
            group.start_soon(look_at, table)
