"""Who reads a table's stream beside us, as far as it can be seen. A shard takes two readers."""

from typing import Final

import anyio

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.failures.service_errors import CALL_ERRORS
from dynaferry.dynamodb.tables.describe import NotKnown
from dynaferry.errors import AccessDeniedError
from dynaferry.shared.printable import printable

OPERATION: Final = "ListEventSourceMappings"
SECONDS: Final = 5.0
_NOT_READING: Final = frozenset({"Deleting", "Disabled"})


async def functions_reading(session: AccountSession, stream: str) -> tuple[str, ...] | NotKnown:
    """The names of the Lambda functions of the side's account that read the stream with this ARN.

    Those of other accounts, pipes and programs cannot be seen.
    """
    if session.functions is None:
        return NotKnown("nobody was asked behind an endpoint of your own")
    with anyio.move_on_after(SECONDS):
        try:
            async with session.functions() as client:
                pages = client.get_paginator("list_event_source_mappings")
                mappings = [
                    mapping
                    async for page in pages.paginate(EventSourceArn=stream)
                    for mapping in page.get("EventSourceMappings", ())
                ]
        except CALL_ERRORS as error:
            refused = session.error_for(error, operation=OPERATION, table=stream)
            is_denied = isinstance(refused, AccessDeniedError)
            why = "no permission for" if is_denied else "no response to"
            return NotKnown(f"{why} lambda:{OPERATION}")
        return tuple(
            sorted(
                {
                    _name(str(mapping.get("FunctionArn", "")))
                    for mapping in mappings
                    if mapping.get("State") not in _NOT_READING
                }
            )
        )
    return NotKnown(f"no response to lambda:{OPERATION}")


def _name(arn: str) -> str:
    """`orders-indexer` of arn:aws:lambda:us-east-1:123456789012:function:orders-indexer:live."""
    return printable(arn.rpartition(":function:")[2])
