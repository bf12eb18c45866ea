"""The inspection of one table: both sides at once, and all that speaks against copying it."""

from collections.abc import Collection
from contextlib import suppress
from functools import partial
from typing import Final

import anyio

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.tables.describe import (
    NotKnown,
    SideSettings,
    Tag,
    describe_side_settings,
    describe_table,
    read_tags,
)
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.dynamodb.tables.replication import with_replication
from dynaferry.errors import PreflightError, TableNotFoundError
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.preflight.checks import (
    check_keys_agree,
    check_not_the_same,
    check_region,
    check_role_can_create,
    check_usable,
)
from dynaferry.preflight.notices import Findings
from dynaferry.preflight.side_by_side import all_done
from dynaferry.preflight.targets import DESCRIBE_AGAIN_SECONDS, check_empty, is_being_created

# Attempts to describe a target that was there when its run began.
DESCRIBE_ATTEMPTS: Final = 5


class TableInspection:
    """The inspection of one table of a plan. A resumed run has written to its target: it must be
    there and need not be empty; nor need one whose id is among those `written_before`. A source
    that was found fit before is given as it was `described`.
    """

    def __init__(
        self,
        plan: CopyPlan,
        table: TablePlan,
        source: AccountSession,
        target: AccountSession,
        *,
        resuming: bool,
        written_before: Collection[str | None],
        described: TableDescription | None = None,
        is_of_several: bool = False,
    ) -> None:
        self._plan = plan
        self._table = table
        self._sessions = source, target
        self._resuming = resuming
        self._is_of_several = is_of_several
        self._written_before = written_before
        self._described = described
        self._source: TableDescription | None = None
        self._target: TableDescription | None = None
        self._source_settings = SideSettings(ttl_attribute=None, point_in_time_recovery=False)
        self._target_settings: SideSettings | None = None
        self._tags: tuple[Tag, ...] | NotKnown = ()

    async def find(self) -> Findings:
        """What is found of the table.

        :raises DynaferryError: all that speaks against copying it
        """
        await all_done(self._describe_source, self._describe_target)
        if self._source is None:  # it has been described, or that was an error
            raise AssertionError
        read_source_settings = partial(self._read_source_settings, self._source)
        if self._target is None:
            await all_done(read_source_settings, partial(self._read_tags, self._source))
        else:
            check_not_the_same(self._source, self._target)
            await all_done(
                partial(self._check_target, self._source, self._target),
                read_source_settings,
                partial(self._read_target_settings, self._target),
            )
        return Findings(
            source=self._source,
            source_settings=self._source_settings,
            target=self._target,
            target_settings=self._target_settings,
            tags=self._tags,
        )

    async def _describe_source(self) -> None:
        session, name = self._sessions[0], self._table.source
        check_region("source", name, self._plan.source, session.region)
        if self._described is not None:
            self._source = self._described
            return
        found = await describe_source(session, name)
        check_usable("source", found)
        self._source = await with_replication(session, found)

    async def _describe_target(self) -> None:
        session, name = self._sessions[1], self._table.target
        check_region("target", name, self._plan.target, session.region)
        self._target = await _describe_target(session, name, has_been_there=self._resuming)
        if self._target is None:
            if self._resuming:
                raise _gone(self._table, session, is_of_several=self._is_of_several)
            _check_may_be_created(self._plan, self._table, session)
            return
        check_usable("target", self._target, may_be_waited_for=True)

    async def _check_target(self, source: TableDescription, target: TableDescription) -> None:
        """What may be copied into, by its keys and by what it holds."""

        async def check_keys() -> None:
            check_keys_agree(source, target)

        await all_done(
            check_keys, partial(self._check_empty, target), partial(self._complete, target)
        )

    async def _check_empty(self, target: TableDescription) -> None:
        is_our_own = target.table_id in self._written_before
        may_hold_items = self._resuming or is_our_own or self._plan.allow_non_empty_target
        if not (may_hold_items or is_being_created(target)):
            await check_empty(self._sessions[1], target.called)

    async def _complete(self, target: TableDescription) -> None:
        self._target = await with_replication(self._sessions[1], target)

    async def _read_source_settings(self, source: TableDescription) -> None:
        self._source_settings = await describe_side_settings(self._sessions[0], source.called)

    async def _read_target_settings(self, target: TableDescription) -> None:
        self._target_settings = await describe_side_settings(self._sessions[1], target.called)

    async def _read_tags(self, source: TableDescription) -> None:
        self._tags = await read_tags(self._sessions[0], source)


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


def _gone(table: TablePlan, target: AccountSession, *, is_of_several: bool) -> PreflightError:
    again = "add --restart to copy everything again"
    if is_of_several:
        again = f"add --restart-table {table.source_name} to copy this table again, and no other"
    return PreflightError(
        f"the target table {table.target} of this run is gone from {target.region}",
        hint=f"what was copied went with it: {again}",
        table=table.target,
    )


def _check_may_be_created(plan: CopyPlan, table: TablePlan, target: AccountSession) -> None:
    if not plan.create_target:
        raise PreflightError(
            f"the target table {table.target} does not exist in {target.region}, "
            f"seen as {target.acting_as}",
            hint="add --create-target to create it like the source, or check the name, "
            "--target-region and --target-role-arn",
            table=table.target,
        )
    check_role_can_create(plan.target.role_arn, table.target)
