"""A target that refuses marked items, as a table with another index key would.

moto takes any item; so the refusal is made on the way to it. As in life it is of the whole
request, and does not say which item is meant.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dynaferry.dynamodb.client import RequestSeries
from dynaferry.errors import DynaferryError, ItemRefusedError, ThrottledError

REFUSED = "item that the target refuses"
WORDS = "One or more parameter values were invalid: Type mismatch for Index Key"


@contextmanager
def refusing_marked_items(words: str = WORDS) -> Iterator[None]:
    """Refuses what holds REFUSED, until the end of the block: then the cause is mended."""

    def refusal(operation: str, body: bytes) -> DynaferryError | None:
        if operation not in ("BatchWriteItem", "PutItem") or REFUSED.encode() not in body:
            return None
        return ItemRefusedError(words, code="ValidationException", operation=operation)

    with _failing(refusal):
        yield


@contextmanager
def throttling_once(operation: str, reason: str, resource: str) -> Iterator[None]:
    """Throttles the first request of this operation, in the words of the service."""
    throttles = [
        ThrottledError(
            "slow down",
            code="ThrottlingException",
            reasons=[(reason, resource)],
            operation=operation,
        )
    ]
    with _failing(lambda of, _: throttles.pop() if of == operation and throttles else None):
        yield


@contextmanager
def _failing(error_of: Callable[[str, bytes], DynaferryError | None]) -> Iterator[None]:
    """Raises what `error_of` gives for an operation and its body in the place of a request."""
    send = RequestSeries.send

    async def failing(self: RequestSeries, body: bytes) -> bytes:
        error = error_of(self._operation, body)
        if error is not None:
            raise error
        return await send(self, body)

    RequestSeries.send = failing  # type: ignore[method-assign]
    try:
        yield
    finally:
        RequestSeries.send = send  # type: ignore[method-assign]
