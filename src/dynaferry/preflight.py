"""Refuse early: look at every table of a plan before anything is written.

Each check answers one question and raises a PreflightError that says what was seen, where, and what
to do now. All tables are looked at before the first target is created, so that a plan is refused as
a whole or not at all. A role that may not look stays an AccessDeniedError.
"""

from collections.abc import Callable, Collection, Sequence

from msgspec import Struct
from msgspec.structs import replace

from dynaferry.dynamodb.accounts import AccountSession
from dynaferry.dynamodb.create import create_table_like
from dynaferry.dynamodb.descriptions import TableDescription
from dynaferry.dynamodb.tables import (
    NotKnown,
    describe_side_settings,
    describe_table,
    has_items,
    read_tags,
    sets_replication_attributes,
)
from dynaferry.dynamodb.warm import as_warmed, raises_for, warm_up
from dynaferry.errors import PreflightError, TableNotFoundError
from dynaferry.estimate import Estimate, as_created, estimate_copy, segments_for
from dynaferry.notices import Findings, notices_on
from dynaferry.plan import CopyPlan, TablePlan
from dynaferry.preflight_checks import (
    check_created_where_meant,
    check_keys_agree,
    check_may_be_warmed,
    check_not_the_same,
    check_region,
    check_role_can_create,
    check_usable,
    is_same_table,
)


class TablePreflight(Struct, frozen=True, kw_only=True):
    """One table that may be copied. `target` is None only in a dry run that would create it.

    `has_replication_attributes` says that attributes of the service's own are left out of the copy.
    """

    table: TablePlan
    source: TableDescription
    target: TableDescription | None
    total_segments: int
    estimate: Estimate
    notices: tuple[str, ...]
    has_replication_attributes: bool = False


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
    """Looks at every table of the plan, in its order, and then creates the targets that are to be.

    A resumed run has written to its targets: they must be there and need not be empty. A dry run
    creates nothing. `written_before` are the ids of targets that an earlier run of this plan has
    written: they need not be empty either (None stands for all where the service gives no ids).

    :raises PreflightError: a table is not fit to be copied from or to
    :raises AccessDeniedError: a role may not look at a table, or not create one
    :raises UnavailableError: the service did not answer
    """
    findings = [
        await _look_at(
            plan, table, source, target, resuming=resuming, written_before=written_before
        )
        for table in plan.tables
    ]
    check_no_target_is_used_twice(findings)
    checked = tuple(
        _conclude(plan, table, found, resuming=resuming)
        for table, found in zip(plan.tables, findings, strict=True)
    )
    if dry_run:
        return checked
    ready = []
    for seen, found in zip(checked, findings, strict=True):
        there = seen if seen.target is not None else await _create(seen, found, target)
        ready.append(await _warm(plan, there, target, say))
    return tuple(ready)


async def _look_at(
    plan: CopyPlan,
    table: TablePlan,
    source: AccountSession,
    target: AccountSession,
    *,
    resuming: bool,
    written_before: Collection[str | None],
) -> Findings:
    check_region("source", table.source, plan.source, source.region)
    check_region("target", table.target, plan.target, target.region)
    source_table = await _describe_source(source, table.source)
    check_usable("source", source_table)
    source_settings = await describe_side_settings(source, source_table.called)
    has_own = await sets_replication_attributes(source, source_table)
    target_table = await _describe_if_there(target, table.target)
    if target_table is None:
        _check_may_be_created(plan, table, target, resuming=resuming)
        return Findings(
            source=source_table,
            source_settings=source_settings,
            target=None,
            target_settings=None,
            tags=await read_tags(source, source_table),
            has_replication_attributes=has_own,
        )
    check_not_the_same(source_table, target_table)
    check_usable("target", target_table)
    check_keys_agree(source_table, target_table)
    is_our_own = target_table.table_id in written_before
    if not (resuming or is_our_own or plan.allow_non_empty_target):
        await _check_empty(target, target_table.called)
    return Findings(
        source=source_table,
        source_settings=source_settings,
        target=target_table,
        target_settings=await describe_side_settings(target, target_table.called),
        has_replication_attributes=has_own,
    )


def _conclude(
    plan: CopyPlan, table: TablePlan, findings: Findings, *, resuming: bool
) -> TablePreflight:
    source = findings.source
    written = findings.target or as_created(source)
    warmed = written if plan.warm_target is None else as_warmed(written, plan.warm_target)
    total_segments = segments_for(plan, table, source, warmed)
    estimate = estimate_copy(plan, table, source, written, total_segments=total_segments)
    warming: tuple[str, ...] = ()
    if plan.warm_target is not None:
        check_may_be_warmed(written, plan.warm_target)
        warming = _warming(written, plan.warm_target)
    may_hold_items = findings.target is not None and plan.allow_non_empty_target and not resuming
    return TablePreflight(
        table=table,
        source=source,
        target=findings.target,
        total_segments=total_segments,
        estimate=estimate,
        notices=(
            *warming,
            *notices_on(findings, estimate, target_may_hold_items=may_hold_items),
        ),
        has_replication_attributes=findings.has_replication_attributes,
    )


def _warming(target: TableDescription, write_units: int) -> tuple[str, ...]:
    places = [
        f"{each.what} ({each.before.write_units:,})" for each in raises_for(target, write_units)
    ]
    if not places:
        return (f"the target is warm for {write_units:,} write units a second already",)
    return (
        f"--warm-target asks for {write_units:,} warm write units a second of "
        f"{', '.join(places)} and waits until they are ready; it is billed, by a price that is "
        "not known here, and never decreases",
    )


async def _create(
    seen: TablePreflight, findings: Findings, target: AccountSession
) -> TablePreflight:
    tags = () if isinstance(findings.tags, NotKnown) else findings.tags
    name = seen.table.target_name
    created = await create_table_like(target, findings.source, tags, name)
    check_created_where_meant(seen.table.target, created)
    return replace(seen, target=created)


async def _warm(
    plan: CopyPlan, seen: TablePreflight, target: AccountSession, say: Callable[[str], None]
) -> TablePreflight:
    if plan.warm_target is None or seen.target is None:
        return seen
    check_may_be_warmed(seen.target, plan.warm_target)
    warm = await warm_up(target, seen.target, plan.warm_target, say=say)
    estimate = estimate_copy(
        plan, seen.table, seen.source, warm, total_segments=seen.total_segments
    )
    return replace(seen, target=warm, estimate=estimate)


async def _describe_source(session: AccountSession, table: str) -> TableDescription:
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


async def _describe_if_there(session: AccountSession, table: str) -> TableDescription | None:
    try:
        return await describe_table(session, table)
    except TableNotFoundError:
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


async def _check_empty(session: AccountSession, table: str) -> None:
    if await has_items(session, table):
        raise PreflightError(
            f"the target table {table} is not empty",
            hint="empty it or name another; with --allow-non-empty-target items of the same key "
            "are overwritten and all others stay",
            table=table,
        )


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
