import asyncio
import http.client
from collections.abc import Iterable
from urllib.parse import urlsplit

import pytest

from benchmarks.simulator import (
    NO_LATENCY,
    BrownOut,
    Change,
    Provisioned,
    Settings,
    Table,
    simulator,
)
from benchmarks.simulator.server import Connection, Simulator

SETTINGS = Settings(tables=(Table(name="orders", items=5, latency=NO_LATENCY),))
BODY = b'{"TableName":"orders"}'
REQUEST = (
    b"POST / HTTP/1.1\r\nHost: here\r\nX-Amz-Target: DynamoDB_20120810.Scan\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


class WrittenTransport(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.written += b"".join(list_of_data)

    def is_closing(self) -> bool:
        return False


@pytest.mark.parametrize("piece_bytes", [1, 7, 100, 10_000])
async def test_requests_are_understood_however_they_are_cut_into_pieces(piece_bytes: int) -> None:
    transport = WrittenTransport()
    connection = Connection(Simulator(SETTINGS), asyncio.get_running_loop())
    connection.connection_made(transport)
    stream = REQUEST * 3
    for start in range(0, len(stream), piece_bytes):
        connection.data_received(stream[start : start + piece_bytes])
    assert transport.written.count(b"HTTP/1.1 200") == 3
    assert transport.written.count(b'"Count":5') == 3


def scan(url: str) -> int:
    """The status of the answer to one Scan."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    headers = {"X-Amz-Target": "DynamoDB_20120810.Scan"}
    connection.request("POST", "/", b'{"TableName":"orders"}', headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def test_a_running_simulator_counts_and_can_be_disturbed() -> None:
    with simulator(SETTINGS) as simulated:
        assert scan(simulated.url) == 200
        simulated.brown_out("orders", BrownOut(seconds=60, answer="503"))
        assert scan(simulated.url) == 503
        simulated.change("orders", Change(write_units=8000))
        report = simulated.report()
    seen = report.tables["orders"]
    assert seen.total(lambda second: second.items_read) == 5
    assert seen.total(lambda second: second.failed_requests) == 1
    assert seen.seconds[-1].write_capacity == 8000
    assert report.cpu_seconds > 0
    with pytest.raises(ConnectionError):
        scan(simulated.url)


def test_control_says_what_is_not_there() -> None:
    with simulator(SETTINGS) as simulated:
        with pytest.raises(RuntimeError, match="others"):
            simulated.change("others", Change(write_units=1))
        with pytest.raises(RuntimeError, match="no index"):
            simulated.change("orders", Change(index="gone", write_units=1))


def test_settings_that_make_no_sense_start_nothing() -> None:
    capacity = Provisioned(write_units=0, read_units=1)
    settings = Settings(tables=(Table(name="orders", capacity=capacity),))
    with pytest.raises(ValueError, match="write_units"), simulator(settings):
        pytest.fail("it started")
