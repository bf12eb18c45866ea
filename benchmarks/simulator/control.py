"""What can be asked of a simulator beside the service: what it saw, and that something happens.

GET  /simulator/report                        everything the service saw, see report.py
GET  /simulator/tables/NAME/items             the items that the table keeps, in order
POST /simulator/tables/NAME/change            {"write_units": 2000}, see settings.Change
POST /simulator/tables/NAME/brown-out         {"seconds": 5, "answer": "503"}, see BrownOut
POST /simulator/tables/NAME/stream            {"do": "split", "shards": 2}, see StreamEvent
POST /simulator/tables/NAME/stream/brown-out  as of the table, for reads of its stream
POST /simulator/tables/NAME/expire            {"items": 3}: time to live deletes some
"""

import re
from collections.abc import Callable

import msgspec
from msgspec import Struct

from benchmarks.simulator.answer import Answer
from benchmarks.simulator.refusals import RefusedError, invalid
from benchmarks.simulator.report import Report
from benchmarks.simulator.served_table import ServedTable
from benchmarks.simulator.service import Service
from benchmarks.simulator.settings import BrownOut, Change, StreamEvent, check_change
from benchmarks.simulator.table_streams import TableStreams

_TABLE = re.compile(r"/simulator/tables/([^/]+)/(.+)")


class Expire(Struct, frozen=True, forbid_unknown_fields=True):
    """How many items time to live deletes."""

    items: int


class Control:
    """The control of one service."""

    def __init__(self, service: Service, report: Callable[[], Report]) -> None:
        self._service = service
        self._report = report
        self._actions: dict[str, Callable[[ServedTable, bytes, float], None]] = {
            "change": _change,
            "brown-out": _brown_out,
            "stream": _stream,
            "stream/brown-out": _stream_brown_out,
            "expire": _expire,
        }

    def answer(self, method: str, path: str, body: bytes, now: float) -> Answer:
        """The answer to one request."""
        try:
            return self._answer(method, path, body, now)
        except RefusedError as error:
            return Answer(404, error.refusal.body())
        except ValueError as error:  # msgspec's is one
            return Answer(400, msgspec.json.encode({"message": str(error)}))

    def _answer(self, method: str, path: str, body: bytes, now: float) -> Answer:
        self._service.advance(now)
        if (method, path) == ("GET", "/simulator/report"):
            return Answer(200, msgspec.json.encode(self._report()))
        named = _TABLE.fullmatch(path)
        if named is not None and (method, named[2]) == ("GET", "items"):
            return Answer(200, _items(self._service.table(named[1])))
        if method != "POST" or named is None or named[2] not in self._actions:
            return Answer(404, b'{"message":"see the top of control.py"}')
        self._actions[named[2]](self._service.table(named[1]), body, now)
        return Answer(200, b"{}")


def _items(table: ServedTable) -> bytes:
    if table.items is None:
        raise invalid(f"{table.settings.name} keeps no items")
    found = [table.items.get(key) for key in table.items.keys()]  # noqa: SIM118  # no mapping
    return b"[%b]" % b",".join([item.body for item in found if item is not None])


def _change(table: ServedTable, body: bytes, now: float) -> None:
    change = msgspec.json.decode(body, type=Change)
    check_change(table.settings.name, change, {index.name for index in table.settings.indexes})
    table.model.change(change, now)


def _brown_out(table: ServedTable, body: bytes, now: float) -> None:
    table.model.brown_out(msgspec.json.decode(body, type=BrownOut), now)


def _stream(table: ServedTable, body: bytes, now: float) -> None:
    _streams(table).do(msgspec.json.decode(body, type=StreamEvent), now)


def _stream_brown_out(table: ServedTable, body: bytes, now: float) -> None:
    _streams(table).brown_out(msgspec.json.decode(body, type=BrownOut), now)


def _expire(table: ServedTable, body: bytes, now: float) -> None:
    table.expire(msgspec.json.decode(body, type=Expire).items, now)


def _streams(table: ServedTable) -> TableStreams:
    if table.streams is None:
        raise invalid(f"{table.settings.name} keeps no items, so it has no stream")
    return table.streams
