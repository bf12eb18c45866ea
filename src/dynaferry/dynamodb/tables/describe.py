"""The calls that look at a table and change nothing.

What a copy cannot do without raises; what only makes its notices better (time to live, backups,
tags) is `NotKnown` where the role may not read it, an emulator does not offer it, or it just fails:
a notice is never the end of a run.
"""

from collections.abc import Mapping
from typing import Any, Final

import anyio
from msgspec import Struct

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.failures.service_errors import CALL_ERRORS, RESPONSE_ERRORS
from dynaferry.dynamodb.tables.description import TableDescription, read_description
from dynaferry.errors import (
    AccessDeniedError,
    DynaferryError,
    RequestRefusedError,
    TableNotFoundError,
    ThrottledError,
)

__all__ = [
    "NotKnown",
    "SideSettings",
    "Tag",
    "call_service",
    "describe_side_settings",
    "describe_table",
    "has_items",
    "read_tags",
    "refusable_call",
]

OPTIONAL_SECONDS: Final = 15.0  # what only makes notices better is not waited for any longer
AGAIN_SECONDS: Final = 1.0  # after a throttle
RESERVED_TAG_PREFIX = "aws:"  # such tags are the service's own: they cannot be set [M:Tag]


class NotKnown(Struct, frozen=True):
    """A setting that could not be read, and why."""

    reason: str

    def __str__(self) -> str:
        return f"not known ({self.reason})"


class Tag(Struct, frozen=True):
    """One tag of a table."""

    key: str
    value: str


class SideSettings(Struct, frozen=True, kw_only=True):
    """What a table has beside its description.

    `ttl_attribute` is the attribute that says when items expire, None where nothing expires.
    """

    ttl_attribute: str | NotKnown | None
    point_in_time_recovery: bool | NotKnown


async def describe_table(session: AccountSession, table: str) -> TableDescription:
    """What the service says of a table, named or given by its ARN.

    From here on it is named as the description says: see `TableDescription.called`.

    :raises TableNotFoundError: it is not there
    :raises AccessDeniedError: the role lacks dynamodb:DescribeTable on it
    :raises UnavailableError: the service did not respond
    :raises CorruptAnswerError: something else than the service responded
    """
    response = await call_service(session, "DescribeTable", table, TableName=table)
    try:
        arn = response["Table"]["TableArn"]
        takes_arns = table == arn or await _takes_arns(session, arn)
        endpoint = await session.endpoint_for(arn if takes_arns else table)
        return read_description(response["Table"], endpoint=endpoint, takes_arns=takes_arns)
    except RESPONSE_ERRORS as error:
        raise session.error_for(error, operation="DescribeTable", table=table) from error


async def _takes_arns(session: AccountSession, arn: str) -> bool:
    """Whether the endpoint knows a table by its ARN too; a stand-in for DynamoDB is asked once."""
    if session.takes_arns is not None:
        return session.takes_arns
    async with session.takes_turns:  # for all the tables that are inspected beside this one
        if session.takes_arns is None:
            session.takes_arns = await _finds_by_arn(session, arn)
        return session.takes_arns


async def _finds_by_arn(session: AccountSession, arn: str) -> bool:
    try:
        response = await call_service(session, "DescribeTable", arn, TableName=arn)
        return bool(response["Table"]["TableArn"] == arn)
    except (TableNotFoundError, RequestRefusedError, AccessDeniedError):
        return False


async def has_items(session: AccountSession, table: str) -> bool:
    """Whether the table holds anything: one Scan that reads one item, consistently.

    A response without items that says there may be more counts as holding some: a wrong "empty"
    could overwrite, a wrong "not empty" only asks.

    :raises AccessDeniedError: the role lacks dynamodb:Scan on it
    """
    response = await call_service(
        session, "Scan", table, TableName=table, Limit=1, ConsistentRead=True
    )
    return bool(response.get("Items")) or "LastEvaluatedKey" in response


async def describe_side_settings(session: AccountSession, table: str) -> SideSettings:
    """The table's time to live and point-in-time recovery, as far as they may be read."""
    ttl_attribute: str | NotKnown | None = None
    recovery: bool | NotKnown = False

    async def read_ttl_attribute() -> None:
        nonlocal ttl_attribute
        ttl_attribute = await _read_ttl_attribute(session, table)

    async with anyio.create_task_group() as beside:
        beside.start_soon(read_ttl_attribute)
        recovery = await _read_point_in_time_recovery(session, table)
    return SideSettings(ttl_attribute=ttl_attribute, point_in_time_recovery=recovery)


