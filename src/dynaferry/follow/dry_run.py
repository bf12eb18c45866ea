"""A dry run of a move: all that a move looks at, and what it would cost. Nothing is written."""

import time
from collections.abc import Sequence
from typing import Final

import anyio
from msgspec import Struct

from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.errors import DynaferryError
from dynaferry.follow.move_tables import move_of
from dynaferry.plan.settings import CopyPlan
from dynaferry.plan.validation import validate
from dynaferry.preflight.estimate import as_created
from dynaferry.preflight.following import FollowingCost, following_cost, keeps_up
from dynaferry.preflight.inspection import TablePreflight
from dynaferry.preflight.notice import Notice, warning
from dynaferry.preflight.notices import WRITES_DURING_COPY
from dynaferry.preflight.stream_words import StreamFindings, stream_notices
from dynaferry.preflight.streams import inspect_streams, measured_rate
from dynaferry.run.copy_tables import looked_at
from dynaferry.run.lifecycle import Say, say_nothing
from dynaferry.run.matching import with_tables
from dynaferry.run.resume import stored_run
from dynaferry.run.sides import Sides, open_sides
from dynaferry.run.tables import selected
from dynaferry.shared.problems import all_of, each_once, parts_of

# For so long the streams are watched to see how much changes.
MEASURED_SECONDS: Final = 5.0
# What is reckoned with where nothing was seen to change.
EXAMPLE_RATE: Final = 1_000.0


class MoveEstimate(Struct, frozen=True, kw_only=True):
    """One table that may be moved.

    `changes_per_second` is None where it could not be measured; `cost` is that of the measured
    rate, or of an example where nothing was seen to change.
    """

    copy: TablePreflight
    stream: StreamFindings
    changes_per_second: float | None
    cost: FollowingCost
    notices: tuple[Notice, ...]


async def dry_run(
    plan: CopyPlan, *, say: Say | None = None, measured_seconds: float = MEASURED_SECONDS
) -> tuple[MoveEstimate, ...]:
    """Looks at everything that a move would look at, of every table, and writes nothing.

    :raises DynaferryError: all that a move would refuse, or fail with, at once
    """
    say = say or say_nothing
    plan = await with_tables(validate(plan), say)
    async with open_sides(plan, say) as sides:
        problems = await _problems_of_the_run(plan)
        streams: tuple[StreamFindings, ...] = ()
        tables: tuple[TablePreflight, ...] = ()
        described = dict[str, TableDescription]()
        try:
            chosen = selected(plan)
            streams = await inspect_streams(chosen, sides.source, waits=False, say=say)
            described |= {
                table.source: stream.source
                for table, stream in zip(chosen.tables, streams, strict=True)
            }
        except DynaferryError as error:
            problems += parts_of(error)
        try:
            tables = await looked_at(plan, sides, say, described)
        except DynaferryError as error:
            problems += parts_of(error)
        if problems:
            raise all_of(each_once(problems))
        rates = await _rates(sides, streams, measured_seconds)
    return tuple(
        _estimate(plan, table, stream, rate)
        for table, stream, rate in zip(tables, streams, rates, strict=True)
    )


async def _problems_of_the_run(plan: CopyPlan) -> list[DynaferryError]:
    """A run of this name that is a copy cannot become a move."""
    try:
        run = None if plan.restart else await stored_run(plan)
        if run is not None:
            move_of(run)
    except DynaferryError as error:
        return [error]
    return []


async def _rates(
    sides: Sides, streams: Sequence[StreamFindings], seconds: float
) -> list[float | None]:
    rates: list[float | None] = [None] * len(streams)

    async def measure(number: int) -> None:
        rates[number] = await measured_rate(sides.source, streams[number].source, seconds=seconds)

    async with anyio.create_task_group() as group:
        for number, stream in enumerate(streams):
            if stream.status is not None:
                group.start_soon(measure, number)
    return rates


def _estimate(
    plan: CopyPlan, table: TablePreflight, stream: StreamFindings, rate: float | None
) -> MoveEstimate:
    cost = following_cost(
        plan,
        stream.source,
        table.target or as_created(stream.source),
        changes_per_second=rate or EXAMPLE_RATE,
        shards=max(1, stream.open_shards),
    )
    capped = map(warning, keeps_up(cost, table.estimate) if rate else ())
    kept = tuple(notice for notice in table.notices if notice.text != WRITES_DURING_COPY)
    return MoveEstimate(
        copy=table,
        stream=stream,
        changes_per_second=rate,
        cost=cost,
        notices=(*stream_notices(stream, time.time()), *capped, *kept),
    )
