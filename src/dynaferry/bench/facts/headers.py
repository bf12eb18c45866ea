"""What stands in the heads of responses, which the client keeps to itself."""

from msgspec import Struct

from dynaferry.dynamodb.client import DynamoClient
from dynaferry.dynamodb.http.connection import HttpResponse, SignedHeaders
from dynaferry.dynamodb.http.pool import Connection, ConnectionProvider


class Heads(Struct):
    """The responses of one client: how many there were, and how many had a checksum.

    `is_packed` is of the last one. Whether a checksum is right, the client looks at.
    """

    responses: int = 0
    with_checksum: int = 0
    is_packed: bool = False

    def note(self, response: HttpResponse) -> None:
        """Notes one. A refusal counts for nothing: a balancer may have made it."""
        if response.status != 200:
            return
        self.responses += 1
        self.with_checksum += b"x-amz-crc32" in response.headers
        self.is_packed = response.headers.get(b"content-encoding", b"identity") != b"identity"


def noted(client: DynamoClient) -> Heads:
    """Notes all that comes to this client from now on."""
    heads = Heads()
    client.http = _NotedConnections(client.http, heads)
    return heads


class _NotedConnections:
    """A `ConnectionProvider` of noted connections."""

    def __init__(self, inner: ConnectionProvider, heads: Heads) -> None:
        self._inner = inner
        self._heads = heads

    async def lend(self) -> "_NotedConnection":
        return _NotedConnection(await self._inner.lend(), self._heads)

    def give_back(self, connection: Connection) -> None:
        if not isinstance(connection, _NotedConnection):
            raise TypeError("this connection is of another pool")
        self._inner.give_back(connection.inner)


class _NotedConnection:
    def __init__(self, inner: Connection, heads: Heads) -> None:
        self.inner = inner
        self._heads = heads

    @property
    def is_reusable(self) -> bool:
        return self.inner.is_reusable

    async def send(self, head: SignedHeaders, body: bytes) -> HttpResponse:
        response = await self.inner.send(head, body)
        self._heads.note(response)
        return response
