"""Before a move begins: the sources' streams inspected, and enabled where that was asked for."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from anyio import to_thread
from msgspec.structs import replace

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.dynamodb.tables.enable_stream import enable_stream
from dynaferry.errors import AccessDeniedError, DynaferryError, PreflightError
from dynaferry.follow.enabled_streams import enabled_streams, note_enabling
from dynaferry.follow.stream_closing import closed_on_purpose, enabled_again
from dynaferry.observe.formatting import place
from dynaferry.plan.settings import CopyPlan
from dynaferry.preflight.notice import by_table
from dynaferry.preflight.side_by_side import for_each_table
from dynaferry.preflight.stream_words import (
    StreamFindings,
    call_that_enables,
    no_stream,
    stream_notices,
)
from dynaferry.preflight.streams import inspect_streams
from dynaferry.run.copy_tables import looked_at
from dynaferry.run.lifecycle import Say, say_nothing
from dynaferry.run.sides import Sides
from dynaferry.run.tables import selected
from dynaferry.shared.problems import all_of, each_once, parts_of

# Is shown lines, and says whether somebody agrees to what they say.
Agree = Callable[[Sequence[str]], Awaitable[bool]]


async def prepare(
    plan: CopyPlan,
    sides: Sides,
    say: Say,
    agree: Agree | None = None,
    *,
    is_switched: bool = False,
) -> tuple[StreamFindings, ...]:
    """Returns when every source of the plan has a stream that may be read.

    Where one has none and the plan says to enable it, `agree` is asked first: the plan alone is
    enough where it is None. What would be refused after that is refused before. One that a cut-over
    has disabled is enabled again without a question, and stays as it is once that `is_switched`.

    :raises PreflightError: a source has no stream, or nobody agreed
    :raises AccessDeniedError: a right is missing
    """
    source, closed = sides.source, await closed_on_purpose(plan)
    typed = plan
    plan = selected(plan)
    if closed:
        plan = replace(plan, enable_stream=True)
    found = await _streams_of(plan, typed, sides, say)
    ended = [each for each in found if each.source.arn in closed] if is_switched else []
    if closed and not is_switched:
        found = await _enabled_again(plan, source, found, closed, say)
    without = [each.source for each in found if each.status is None and each not in ended]
    if without and not typed.enable_stream:
        raise no_stream(without[0], source.region, source.acting_as)
    if without:
        await looked_at(typed, sides, say_nothing)
        await _enable(plan, source, without, say, agree)
        found = await inspect_streams(plan, source, waits=True, say=say)
    await _complete_notes(plan, found)
    read = [each for each in found if each not in ended]
    now = time.time()
    for line in by_table(
        [(each.source.name, stream_notices(each, now)) for each in read], "warning", "note"
    ):
        say(line)
    return found


async def _streams_of(
    plan: CopyPlan, typed: CopyPlan, sides: Sides, say: Say
) -> tuple[StreamFindings, ...]:
    """The streams of all sources.

    :raises DynaferryError: all that speaks against them, and what a copy would be refused for as
        well: nobody should have to come back for that
    """
    try:
        return await inspect_streams(plan, sides.source, waits=True, say=say)
    except DynaferryError as error:
        problems = parts_of(error)
    try:
        await looked_at(typed, sides, say_nothing)
    except DynaferryError as error:
        problems += parts_of(error)
    raise all_of(each_once(problems))


async def _enabled_again(
    plan: CopyPlan,
    source: AccountSession,
    found: Sequence[StreamFindings],
    closed: Mapping[str, str | None],
    say: Say,
) -> tuple[StreamFindings, ...]:
    """What is found once the sources whose streams were disabled for nothing have streams again."""
    for each in found:
        if each.source.arn in closed and each.status is None:
            name = place(each.source.arn)
            say(f"{name}: its stream was disabled for a cut-over that has not switched")
            await enabled_again(plan, source, each.source, say)
        elif each.source.arn in closed:
            # That process ended before it made the call.
            arn, stream = each.source.arn, each.source.stream_arn
            run, is_ours = (plan.state_dir, plan.run_name), stream == closed[arn]
            await note_enabling(*run, arn, stream, is_ours=is_ours)
    return await inspect_streams(plan, source, waits=True, say=say)


async def _enable(
    plan: CopyPlan,
    source: AccountSession,
    tables: Sequence[TableDescription],
    say: Say,
    agree: Agree | None,
) -> None:
    if agree is not None and not await agree(_question(tables)):
        raise PreflightError(
            "the source has no stream, and nobody agreed to enable one; nothing was changed",
            hint=f"whoever may, can: {call_that_enables(tables[0], source.region)}",
            table=tables[0].name,
        )
    await for_each_table(
        tables, partial(_enable_one, plan, source, say), say=say, done="have a stream"
    )


def _question(tables: Sequence[TableDescription]) -> list[str]:
    return [
        *(f"{place(table.arn)} has no stream; one with NEW_IMAGE is enabled" for table in tables),
        "nothing else of the source is changed; the stream stays on when the move is over, until"
        " somebody switches it off",
        "enable it? [y/N]",
    ]


async def _enable_one(
    plan: CopyPlan, source: AccountSession, say: Say, table: TableDescription
) -> None:
    await note_enabling(plan.state_dir, plan.run_name, table.arn)
    say(f"{place(table.arn)}: enabling a stream with NEW_IMAGE")
    try:
        seen, is_ours = await enable_stream(source, table, say=say)
    except AccessDeniedError as error:
        call = call_that_enables(table, source.region)
        error.hint = "; ".join(filter(None, (error.hint, f"or let whoever may do it: {call}")))
        raise
    await note_enabling(plan.state_dir, plan.run_name, table.arn, seen.stream_arn, is_ours=is_ours)


async def _complete_notes(plan: CopyPlan, found: Sequence[StreamFindings]) -> None:
    """Of a stream that was asked for by a process that ended before it had an answer."""
    noted = await to_thread.run_sync(enabled_streams, plan.state_dir, plan.run_name)
    unanswered = {each.table for each in noted if each.stream is None}
    for each in found:
        table = each.source
        if table.arn in unanswered:
            await note_enabling(plan.state_dir, plan.run_name, table.arn, table.stream_arn)
