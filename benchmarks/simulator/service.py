"""Requests to answers: the tables of one simulator behind the service's operations.

Of a table that keeps nothing, what is written is counted, and digested where it remembers, and a
Scan gives what was seeded.
"""

from collections.abc import Callable
from typing import cast

import msgspec
from msgspec.structs import replace

from benchmarks.simulator import global_table, requests
from benchmarks.simulator.answer import Answer
from benchmarks.simulator.describe import description
from benchmarks.simulator.reads import TableReads
from benchmarks.simulator.refusals import Refusal, RefusedError, invalid, no_such_table
from benchmarks.simulator.refusals import unknown_operation as unknown
from benchmarks.simulator.served_table import ServedTable
from benchmarks.simulator.settings import (
    Capacity,
    NewTables,
    Provisioned,
    Settings,
    Stream,
    StreamView,
)
from benchmarks.simulator.stream_service import StreamService
from benchmarks.simulator.table_streams import TableStreams
from benchmarks.simulator.writes import TableWrites

__all__ = ["Answer", "ServedTable", "Service"]

SOME_EPOCH = 1.8e9  # where nobody looks at the wall's clock

_Operation = Callable[[bytes, float], Answer]


class Service:
    """All tables; `now` is in seconds since the simulator started, which was at `epoch`."""

    def __init__(self, settings: Settings, now: float = 0.0, *, epoch: float = SOME_EPOCH) -> None:
        self.tables = {
            table.name: ServedTable(table, settings, now, epoch) for table in settings.tables
        }
        self._settings = settings
        self._epoch = epoch
        self._now = now
        self._operations: dict[str, _Operation] = {
            **TableReads(self).operations,
            **TableWrites(self).operations,
            "DescribeGlobalTable": self._describe_global_table,
            "DescribeTable": self._describe_table,
            "UpdateTable": self._update_table,
        }
        if settings.new_tables is not None:
            self._operations |= {
                "CreateTable": self._create_table,
                "DeleteTable": self._delete_table,
            }
        self._of_streams = StreamService(self, now).operations

    def answer(
        self, operation: str, body: bytes, now: float, *, is_of_streams: bool = False
    ) -> Answer:
        """The answer to one request, to the tables' API or to that of their streams."""
        self.advance(now)
        try:
            operations = self._of_streams if is_of_streams else self._operations
            if operation not in operations:
                raise unknown(operation)
            return operations[operation](body, now)
        except RefusedError as error:
            return Answer(error.refusal.status, error.refusal.body())
        except msgspec.MsgspecError as error:
            refusal = Refusal(400, "SerializationException", str(error))
            return Answer(refusal.status, refusal.body())

    def advance(self, now: float) -> None:
        """Makes up for what happens by itself to tables that keep something."""
        self._now = now
        for table in self.tables.values():
            if table.items is not None:
                table.advance(now)

    def table(self, name_or_arn: str) -> ServedTable:
        """The table of this name or ARN.

        :raises RefusedError: it is not there
        """
        table = self._made(name_or_arn)
        if table.absent_until > self._now:
            raise no_such_table(table.settings.name)
        return table

    def _made(self, name_or_arn: str) -> ServedTable:
        """The table of this name or ARN, though no request for its items finds it yet."""
        name = name_or_arn.rpartition("/")[2]
        if name not in self.tables:
            raise no_such_table(name)
        return self.tables[name]

    def streams_of(self, name_or_arn: str) -> TableStreams:
        """The streams of the table with this name, or with this stream's ARN; see `Streamed`.

        :raises RefusedError: there is no such table, or it keeps nothing
        """
        _, _, of_arn = name_or_arn.partition(":table/")
        table = self.table(of_arn.partition("/")[0] or name_or_arn)
        if table.streams is None:
            raise no_such_table(name_or_arn)
        return table.streams

    def _describe_table(self, body: bytes, _: float) -> Answer:
        table = self._made(requests.decode_table_request(body).TableName)
        return Answer(200, msgspec.json.encode({"Table": _described(table)}))

    def _create_table(self, body: bytes, now: float) -> Answer:
        """Makes a table, ACTIVE at once, where the service takes some seconds."""
        request, new = requests.decode_new_table(body), self._settings.new_tables or NewTables()
        name, partition_key = request.TableName, request.key("HASH")
        if name in self.tables or partition_key is None:
            raise invalid("the table is there, or has no key")
        capacity: Capacity = new.like.capacity
        if (units := request.ProvisionedThroughput) is not None:
            capacity = Provisioned(
                write_units=units.WriteCapacityUnits,
                read_units=units.ReadCapacityUnits,
                burst_seconds=new.burst_seconds,
            )
        settings = replace(
            new.like,
            name=name,
            partition_key=partition_key,
            sort_key=request.key("RANGE"),
            capacity=capacity,
            hash_salt=name if new.own_hash else "",
            stream=_new_stream(new.like.stream or Stream(), request.StreamSpecification),
        )
        made = ServedTable(settings, self._settings, now, self._epoch)
        made.absent_until = now + new.absent_seconds
        self.tables[name] = made
        return Answer(200, msgspec.json.encode({"TableDescription": _described(made)}))

    def _delete_table(self, body: bytes, _: float) -> Answer:
        table = self._made(requests.decode_table_request(body).TableName)
        del self.tables[table.settings.name]
        return Answer(200, msgspec.json.encode({"TableDescription": _described(table)}))

    def _describe_global_table(self, body: bytes, _: float) -> Answer:
        name = requests.decode_global_table_request(body).GlobalTableName
        settings = self.table(name).settings
        return global_table.describe_global_table(
            settings, self._settings.region, self._settings.account
        )

    def _update_table(self, body: bytes, now: float) -> Answer:
        """Enables or disables the stream; at once, where the service takes some seconds."""
        request = requests.decode_table_request(body)
        table, wanted = self.table(request.TableName), request.StreamSpecification
        if wanted is None or table.streams is None:
            raise invalid("of a table that keeps its items the simulator changes the stream only")
        if wanted.StreamEnabled:
            view = wanted.StreamViewType
            if view not in ("KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"):
                raise invalid("StreamViewType must be given when a stream is enabled")
            table.streams.enable(cast("StreamView", view), now)
        else:
            global_table.check_may_be_disabled(table.settings)
            table.streams.disable(now)
        return Answer(200, msgspec.json.encode({"TableDescription": _described(table)}))


def _new_stream(like: Stream, wanted: requests.StreamWish | None) -> Stream:
    """The stream of a new table, or what it would be."""
    if wanted is None or not wanted.StreamEnabled:
        return replace(like, enabled=False)
    view = msgspec.convert(wanted.StreamViewType, StreamView)
    return replace(like, enabled=True, view=view, enabled_before_seconds=0.0)


def _described(table: ServedTable) -> dict[str, object]:
    return description(
        table.settings,
        arn=table.model.arn,
        table_id=table.table_id,
        offer=table.model.offer(),
        size_bytes=table.seeded.size_bytes,
        streams=table.streams,
    )
