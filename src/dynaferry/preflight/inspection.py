"""The inspection of every table of a plan, before anything is written: refuse early.

Each check answers one question and raises a PreflightError that says what was seen, where, and what
to do now. All tables are inspected before the first target is created, so that a plan is refused as
a whole or not at all. A role that may not describe stays an AccessDeniedError.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import anyio
from msgspec import Struct
from msgspec.structs import replace

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.tables.describe import (
    describe_side_settings,
    describe_table,
    read_tags,
)
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.dynamodb.tables.replication import with_replication
from dynaferry.dynamodb.tables.warm_throughput import as_warmed, warm_up
from dynaferry.errors import PreflightError, TableNotFoundError
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.preflight.checks import (
    check_keys_agree,
    check_may_be_warmed,
    check_not_the_same,
    check_region,
    check_role_can_create,
    check_usable,
    is_same_table,
)
from dynaferry.preflight.estimate import Estimate, as_created, estimate_copy, segments_for
from dynaferry.preflight.left_to_do import left_to_do
from dynaferry.preflight.notice import Notice, warning
from dynaferry.preflight.notices import Findings, notices_on
from dynaferry.preflight.side_by_side import for_each_table
from dynaferry.preflight.targets import (
    DESCRIBE_AGAIN_SECONDS,
    check_empty,
    is_being_created,
    ready_target,
    warming,
)
from dynaferry.shared.left_to_do import LeftToDo

# Attempts to describe a target that was there when its run began.
DESCRIBE_ATTEMPTS: Final = 5


class TablePreflight(Struct, frozen=True, kw_only=True):
    """One table that may be copied. `target` is None only in a dry run that would create it.

    One that was `just_made` may not be found everywhere for a moment. `left` is what a copy of it
    does not carry over.
    """

    table: TablePlan
    source: TableDescription
    target: TableDescription | None
    total_segments: int
    estimate: Estimate
    notices: tuple[Notice, ...]
    just_made: bool = False
    left: LeftToDo | None = None


async def preflight(
    plan: CopyPlan,
    source: AccountSession,
    target: AccountSession,
    *,
    resuming: bool,
    dry_run: bool,
    written_before: Collection[str | None] = (),
    say: Callable[[str], None] = lambda _: None,
) -> tuple[TablePreflight, ...]:
    """Inspects every table of the plan, and then creates the targets that are to be.

    A resumed run has written to its targets: they must be there and need not be empty. A dry run
    creates nothing. `written_before` are the ids of targets that an earlier run of this plan has
    written: they need not be empty either (None stands for all where the service gives no ids).

    :raises PreflightError: a table is not fit to be copied from or to
    :raises AccessDeniedError: a role may not describe a table, or not create one
    :raises UnavailableError: the service did not respond
    """
    inspect = partial(
        _inspect_table, plan, source, target, resuming=resuming, written_before=written_before
    )
    findings = await for_each_table(plan.tables, inspect, say=say, done="inspected")
    check_no_target_is_used_twice(findings)
    checked = tuple(
        _conclude(plan, table, found, resuming=resuming)
        for table, found in zip(plan.tables, findings, strict=True)
    )
    if dry_run:
        return checked

    async def ready(number: int) -> TablePreflight:
        seen = await _make_ready(
            plan, checked[number], findings[number], target, resuming=resuming, say=say
        )
        return await _warm(plan, seen, target, say)

    return tuple(await for_each_table(range(len(checked)), ready, say=say, done="are ready"))


async def _make_ready(
    plan: CopyPlan,
    seen: TablePreflight,
    found: Findings,
    target: AccountSession,
    *,
    resuming: bool,
    say: Callable[[str], None],
) -> TablePreflight:
    if seen.target is not None and not is_being_created(seen.target):
        return seen
    must_be_empty = not (resuming or plan.allow_non_empty_target)
    made = await ready_target(plan, seen.table, found, target, must_be_empty=must_be_empty, say=say)
    left = None if seen.left is None else replace(seen.left, target_arn=made.arn)
    return replace(seen, target=made, just_made=True, left=left)


async def _inspect_table(
    plan: CopyPlan,
    source: AccountSession,
    target: AccountSession,
    table: TablePlan,
    *,
    resuming: bool,
    written_before: Collection[str | None],
) -> Findings:
    check_region("source", table.source, plan.source, source.region)
    check_region("target", table.target, plan.target, target.region)
    source_table = await describe_source(source, table.source)
    check_usable("source", source_table)
    source_table = await with_replication(source, source_table)
    source_settings = await describe_side_settings(source, source_table.called)
    target_table = await _describe_target(target, table.target, has_been_there=resuming)
    if target_table is None:
        _check_may_be_created(plan, table, target, resuming=resuming)
        return Findings(
            source=source_table,
            source_settings=source_settings,
            target=None,
            target_settings=None,
            tags=await read_tags(source, source_table),
        )
    check_not_the_same(source_table, target_table)
    check_usable("target", target_table, may_be_waited_for=True)
    check_keys_agree(source_table, target_table)
    target_table = await with_replication(target, target_table)
    is_our_own = target_table.table_id in written_before
    may_hold_items = resuming or is_our_own or plan.allow_non_empty_target
    if not (may_hold_items or is_being_created(target_table)):
        await check_empty(target, target_table.called)
    return Findings(
        source=source_table,
        source_settings=source_settings,
        target=target_table,
        target_settings=await describe_side_settings(target, target_table.called),
    )


def _conclude(
    plan: CopyPlan, table: TablePlan, findings: Findings, *, resuming: bool
) -> TablePreflight:
    source = findings.source
    written = findings.target or as_created(source)
    warmed = written if plan.warm_target is None else as_warmed(written, plan.warm_target)
    total_segments = segments_for(plan, table, source, warmed)
    estimate = estimate_copy(plan, table, source, written, total_segments=total_segments)
    in_words: tuple[Notice, ...] = ()
    if plan.warm_target is not None:
        check_may_be_warmed(written, plan.warm_target)
        in_words = tuple(map(warning, warming(written, plan.warm_target)))
    may_hold_items = findings.target is not None and plan.allow_non_empty_target and not resuming
    return TablePreflight(
        table=table,
        source=source,
        target=findings.target,
        total_segments=total_segments,
        estimate=estimate,
        notices=(
            *in_words,
            *notices_on(findings, estimate, target_may_hold_items=may_hold_items),
        ),
        left=left_to_do(findings, table.source_name, table.target_name),
    )


async def _warm(
    plan: CopyPlan, seen: TablePreflight, target: AccountSession, say: Callable[[str], None]
) -> TablePreflight:
    if plan.warm_target is None or seen.target is None:
        return seen
    check_may_be_warmed(seen.target, plan.warm_target)
    warm = await warm_up(target, seen.target, plan.warm_target, say=say)
    warm = await with_replication(target, warm)
    estimate = estimate_copy(
        plan, seen.table, seen.source, warm, total_segments=seen.total_segments
    )
    return replace(seen, target=warm, estimate=estimate)


async def describe_source(session: AccountSession, table: str) -> TableDescription:
    """The source table as the service describes it.

    :raises PreflightError: there is none of that name
    """
    try:
        return await describe_table(session, table)
    except TableNotFoundError as error:
        raise PreflightError(
            f"the source table {table} does not exist in {session.region}, "
            f"seen as {session.acting_as}",
            hint="check the name, --source-region, and whose credentials are used; a table of "
            "another account that is shared with this one is named by its ARN",
            table=table,
        ) from error


async def _describe_target(
    session: AccountSession, table: str, *, has_been_there: bool
) -> TableDescription | None:
    """The target, or None where it is not there.

    A run that was killed when it had just made the table may begin again before it is found
    everywhere, so that one that `has_been_there` is described a few times.
    """
    for attempt in range(DESCRIBE_ATTEMPTS if has_been_there else 1):
        if attempt:
            await anyio.sleep(DESCRIBE_AGAIN_SECONDS)
        with suppress(TableNotFoundError):
            return await describe_table(session, table)
    return None


def _check_may_be_created(
    plan: CopyPlan, table: TablePlan, target: AccountSession, *, resuming: bool
) -> None:
    if resuming:
        raise PreflightError(
            f"the target table {table.target} of this run is gone from {target.region}",
            hint="what was copied went with it: add --restart to copy everything anew",
            table=table.target,
        )
    if not plan.create_target:
        raise PreflightError(
            f"the target table {table.target} does not exist in {target.region}, "
            f"seen as {target.acting_as}",
            hint="add --create-target to create it like the source, or check the name, "
            "--target-region and --target-role-arn",
            table=table.target,
        )
    check_role_can_create(plan.target.role_arn, table.target)


def check_no_target_is_used_twice(findings: Sequence[Findings]) -> None:
    """Refuses a plan that writes to one table twice, or to a table that it also reads.

    The plan's own check sees names only; one table can be reached by its name and by its ARN.
    """
    for index, found in enumerate(findings):
        if found.target is None:
            continue
        if any(is_same_table(other.source, found.target) for other in findings):
            raise PreflightError(
                f"the target {found.target.arn} is also a source of this plan",
                hint="copy the two tables in runs of their own",
                table=found.target.name,
            )
        for other in findings[:index]:
            if other.target is not None and is_same_table(other.target, found.target):
                raise PreflightError(
                    f"two sources of this plan go to one target, {found.target.arn}",
                    hint="give each source a target of its own, or copy them in separate runs",
                    table=found.target.name,
                )
