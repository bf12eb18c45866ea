"""Connections to a scripted endpoint: what is kept open, what is closed, what counts as whole."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from yarl import URL

from dynaferry.dynamodb.http.connection import (
    LEAST_SECONDS,
    MOST_ANNOUNCEMENTS,
    MOST_HEAD_BYTES,
    MOST_RESPONSE_BYTES,
    Http11Connection,
    HttpResponse,
    SignedHeaders,
)
from dynaferry.dynamodb.http.pool import ConnectionPool, EndpointAddress, Timeouts
from tests.worlds.endpoint import Answer, Bytes, Decide, Endpoint, Hang, Request, running_endpoint

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole"
HEAD = SignedHeaders({"Host": "there"}, "nobody")
PATIENT = Timeouts(connect_seconds=10.0, silence_seconds=10.0, keep_alive_seconds=10.0)


@asynccontextmanager
async def pool_to(
    endpoint: Endpoint, *, limit: int = 4, patience: Timeouts = PATIENT
) -> AsyncIterator[ConnectionPool]:
    url = URL(endpoint.url)
    pool = ConnectionPool(
        EndpointAddress(url.host or "", url.port or 0, None), limit=limit, patience=patience
    )
    try:
        yield pool
    finally:
        await pool.aclose()


@dataclass(frozen=True, slots=True)
class Sends:
    """Sends these pieces, each by itself, and keeps the connection."""

    pieces: tuple[bytes, ...]

    async def act(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        for piece in self.pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        return True


async def answers(*behaviours: Sends | Bytes | Answer) -> tuple[list[HttpResponse], int]:
    """What each of as many posts gets, and over how many connections."""
    async with running_endpoint(*behaviours) as endpoint, pool_to(endpoint) as pool:
        given = [await pool.send(HEAD, b"{}") for _ in behaviours]
    return given, endpoint.connections


async def test_a_response_that_comes_byte_by_byte_is_whole() -> None:
    pieces = tuple(WHOLE[index : index + 1] for index in range(len(WHOLE)))
    given, connections = await answers(Sends(pieces), Sends(pieces))
    assert [answer.body for answer in given] == [b"whole", b"whole"]
    assert connections == 1


async def test_names_of_headers_are_in_lower_case_and_values_as_they_came() -> None:
    sent = b"HTTP/1.1 200 OK\r\nX-Amz-CRC32:  12 \r\nContent-Length: 0\r\n\r\n"
    ((answer,), _) = await answers(Sends((sent,)))
    assert answer == HttpResponse(200, {b"x-amz-crc32": b"12", b"content-length": b"0"}, b"")


async def test_what_announces_a_response_is_not_the_response() -> None:
    announced = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    ((answer,), _) = await answers(Sends((announced, WHOLE)))
    assert (answer.status, answer.body) == (200, b"whole")
    assert b"link" not in answer.headers


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\n\r\nwho knows whether this is whole",
        b"HTTP/1.0 200 OK\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 2\r\n\r\nwhole",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nwhole",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nwhole\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: upgrade\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"",
    ],
)
async def test_a_response_whose_end_is_not_certain_is_no_response(sent: bytes) -> None:
    with pytest.raises(OSError, match=r"closed|not HTTP"):
        await answers(Bytes(sent))


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
    ],
)
async def test_a_connection_that_will_be_closed_is_not_used_again(head: bytes) -> None:
    given, connections = await answers(Sends((head + b"whole",)), Sends((WHOLE,)))
    assert [answer.body for answer in given] == [b"whole", b"whole"]
    assert connections == 2


@pytest.mark.parametrize("also", [WHOLE, b"HTTP/1.1 200 OK\r\nContent-Le", b"rubbish"])
async def test_what_nobody_asked_for_is_never_taken_for_the_next_response(also: bytes) -> None:
    wanted = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nwanted"
    given, connections = await answers(Sends((WHOLE + also,)), Sends((wanted,)))
    assert [answer.body for answer in given] == [b"whole", b"wanted"]
    assert connections == 2


async def test_a_response_before_the_request_was_read_ends_the_connection() -> None:
    too_large = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(too_large)

    served: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = EndpointAddress("127.0.0.1", server.sockets[0].getsockname()[1], None)
    pool = ConnectionPool(address, limit=1, patience=PATIENT)
    try:
        statuses = [(await pool.send(HEAD, bytes(32 * 1024 * 1024))).status for _ in range(2)]
    finally:
        await pool.aclose()
        for writer in served:
            writer.close()
        server.close()
        await server.wait_closed()
    assert statuses == [413, 413]
    assert len(served) == 2


async def test_a_cancelled_post_leaves_its_response_to_nobody() -> None:
    async with running_endpoint(Hang()) as endpoint, pool_to(endpoint, limit=1) as pool:
        endpoint.otherwise = Answer(body=b"next")
        cancelled = asyncio.create_task(pool.send(HEAD, b"{}"))
        await endpoint.wait_for_requests(1)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert (await pool.send(HEAD, b"{}")).body == b"next"
    assert endpoint.connections == 2


async def test_a_post_that_is_cancelled_while_it_waits_its_turn_leaves_the_turn_to_others() -> None:
    go = asyncio.Event()
    async with running_endpoint(Answer(when=go)) as endpoint, pool_to(endpoint, limit=1) as pool:
        endpoint.otherwise = Answer(body=b"next")
        first = asyncio.create_task(pool.send(HEAD, b"{}"))
        await endpoint.wait_for_requests(1)
        waiting = asyncio.create_task(pool.send(HEAD, b"{}"))
        await asyncio.sleep(0)
        waiting.cancel()
        go.set()
        await first
        assert (await pool.send(HEAD, b"{}")).body == b"next"
    assert len(endpoint.requests) == 2


async def test_a_connection_that_was_idle_for_long_is_not_trusted() -> None:
    patience = PATIENT._replace(keep_alive_seconds=0.0)
    async with running_endpoint() as endpoint, pool_to(endpoint, patience=patience) as pool:
        endpoint.otherwise = Answer()
        for _ in range(3):
            await pool.send(HEAD, b"{}")
    assert endpoint.connections == 3


async def test_a_connection_that_the_endpoint_closed_meanwhile_costs_no_error() -> None:
    async with running_endpoint() as endpoint, pool_to(endpoint) as pool:
        endpoint.otherwise = Answer()
        await pool.send(HEAD, b"{}")
        (connection,) = pool._open
        await endpoint.stop_serving()
        await asyncio.wait_for(asyncio.shield(connection.lost), 10)
        assert (await pool.send(HEAD, b"{}")).status == 200
    assert endpoint.connections == 2


async def test_responses_to_requests_in_flight_together_are_not_mixed_up() -> None:
    async def echo(request: Request) -> Answer:
        return Answer(body=request.body)

    async with running_endpoint() as endpoint, pool_to(endpoint, limit=3) as pool:
        endpoint.otherwise = Decide(echo)
        bodies = [b"%d" % number * (number * 700 + 1) for number in range(40)]
        given = await asyncio.gather(*(pool.send(HEAD, body) for body in bodies))
    assert [answer.body for answer in given] == bodies
    assert endpoint.connections <= 3


async def test_closing_the_pool_closes_every_connection() -> None:
    async with running_endpoint() as endpoint:
        endpoint.otherwise = Answer()
        async with pool_to(endpoint) as pool:
            await asyncio.gather(*(pool.send(HEAD, b"{}") for _ in range(4)))
            connections = list(pool._open)
        assert connections
        assert all(connection.lost.done() for connection in connections)


# Silence, by a clock of the test's own ---------------------------------------------------------


@dataclass(slots=True)
class Timer:
    at: float
    callback: object
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass(slots=True)
class Clock:
    """What a connection asks of its event loop, at a time that the test sets."""

    now: float = 0.0
    timers: list[Timer] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    def create_future(self) -> asyncio.Future[object]:
        return asyncio.get_running_loop().create_future()

    def call_later(self, seconds: float, callback: object) -> Timer:
        self.timers.append(Timer(self.now + seconds, callback))
        return self.timers[-1]

    def go_to(self, now: float) -> None:
        while due := [timer for timer in self.timers if timer.at <= now]:
            first = min(due, key=lambda timer: timer.at)
            self.timers.remove(first)
            self.now = first.at
            if not first.cancelled:
                first.callback()  # type: ignore[operator]
        self.now = now


@dataclass(slots=True)
class Line:
    """A transport that keeps back what a test says."""

    unsent_bytes: int = 0
    aborted: bool = False

    def write(self, data: bytes) -> None:
        """Everything is taken."""

    def writelines(self, parts: object) -> None:
        """Everything is taken."""

    def get_write_buffer_size(self) -> int:
        return self.unsent_bytes

    def abort(self) -> None:
        self.aborted = True


@asynccontextmanager
async def waiting_exchange(
    body: bytes = b"{}",
    *,
    response_seconds: float = math.inf,
    left_seconds: Callable[[], float] = lambda: math.inf,
) -> AsyncIterator[tuple[Clock, Line, Http11Connection, "asyncio.Task[HttpResponse]"]]:
    clock, line = Clock(), Line()
    connection = Http11Connection(
        clock,  # type: ignore[arg-type]
        silence_seconds=30.0,
        response_seconds=response_seconds,
        left_seconds=left_seconds,
    )
    connection.connection_made(line)  # type: ignore[arg-type]
    exchange = asyncio.create_task(connection.send(HEAD, body))
    await asyncio.sleep(0)
    yield clock, line, connection, exchange
    exchange.cancel()
    await asyncio.wait([exchange])


async def test_silence_ends_the_wait_after_its_time_and_not_before() -> None:
    async with waiting_exchange() as (clock, line, _, exchange):
        clock.go_to(29.9)
        await asyncio.sleep(0)
        assert not exchange.done()
        clock.go_to(30.0)
        with pytest.raises(TimeoutError):
            await exchange
        assert line.aborted


async def test_a_response_that_keeps_coming_is_not_silence() -> None:
    async with waiting_exchange() as (clock, _, connection, exchange):
        clock.go_to(25.0)
        connection.data_received(WHOLE[:10])
        clock.go_to(54.0)
        await asyncio.sleep(0)
        assert not exchange.done()
        connection.data_received(WHOLE[10:])
        assert (await exchange).body == b"whole"


async def test_a_request_that_is_still_leaving_is_not_silence_but_one_that_is_stuck_is() -> None:
    async with waiting_exchange(body=bytes(1_000_000)) as (clock, line, _, exchange):
        line.unsent_bytes = 900_000
        clock.go_to(30.0)
        line.unsent_bytes = 500_000
        clock.go_to(60.0)
        await asyncio.sleep(0)
        assert not exchange.done()
        clock.go_to(90.0)
        with pytest.raises(TimeoutError):
            await exchange


async def test_the_next_request_has_all_the_time_too() -> None:
    async with waiting_exchange() as (clock, _, connection, exchange):
        clock.go_to(20.0)
        connection.data_received(WHOLE)
        await exchange
        second = asyncio.create_task(connection.send(HEAD, b"{}"))
        await asyncio.sleep(0)
        clock.go_to(49.0)
        await asyncio.sleep(0)
        assert not second.done()
        clock.go_to(50.0)
        with pytest.raises(TimeoutError):
            await second


async def test_a_response_that_drips_ends_at_the_deadline_of_the_whole() -> None:
    async with waiting_exchange(response_seconds=100.0) as (clock, _, connection, exchange):
        connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for second in range(1, 100):
            clock.go_to(float(second))
            connection.data_received(b".")
        await asyncio.sleep(0)
        assert not exchange.done()
        clock.go_to(100.0)
        with pytest.raises(TimeoutError):
            await exchange
        assert connection.timed_out


async def test_the_deadline_of_the_whole_begins_when_the_request_has_left() -> None:
    async with waiting_exchange(bytes(1_000_000), response_seconds=40.0) as (
        clock,
        line,
        connection,
        exchange,
    ):
        line.unsent_bytes = 900_000
        clock.go_to(30.0)
        line.unsent_bytes = 500_000
        clock.go_to(60.0)
        line.unsent_bytes = 0
        clock.go_to(85.0)
        connection.data_received(WHOLE)
        assert (await exchange).body == b"whole"


async def test_a_wait_ends_with_the_patience_of_who_waits() -> None:
    async with waiting_exchange(left_seconds=lambda: 7.0) as (clock, _, _, exchange):
        clock.go_to(6.9)
        await asyncio.sleep(0)
        assert not exchange.done()


async def test_a_wait_ends_when_no_patience_is_left_but_not_at_once() -> None:
    async with waiting_exchange(left_seconds=lambda: -3.0) as (clock, _, _, exchange):
        clock.go_to(LEAST_SECONDS * 0.9)
        await asyncio.sleep(0)
        assert not exchange.done()
        clock.go_to(LEAST_SECONDS)
        with pytest.raises(TimeoutError):
            await exchange


# Answers without an end ---------------------------------------------------------------------------


async def test_a_head_without_an_end_is_no_response() -> None:
    async with waiting_exchange() as (_, line, connection, exchange):
        connection.data_received(b"HTTP/1.1 200 OK\r\n")
        for number in range(MOST_HEAD_BYTES // 1000 + 1):
            connection.data_received(b"x-%d: %b\r\n" % (number, b"y" * 1000))
        with pytest.raises(ConnectionError, match="longer than any"):
            await exchange
        assert line.aborted


async def test_announcements_without_an_end_are_no_response() -> None:
    async with waiting_exchange() as (_, _, connection, exchange):
        for _ in range(MOST_ANNOUNCEMENTS):
            connection.data_received(b"HTTP/1.1 100 Continue\r\n\r\n")
        await asyncio.sleep(0)
        assert not exchange.done()
        connection.data_received(b"HTTP/1.1 100 Continue\r\n\r\n")
        with pytest.raises(ConnectionError, match="longer than any"):
            await exchange


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 99999999999\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n"],
)
async def test_a_body_without_an_end_is_no_response(head: bytes) -> None:
    async with waiting_exchange() as (_, _, connection, exchange):
        connection.data_received(b"HTTP/1.1 200 OK\r\n" + head)
        piece = bytes(1024 * 1024)
        for _ in range(MOST_RESPONSE_BYTES // len(piece) - 1):
            connection.data_received(piece)
        await asyncio.sleep(0)
        assert not exchange.done()
        connection.data_received(piece)
        connection.data_received(piece)
        with pytest.raises(ConnectionError, match="longer than any"):
            await exchange


async def test_each_response_is_measured_by_itself() -> None:
    async with waiting_exchange() as (_, _, connection, exchange):
        connection.data_received(WHOLE[:-1])
        connection.data_received(WHOLE[-1:])
        await exchange
        for _ in range(MOST_HEAD_BYTES // len(WHOLE) + 2):
            following = asyncio.create_task(connection.send(HEAD, b"{}"))
            await asyncio.sleep(0)
            connection.data_received(WHOLE[:-1])
            connection.data_received(WHOLE[-1:])
            assert (await following).body == b"whole"
