"""A plan written out: the tables of a source, with their sizes, as a plan file has them."""

from collections.abc import Iterator, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.errors import DynaferryError, RetryableError
from dynaferry.observe.formatting import count, size
from dynaferry.plan.patterns import has_patterns
from dynaferry.plan.plan_text import PlannedTable, plan_lines
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.plan.validation import validate
from dynaferry.preflight.checks import check_usable
from dynaferry.preflight.side_by_side import for_each_table
from dynaferry.preflight.table_inspection import describe_source
from dynaferry.run.lifecycle import Say
from dynaferry.run.matching import tables_matched
from dynaferry.run.sides import open_side


class _Seen(Struct, frozen=True, kw_only=True):
    """A table as it is described, or why it cannot be copied."""

    table: TablePlan
    source: TableDescription | None = None
    problem: str | None = None


async def written_plan(plan: CopyPlan, command: str, *, say: Say) -> list[str]:
    """The lines of a plan file for the tables that the plan names or matches, largest first.

    Of the two sides only the source is asked. A table that cannot be described is written as a
    comment, with the reason. `command` is what was typed.

    :raises DynaferryError: the source cannot be reached, or a pattern matches nothing
    """
    plan = validate(plan)
    async with open_side(plan, plan.source, "source", say=say) as source:
        if has_patterns(plan):
            plan = await tables_matched(plan, source, say)
        look = partial(_look, source)
        seen = await for_each_table(plan.tables, look, say=say, done="described")
        plan = replace(plan, source=replace(plan.source, region=source.region))
    seen.sort(key=_size, reverse=True)
    return plan_lines(plan, [_planned(each) for each in seen], list(_head(seen, command)))


async def _look(source: AccountSession, table: TablePlan) -> _Seen:
    try:
        described = await describe_source(source, table.source)
        check_usable("source", described)
    except RetryableError:
        raise
    except DynaferryError as error:
        return _Seen(table=table, problem=error.message)
    return _Seen(table=table, source=described)


def _size(seen: _Seen) -> tuple[int, int]:
    """For the largest first, and those of which nothing is known last."""
    source = seen.source
    return (-1, -1) if source is None else (source.size_bytes, source.item_count)


def _planned(seen: _Seen) -> PlannedTable:
    remarks = "" if seen.source is None else ", ".join(_remarks(seen.source))
    return PlannedTable(table=seen.table, remarks=remarks, left_out=seen.problem)


def _remarks(source: TableDescription) -> Iterator[str]:
    yield f"{count(source.item_count)} items"
    yield size(source.size_bytes)
    if source.provisioned is None:
        yield "on demand"
    else:
        units = source.provisioned
        yield f"provisioned ({count(units.read_units)} RCU, {count(units.write_units)} WCU)"
    if source.indexes:
        yield "1 index" if len(source.indexes) == 1 else f"{len(source.indexes)} indexes"
    if source.stream_view_type is not None:
        yield f"stream ({source.stream_view_type})"
    if source.replicas:
        yield f"global table (also in {', '.join(source.other_regions)})"


def _head(seen: Sequence[_Seen], command: str) -> Iterator[str]:
    known = [each.source for each in seen if each.source is not None]
    tables = "1 table" if len(known) == 1 else f"{count(len(known))} tables"
    yield f"Written by: {command}"
    yield (
        f"{tables}, {count(sum(each.item_count for each in known))} items, "
        f"{size(sum(each.size_bytes for each in known))}: as the service counts, up to six hours "
        "ago"
    )
    if len(known) < len(seen):
        yield f"{len(seen) - len(known)} more cannot be copied now: see the end"
    yield ""
    yield "dynaferry copy --plan FILE --dry-run  checks all of it, and writes nothing"
    yield "dynaferry copy --plan FILE            copies; the same command again resumes"
