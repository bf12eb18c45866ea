"""Opens one table of a move: its spool, the capture of its source, and its target's for a way back.

What changes from the moment on at which it is open will be captured, whatever happens between.
"""

import shutil
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from anyio import to_thread

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.account.streams_endpoint import streams_endpoint
from dynaferry.dynamodb.tables.describe import describe_table
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.dynamodb.tables.replication import with_replication
from dynaferry.follow.followed_table import FollowedTable
from dynaferry.follow.open_way_back import WayBackWanted, open_target_capture
from dynaferry.follow.spool import Spool
from dynaferry.follow.spool_budget import SpoolBudget
from dynaferry.follow.spool_connection import remove_spool
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.stream_closing import closed_on_purpose
from dynaferry.follow.table import open_capture, open_spool
from dynaferry.follow.table_capture import TableCapture
from dynaferry.plan.settings import CopyPlan
from dynaferry.run.lifecycle import Say
from dynaferry.run.sides import Sides
from dynaferry.state.directory import spool_path


async def open_followed_table(
    plan: CopyPlan,
    number: int,
    sides: Sides,
    stack: AsyncExitStack,
    way_back: WayBackWanted,
    *,
    spool_id: str,
    is_new: bool,
    say: Say,
    clock: Callable[[], float],
) -> FollowedTable:
    """The table number `number` of a plan, for as long as `stack` is open. Its captures do not run.

    With `is_new` what stands in its spool's place is of a move that has not begun.
    """
    names = plan.tables[number]
    described = await describe_table(sides.source, names.source_name)
    seen = await with_replication(sides.source, described)
    path = spool_path(plan.state_dir, plan.run_name, number)
    if is_new:
        await to_thread.run_sync(remove_spool, path)
    spool = await stack.enter_async_context(open_spool(path, spool_id, is_new=is_new))
    captured_until = (await spool.run(SpoolFile.origin)).alive_at or clock()
    spools = len(plan.tables) * (2 if way_back.is_wanted else 1)
    share = await to_thread.run_sync(_most_bytes, plan.spool_max_bytes, path) // spools
    budget = SpoolBudget(share)
    capture = await _open_source(plan, seen, sides.source, stack, spool, budget, clock)
    both = names.source_name, names.target_name
    table = FollowedTable(number, both, seen, spool, capture, budget, captured_until, clock())
    table.way_back = await open_target_capture(
        plan,
        number,
        sides.target,
        stack,
        way_back,
        spool_id=f"{spool_id}/back",
        budget=SpoolBudget(share),
        say=say,
        clock=clock,
    )
    return table


async def _open_source(
    plan: CopyPlan,
    seen: TableDescription,
    source: AccountSession,
    stack: AsyncExitStack,
    spool: Spool,
    budget: SpoolBudget,
    clock: Callable[[], float],
) -> TableCapture:
    return await stack.enter_async_context(
        open_capture(
            source,
            seen,
            spool,
            endpoint=await streams_endpoint(source),
            clock=clock,
            keys_only=lambda: budget.is_over,
            is_to_end=seen.stream_arn is None and seen.arn in await closed_on_purpose(plan),
        )
    )


def _most_bytes(given: int | None, spool: Path) -> int:
    """Half of what is free, unless something is given."""
    return given if given is not None else shutil.disk_usage(spool.parent).free // 2
