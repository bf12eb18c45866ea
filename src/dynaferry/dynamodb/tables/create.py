"""A target made like its source: the request, and the wait until it takes writes.

What is made is what has to be there before the first item: keys, indexes, capacity, class,
stream, tags, deletion protection. It is encrypted by the service's own key, since a key of the
source's account means nothing in the target's. Time to live and point-in-time recovery are left
for after the cut-over (items would vanish while they are compared), and warm throughput is
left alone, since raising it is billed.

The service makes only so many tables at a time, takes its time over each, and may not find one for
a moment after it was made: all of that passes, and is waited for.
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import anyio

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.tables.describe import Tag, call_service, describe_table
from dynaferry.dynamodb.tables.description import (
    STANDARD_CLASS,
    IndexDescription,
    KeyAttribute,
    OnDemandLimits,
    TableDescription,
    Throughput,
)
from dynaferry.errors import (
    NotReadyError,
    RequestRefusedError,
    TableNotFoundError,
    ThrottledError,
    UnavailableError,
)

PATIENCE_SECONDS = 600.0
CREATE_POLL_SECONDS = 2.0

Say = Callable[[str], None]


def create_table_request(
    source: TableDescription, *, name: str, tags: Sequence[Tag] = ()
) -> dict[str, Any]:
    """The CreateTable request for a table named `name` that is like `source`.

    DescribeTable's output is not CreateTable's input: capacity that does not belong to the
    billing mode, empty index lists and attributes that no key uses are refused [M:CreateTable].
    """
    request: dict[str, Any] = {
        "TableName": name,
        "AttributeDefinitions": _attribute_definitions(source),
        "KeySchema": _key_schema(source.keys),
        "BillingMode": source.billing_mode,
        "DeletionProtectionEnabled": source.deletion_protection,
        **_capacity(source.provisioned, source.on_demand_limits),
    }
    if source.gsis:
        request["GlobalSecondaryIndexes"] = [_index(index) for index in source.gsis]
    if source.lsis:
        request["LocalSecondaryIndexes"] = [_index(index) for index in source.lsis]
    if source.table_class != STANDARD_CLASS:
        request["TableClass"] = source.table_class
    if source.stream_view_type is not None:
        request["StreamSpecification"] = {
            "StreamEnabled": True,
            "StreamViewType": source.stream_view_type,
        }
    if tags:
        request["Tags"] = [{"Key": tag.key, "Value": tag.value} for tag in tags]
    return request


def _attribute_definitions(source: TableDescription) -> list[dict[str, str]]:
    keys = [*source.keys, *(key for index in source.indexes for key in index.keys)]
    types = {key.name: key.type for key in keys}
    return [{"AttributeName": name, "AttributeType": type_} for name, type_ in types.items()]


def _key_schema(keys: Iterable[KeyAttribute]) -> list[dict[str, str]]:
    return [{"AttributeName": key.name, "KeyType": key.role} for key in keys]


def _index(index: IndexDescription) -> dict[str, Any]:
    projection: dict[str, Any] = {"ProjectionType": index.projection}
    if index.projection == "INCLUDE":
        projection["NonKeyAttributes"] = list(index.non_key_attributes)
    return {
        "IndexName": index.name,
        "KeySchema": _key_schema(index.keys),
        "Projection": projection,
        **_capacity(index.provisioned, index.on_demand_limits),
    }


def _capacity(
    provisioned: Throughput | None, on_demand_limits: OnDemandLimits | None
) -> dict[str, Any]:
    """A table or index has one or the other, or, on demand without a limit, neither."""
    if provisioned is not None:
        return {
            "ProvisionedThroughput": {
                "ReadCapacityUnits": provisioned.read_units,
                "WriteCapacityUnits": provisioned.write_units,
            }
        }
    if on_demand_limits is None:
        return {}
    limits = {
        "MaxReadRequestUnits": on_demand_limits.read_units,
        "MaxWriteRequestUnits": on_demand_limits.write_units,
    }
    return {"OnDemandThroughput": {name: units for name, units in limits.items() if units}}


async def create_table_like(
    target: AccountSession,
    source: TableDescription,
    tags: Sequence[Tag],
    name: str,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    say: Say = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> TableDescription:
    """Creates `name` like `source` in the account that `target` acts in, and waits until it is
    ACTIVE with all its indexes.

    Where the service says that it is there already it is waited for as well: the response to
    an earlier request may have been lost. Whether it is like `source` is the caller's to look at.

    :raises AccessDeniedError: the role lacks dynamodb:CreateTable (or dynamodb:TagResource)
    :raises RequestRefusedError: the service will not create it so
    :raises NotReadyError: not now: it is not ACTIVE within `patience_seconds`
    """
    deadline = clock() + patience_seconds
    request = create_table_request(source, name=name, tags=tags)
    waiting: dict[str, Any] = {"say": say, "clock": clock, "sleep": sleep}
    try:
        made = await call_when_allowed(
            target, "CreateTable", name, patience_seconds=patience_seconds, **waiting, **request
        )
    except RequestRefusedError:
        there = await _describe_if_there(target, name)
        if there is None:
            raise
        called = there.called
    else:
        called = called_when_made(target, name, made)
    left_seconds = deadline - clock()
    return await until_active(target, called, patience_seconds=left_seconds, **waiting)


async def call_when_allowed(
    session: AccountSession,
    operation: str,
    table: str,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    say: Say = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    **parameters: Any,
) -> Mapping[str, Any]:
    """A call that makes or changes a table, made again for as long as the service puts it off.

    :raises NotReadyError: it did for `patience_seconds`
    :raises DynaferryError: what it refused
    """
    deadline, is_reported = clock() + patience_seconds, False
    while True:
        try:
            return await call_service(session, operation, table, **parameters)
        except (ThrottledError, UnavailableError) as error:
            if clock() >= deadline:
                raise NotReadyError(
                    f"the service has put it off for {patience_seconds:.0f} s: {error.message}",
                    hint=error.hint
                    or "run the same command again once fewer tables are changed at a time",
                    operation=operation,
                    table=table,
                ) from error
            if not is_reported:
                say(f"{table}: asking again until the service allows it ({error.message})")
                is_reported = True
        await sleep(CREATE_POLL_SECONDS)


async def until_active(
    session: AccountSession,
    called: str,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    say: Say = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> TableDescription:
    """Waits until a table that was made is ACTIVE with all its indexes.

    :raises NotReadyError: it is not within `patience_seconds`
    """
    deadline = clock() + patience_seconds
    is_reported = False
    while True:
        seen = await _describe_if_there(session, called)
        if seen is not None and is_active(seen):
            return seen
        if clock() >= deadline:
            raise NotReadyError(
                f"the {session.side} table {called} was created in {session.region}, but is not "
                f"ACTIVE after {patience_seconds:.0f} s",
                hint="wait until it is ACTIVE with its indexes, then run the same command again",
                operation="CreateTable",
                table=called,
            )
        if seen is not None and not is_reported:
            say(f"{seen.name}: waiting until it is ACTIVE with its indexes; Ctrl-C is safe")
            is_reported = True
        await sleep(CREATE_POLL_SECONDS)


def called_when_made(session: AccountSession, name: str, made: Mapping[str, Any]) -> str:
    """What a new table is asked about by: the ARN in CreateTable's response.

    Its name at an endpoint of which nobody knows yet whether it takes ARNs.
    """
    arn: str | None = (made.get("TableDescription") or {}).get("TableArn")
    return arn if arn and session.takes_arns else name


def is_active(table: TableDescription) -> bool:
    """Whether the table and all its indexes are ACTIVE."""
    return table.status == "ACTIVE" and all(index.status == "ACTIVE" for index in table.indexes)


async def _describe_if_there(session: AccountSession, called: str) -> TableDescription | None:
    """The table, or None: a table just created may not be found yet [M:DescribeTable]."""
    try:
        return await describe_table(session, called)
    except (TableNotFoundError, ThrottledError, UnavailableError):
        return None