async def read_tags(
    session: AccountSession, description: TableDescription
) -> tuple[Tag, ...] | NotKnown:
    """The table's tags without the service's own, as far as they may be read."""
    tags: list[Tag] = []
    parameters = {"ResourceArn": description.arn}
    while True:
        response = await _optional_call(
            session, "ListTagsOfResource", description.name, **parameters
        )
        if isinstance(response, NotKnown):
            return response
        tags += [Tag(tag.get("Key", ""), tag.get("Value", "")) for tag in response.get("Tags", ())]
        if not response.get("NextToken"):
            return tuple(tag for tag in tags if not tag.key.startswith(RESERVED_TAG_PREFIX))
        parameters["NextToken"] = response["NextToken"]


async def call_service(
    session: AccountSession, operation: str, table: str, **parameters: Any
) -> Mapping[str, Any]:
    """One control-plane call; retries are the SDK's.

    :raises DynaferryError: what the service refused, by what the caller should do
    """
    try:
        response: Mapping[str, Any] = await getattr(session.client, _METHODS[operation])(
            **parameters
        )
    except CALL_ERRORS as error:
        raise session.error_for(error, operation=operation, table=table) from error
    return response


_METHODS = {
    "CreateTable": "create_table",
    "DeleteTable": "delete_table",
    "DescribeContinuousBackups": "describe_continuous_backups",
    "DescribeGlobalTable": "describe_global_table",
    "DescribeTable": "describe_table",
    "DescribeTimeToLive": "describe_time_to_live",
    "ListTagsOfResource": "list_tags_of_resource",
    "Scan": "scan",
    "UpdateTable": "update_table",
}


async def _read_ttl_attribute(session: AccountSession, table: str) -> str | NotKnown | None:
    response = await _optional_call(session, "DescribeTimeToLive", table, TableName=table)
    if isinstance(response, NotKnown):
        return response
    ttl = response.get("TimeToLiveDescription", {})
    if ttl.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING"):
        return None
    attribute: str | None = ttl.get("AttributeName")
    return attribute


async def _read_point_in_time_recovery(session: AccountSession, table: str) -> bool | NotKnown:
    response = await _optional_call(session, "DescribeContinuousBackups", table, TableName=table)
    if isinstance(response, NotKnown):
        return response
    backups = response.get("ContinuousBackupsDescription", {})
    recovery = backups.get("PointInTimeRecoveryDescription", {})
    return bool(recovery.get("PointInTimeRecoveryStatus") == "ENABLED")


async def _optional_call(
    session: AccountSession, operation: str, table: str, **parameters: Any
) -> Mapping[str, Any] | NotKnown:
    """Like `call_service`, but returns `NotKnown` where it fails or takes too long.

    DescribeTimeToLive is throttled at ten a second [DG:Constraints], which many tables that are
    looked at side by side exceed: then it takes its time.
    """
    last = f"no response to {operation} within {OPTIONAL_SECONDS:.0f} s"
    with anyio.move_on_after(OPTIONAL_SECONDS):
        while True:
            try:
                return await refusable_call(session, operation, table, **parameters)
            except ThrottledError as error:
                last = error.message
            except DynaferryError as error:
                return NotKnown(f"not looked at: {error.message}")
            await anyio.sleep(AGAIN_SECONDS)
    return NotKnown(f"not looked at: {last}")


async def refusable_call(
    session: AccountSession, operation: str, table: str, **parameters: Any
) -> Mapping[str, Any] | NotKnown:
    """Does what `call_service` does, but returns `NotKnown` where it is refused.

    A resource-based policy cannot grant these reads to another account [DG:rbac-*], and DynamoDB
    Local has no backups and no tags.
    """
    try:
        return await call_service(session, operation, table, **parameters)
    except AccessDeniedError:
        return NotKnown(f"no permission for dynamodb:{operation}")
    except RequestRefusedError:
        return NotKnown(f"the endpoint refuses {operation}")
