"""A target that refuses marked items, as a table with another index key would.

moto takes any item; so the refusal is made on the way to it. As in life it is of the whole
request, and does not say which item is meant.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from dynaferry.dynamodb.client import RequestSeries
from dynaferry.errors import ItemRefusedError

REFUSED = "item that the target refuses"
WORDS = "One or more parameter values were invalid: Type mismatch for Index Key"


@contextmanager
def refusing_marked_items(words: str = WORDS) -> Iterator[None]:
    """Refuses what holds REFUSED, until the end of the block: then the cause is mended."""
    ask = RequestSeries.send

    async def refusing(self: RequestSeries, body: bytes) -> bytes:
        operation = self._operation
        if operation in ("BatchWriteItem", "PutItem") and REFUSED.encode() in body:
            raise ItemRefusedError(words, code="ValidationException", operation=operation)
        return await ask(self, body)

    RequestSeries.send = refusing  # type: ignore[method-assign]
    try:
        yield
    finally:
        RequestSeries.send = ask  # type: ignore[method-assign]
