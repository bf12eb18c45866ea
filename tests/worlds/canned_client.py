"""A wire without a network: what it is asked is kept, what it answers is given beforehand."""

import json
from collections.abc import Callable
from typing import Any, Self

from dynaferry.dynamodb.client import DynamoClient, RequestSeries

CannedAnswer = bytes | Callable[[bytes], bytes]


class CannedSeries(RequestSeries):
    """Asks the wire, request by request."""

    async def __aenter__(self) -> Self:
        return self

    async def send(self, body: bytes) -> bytes:
        return await self._client.send(self._operation, body)


class CannedClient(DynamoClient):
    """Answers with these bytes in turn, or with what a function makes of the body."""

    def __init__(self, *answers: CannedAnswer) -> None:
        self._answers = list(answers)
        self.calls: list[tuple[str, bytes]] = []

    def series(self, operation: str) -> RequestSeries:
        return CannedSeries(self, operation)

    async def send(self, operation: str, body: bytes) -> bytes:
        self.calls.append((operation, body))
        answer = self._answers.pop(0)
        return answer if isinstance(answer, bytes) else answer(body)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The bodies that were sent, read as JSON; a key that is written twice is an error."""
        return [json.loads(body, object_pairs_hook=_once_each) for _, body in self.calls]


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError(f"a key is written twice: {[name for name, _ in pairs]}")
    return fields
