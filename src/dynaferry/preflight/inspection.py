"""The inspection of every table of a plan, before anything is written: refuse early.

Each check answers one question and raises a PreflightError that says what was seen, where, and what
to do now. All tables are inspected before the first target is created, so that a plan is refused as
a whole or not at all, with the problems of all its tables. A role that may not describe stays an
AccessDeniedError.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.dynamodb.tables.replication import with_replication
from dynaferry.dynamodb.tables.warm_throughput import as_warmed, warm_up
from dynaferry.errors import DynaferryError, PreflightError
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.preflight.checks import check_may_be_warmed, is_same_table
from dynaferry.preflight.estimate import Estimate, as_created, estimate_copy, segments_for
from dynaferry.preflight.left_to_do import left_to_do
from dynaferry.preflight.notice import Notice, warning
from dynaferry.preflight.notices import Findings, notices_on
from dynaferry.preflight.side_by_side import for_each_table, told
from dynaferry.preflight.table_inspection import TableInspection
from dynaferry.preflight.targets import is_being_created, ready_target, warming
from dynaferry.shared.left_to_do import LeftToDo


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


def largest_first(checked: Sequence[TablePreflight]) -> list[int]:
    """The numbers of the tables in the order in which they are begun. Pure.

    With several at once, all of them take as long as the longest does, if it is among the first.
    """
    return sorted(
        range(len(checked)),
        key=lambda number: (-checked[number].estimate.seconds, -checked[number].estimate.bytes),
    )


async def preflight(
    plan: CopyPlan,
    source: AccountSession,
    target: AccountSession,
    *,
    resuming: bool,
    dry_run: bool,
    begin_anew: Collection[str] = (),
    is_of_several: bool = False,
    written_before: Collection[str | None] = (),
    described: Mapping[str, TableDescription] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[TablePreflight, ...]:
    """Inspects every table of the plan, and then creates the targets that are to be.

    A resumed run has written to its targets: they must be there and need not be empty, but for
    those to `begin_anew`, as the plan names them; it `is_of_several` tables, whether or not the
    plan names them. A dry run creates nothing. `written_before` are the ids of targets that an
    earlier run has written: they may hold items too (None stands for all where the service gives no
    ids). Sources that were found fit just now are in `described`.

    :raises PreflightError: tables are not fit to be copied from or to
    :raises AccessDeniedError: a role may not describe tables, or not create one
    :raises UnavailableError: the service did not respond
    """

    def resumes(table: TablePlan) -> bool:
        return resuming and table.target not in begin_anew

    inspection = partial(
        TableInspection,
        plan,
        source=source,
        target=target,
        written_before=written_before,
        is_of_several=is_of_several,
    )
    findings = await _inspected(plan, inspection, resumes, described or {}, say)
    check_no_target_is_used_twice(findings)
    checked = _conclusions(plan, findings, resumes)
    return checked if dry_run else await _all_ready(plan, checked, findings, target, resumes, say)


async def _inspected(
    plan: CopyPlan,
    inspection: Callable[..., TableInspection],
    resumes: Callable[[TablePlan], bool],
    described: Mapping[str, TableDescription],
    say: Callable[[str], None],
) -> list[Findings]:
    """What is found of each table; all problems of all of them are one error."""

    async def inspect(table: TablePlan) -> Findings:
        seen = described.get(table.source)
        return await inspection(table=table, resuming=resumes(table), described=seen).find()

    return await for_each_table(plan.tables, inspect, say=say, done="inspected", all_problems=True)


async def _all_ready(
    plan: CopyPlan,
    checked: Sequence[TablePreflight],
    findings: Sequence[Findings],
    target: AccountSession,
    resumes: Callable[[TablePlan], bool],
    say: Callable[[str], None],
) -> tuple[TablePreflight, ...]:
    """The tables once each target is there, and warm where that was asked for."""

    async def ready(number: int) -> TablePreflight:
        resuming = resumes(plan.tables[number])
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


def _conclusions(
    plan: CopyPlan, findings: Sequence[Findings], resumes: Callable[[TablePlan], bool]
) -> tuple[TablePreflight, ...]:
    concluded: list[TablePreflight] = []
    errors: dict[int, DynaferryError] = {}
    for number, (table, found) in enumerate(zip(plan.tables, findings, strict=True)):
        try:
            concluded.append(_conclude(plan, table, found, resuming=resumes(table)))
        except DynaferryError as error:
            errors[number] = error
    if errors:
        raise told(errors)
    return tuple(concluded)


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
                hint="copy the two tables in runs of their own, or leave one out with --skip or "
                "--exclude",
                table=found.target.name,
            )
        for other in findings[:index]:
            if other.target is not None and is_same_table(other.target, found.target):
                raise PreflightError(
                    f"two sources of this plan go to one target, {found.target.arn}",
                    hint="give each source a target of its own, or copy them in separate runs",
                    table=found.target.name,
                )
