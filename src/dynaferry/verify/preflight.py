"""The inspection of both tables of each pair, before any item is read: refuse early."""

from collections.abc import Iterator, Sequence
from functools import partial

from msgspec import Struct

from dynaferry.dynamodb.account.session import AccountSession, Side
from dynaferry.dynamodb.tables.describe import describe_table
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.dynamodb.tables.replication import with_replication
from dynaferry.errors import PreflightError, TableNotFoundError
from dynaferry.plan.settings import Account, TablePlan
from dynaferry.preflight.checks import (
    check_keys_agree,
    check_not_the_same,
    check_region,
    check_usable,
)
from dynaferry.preflight.estimate import polite_read_units
from dynaferry.preflight.side_by_side import all_done, for_each_table
from dynaferry.run.lifecycle import Say, say_nothing
from dynaferry.run.sides import Sides
from dynaferry.verify.segments import verification_segments
from dynaferry.verify.settings import VerifyPlan


class TablePair(Struct, frozen=True, kw_only=True):
    """Two tables that may be compared."""

    table: TablePlan
    source: TableDescription
    target: TableDescription
    total_segments: int

    @property
    def has_replication_attributes(self) -> bool:
        """Whether the service writes attributes of its own into the items of one of them, which
        are left out on both sides.
        """
        return self.source.is_legacy_global or self.target.is_legacy_global


async def inspect_pairs(
    plan: VerifyPlan, sides: Sides, say: Say = say_nothing
) -> tuple[TablePair, ...]:
    """Inspects every pair of the plan; where it takes long, `say` gets lines of progress.

    :raises PreflightError: a table is not there, or two tables cannot be compared
    :raises AccessDeniedError: a role may not describe a table
    :raises UnavailableError: the service did not respond
    """
    inspect = partial(_inspect_pair, plan, sides)
    return tuple(
        await for_each_table(
            plan.copy.tables, inspect, say=say, done="inspected", all_problems=True
        )
    )


def largest_first(pairs: Sequence[TablePair]) -> list[int]:
    """The numbers of the pairs in the order in which they are begun. Pure."""

    def size(number: int) -> tuple[int, int]:
        source = pairs[number].source
        return source.size_bytes, source.item_count

    return sorted(range(len(pairs)), key=size, reverse=True)


def what_is_left_out(pairs: Sequence[TablePair]) -> list[str]:
    """What people should know of items that are not compared as they are. Pure."""
    return [
        f"{pair.table.source_name} → {pair.table.target_name}: {told}"
        for pair in pairs
        for told in _left_out_of(pair)
    ]


def _left_out_of(pair: TablePair) -> Iterator[str]:
    if pair.has_replication_attributes:
        yield (
            "attributes that a global table of version 2017.11.29 writes by itself (aws:rep:*) "
            "are left out of the comparison"
        )
    for side, table in (("source", pair.source), ("target", pair.target)):
        if table.replicas:
            regions = ", ".join(table.other_regions)
            yield f"the {side} is a global table: its other replicas ({regions}) are not compared"


async def _inspect_pair(plan: VerifyPlan, sides: Sides, table: TablePlan) -> TablePair:
    found: dict[Side, TableDescription] = {}

    async def find(side: Side, session: AccountSession, account: Account, name: str) -> None:
        check_region(side, name, account, session.region)
        found[side] = await _describe(session, name)
        check_usable(side, found[side])

    await all_done(
        partial(find, "source", sides.source, plan.copy.source, table.source),
        partial(find, "target", sides.target, plan.copy.target, table.target),
    )
    source, target = found["source"], found["target"]
    check_not_the_same(source, target)
    check_keys_agree(source, target)
    source = await with_replication(sides.source, source)
    target = await with_replication(sides.target, target)
    return TablePair(
        table=table,
        source=source,
        target=target,
        total_segments=verification_segments(
            size_bytes=source.size_bytes,
            item_count=source.item_count,
            readers=plan.copy.readers,
            requested=table.segments or plan.copy.segments,
            sample_percent=plan.sample_percent,
            read_units_per_second=min(polite_read_units(source), polite_read_units(target)),
        ),
    )


async def _describe(session: AccountSession, table: str) -> TableDescription:
    try:
        return await describe_table(session, table)
    except TableNotFoundError as error:
        raise PreflightError(
            f"the {session.side} table {table} does not exist in {session.region}, "
            f"seen as {session.acting_as}",
            hint=f"check the name, --{session.side}-region, and whose credentials are used; a "
            "table of another account that is shared with this one is named by its ARN",
            table=table,
        ) from error
