"""What DescribeTable leaves out of a global table.

Of version 2017.11.29 it says nothing: DescribeGlobalTable does [DG:V2globaltables_versions]. Where
that cannot be asked, an item tells: each of them has attributes that the service writes. All such
tables have a stream of new and old images, so that of no other table anybody is asked.
"""

from collections.abc import Mapping
from typing import Any

import anyio
from msgspec.structs import replace

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.items.replication_attributes import PREFIX
from dynaferry.dynamodb.tables.describe import (
    OPTIONAL_SECONDS,
    NotKnown,
    call_service,
    refusable_call,
)
from dynaferry.dynamodb.tables.description import (
    LEGACY_GLOBAL_TABLES,
    TableDescription,
    read_replicas,
)
from dynaferry.errors import DynaferryError, TableNotFoundError
from dynaferry.shared.arn import arn_account

_VIEW_OF_LEGACY = "NEW_AND_OLD_IMAGES"
_NONE: Mapping[str, Any] = {}


async def with_replication(session: AccountSession, table: TableDescription) -> TableDescription:
    """The description with the version and the replicas of a global table of 2017.11.29.

    Any other comes back as it is, most of them without a call.

    :raises DynaferryError: whether items are to be taken apart could not be found out
    """
    if not _may_be_legacy(table):
        return table
    found = await _global_table(session, table)
    if found:
        replicas = read_replicas(found.get("ReplicationGroup") or (), table.arn)
        return replace(table, global_table_version=LEGACY_GLOBAL_TABLES, replicas=replicas)
    if table.is_legacy_global or found is _NONE or not await _has_own_attributes(session, table):
        return table
    return replace(table, global_table_version=LEGACY_GLOBAL_TABLES)


def _may_be_legacy(table: TableDescription) -> bool:
    if table.is_legacy_global:
        return not table.replicas
    return table.global_table_version is None and table.stream_view_type == _VIEW_OF_LEGACY


async def _global_table(
    session: AccountSession, table: TableDescription
) -> Mapping[str, Any] | None:
    """The global table of version 2017.11.29 that it belongs to; `_NONE` where there is none.

    A name means the caller's own: of a table that another account shares nobody knows (None), nor
    where it may not be asked.
    """
    owner = arn_account(table.arn)
    with anyio.move_on_after(OPTIONAL_SECONDS):
        try:
            response = await call_service(
                session, "DescribeGlobalTable", table.name, GlobalTableName=table.name
            )
        except TableNotFoundError:
            return _NONE if arn_account(session.acting_as) == owner else None
        except DynaferryError:
            return None
        found: Mapping[str, Any] = response.get("GlobalTableDescription") or _NONE
        return found if arn_account(found.get("GlobalTableArn", "")) == owner else None
    return None


async def _has_own_attributes(session: AccountSession, table: TableDescription) -> bool:
    if table.status == "CREATING":
        return False  # there is no item yet
    named = table.called
    response = await refusable_call(session, "Scan", named, TableName=named, Limit=1)
    items = [] if isinstance(response, NotKnown) else response.get("Items", ())
    return any(name.startswith(PREFIX) for item in items for name in item)
