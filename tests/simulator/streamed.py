"""A simulated table with a stream, read by dynaferry's own decoders at a time that a test sets."""

from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec import Raw

from benchmarks.simulator import NO_LATENCY, Settings, Stream, Table
from benchmarks.simulator.service import Service
from benchmarks.simulator.table_streams import TableStreams
from dynaferry.dynamodb.failures import call_site, service_errors
from dynaferry.dynamodb.items.streams import TableStream

if TYPE_CHECKING:
    from dynaferry.dynamodb.client import DynamoClient

SITE = call_site.CallSite(table="orders", side="source", acting_as="a test")
STREAM_OPERATIONS = ("DescribeStream", "GetShardIterator", "GetRecords", "ListStreams")
# Nothing by chance: each test adds what it is about.
PLAIN = Stream(
    shards=1,
    delay_seconds=(0.0, 0.0),
    empty_page_share=0.0,
    short_page_share=0.0,
    stale_listing_share=0.0,
)


class StreamedTable:
    """A `DynamoClient` that leads straight to a service with one table, `orders`; `now` is set."""

    def __init__(self, stream: Stream | None = PLAIN, **settings: Any) -> None:
        table = Table(name="orders", latency=NO_LATENCY, stream=stream, **settings)
        self.service = Service(Settings(tables=(table,)))
        self.site = SITE
        self.now = 0.0

    @property
    def streams(self) -> TableStreams:
        """The model's own streams."""
        streams = self.service.tables["orders"].streams
        assert streams is not None
        return streams

    def reader(self) -> TableStream:
        """The stream that is enabled now, as dynaferry reads it."""
        latest = self.streams.latest
        assert latest is not None
        client = cast("DynamoClient", self)
        return TableStream(client, arn=latest.arn, table="orders", view=latest.view)

    async def send(self, operation: str, body: bytes) -> bytes:
        answer = self.service.answer(
            operation, body, self.now, is_of_streams=operation in STREAM_OPERATIONS
        )
        if answer.status == 200:
            return answer.body
        error = service_errors.decode_error(answer.status, answer.body)
        raise service_errors.from_service_error(
            error, status=answer.status, operation=operation, site=SITE
        )

    async def ask(self, operation: str, **request: Any) -> dict[str, Any]:
        """What is answered to a request."""
        answer = await self.send(operation, msgspec.json.encode(request))
        decoded: dict[str, Any] = msgspec.json.decode(answer)
        return decoded

    async def put(self, name: str, version: int = 0) -> None:
        """Puts an item of this name."""
        await self.ask("PutItem", TableName="orders", Item=Raw(an_item(name, version)))

    async def delete(self, name: str) -> None:
        """Deletes the item of this name."""
        await self.ask("DeleteItem", TableName="orders", Key={"pk": {"S": name}})


def an_item(name: str, version: int = 0) -> bytes:
    """An item in wire form."""
    return b'{"pk":{"S":"%b"},"version":{"N":"%d"}}' % (name.encode(), version)
