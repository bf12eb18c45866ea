"""A name with several addresses: whichever answers is found, and is not looked for again."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import pytest

from dynaferry.dynamodb.http.addresses import SHUNNED_SECONDS, Addresses
from dynaferry.dynamodb.http.connection import SignedHeaders
from dynaferry.dynamodb.http.pool import ConnectionPool, EndpointAddress, Timeouts
from tests.worlds.endpoint import Answer, Endpoint, Hang

HOST = "two.example"
DEAF, THERE = "127.0.0.2", "127.0.0.1"
HEAD = SignedHeaders({"Host": "there"}, "nobody")
IMPATIENT = Timeouts(connect_seconds=5.0, silence_seconds=0.2, keep_alive_seconds=0.0)


def _found(host: str, port: int) -> tuple[int, int, int, str, tuple[str, int]]:
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """Listens on one address; where it also listens on the other, that is a test's to say."""
    found = Endpoint()
    found.otherwise = Answer(body=b"here")
    server = await asyncio.start_server(found.serve, THERE, 0)
    found.url = str(server.sockets[0].getsockname()[1])
    yield found
    server.close()
    await found.stop_serving()
    await server.wait_closed()


@pytest.fixture
def port(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> int:
    """The port, under a name that means two addresses, the deaf one first."""
    number = int(endpoint.url)
    real = socket.getaddrinfo

    def resolve(host: str, *rest: object, **more: object) -> object:
        if host == HOST:
            return [_found(DEAF, number), _found(THERE, number)]
        return real(host, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return number


@pytest.fixture
def deaf(port: int) -> Iterator[None]:
    """An address that swallows what is sent to it: a listener whose queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((DEAF, port))
        listener.listen(0)
        for _ in range(4):
            filling = stack.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex((DEAF, port))
        yield


def pool_to(port: int, patience: Timeouts = IMPATIENT) -> ConnectionPool:
    return ConnectionPool(EndpointAddress(HOST, port, None), limit=1, patience=patience)


async def test_an_address_that_does_not_open_does_not_keep_from_the_next(
    port: int, deaf: None
) -> None:
    pool = pool_to(port)
    try:
        assert [(await pool.send(HEAD, b"{}")).body for _ in range(3)] == [b"here"] * 3
    finally:
        await pool.aclose()


async def test_an_address_that_refuses_does_not_keep_from_the_next(port: int) -> None:
    pool = pool_to(port)
    try:
        assert (await pool.send(HEAD, b"{}")).body == b"here"
    finally:
        await pool.aclose()


async def test_an_address_that_did_not_open_is_tried_last_for_a_while(
    port: int, deaf: None
) -> None:
    now = 100.0
    addresses = Addresses(HOST, port, clock=lambda: now)
    (await addresses.connect()).close()
    found = [_found(DEAF, port), _found(THERE, port)]
    assert addresses.in_order(found, now) == found[::-1]
    assert addresses.in_order(found, now + SHUNNED_SECONDS) == found


async def test_an_address_that_opens_and_says_nothing_is_left_for_another(
    endpoint: Endpoint, port: int
) -> None:
    silent = Endpoint()
    silent.otherwise = Hang()
    server = await asyncio.start_server(silent.serve, DEAF, port)
    pool = pool_to(port)
    try:
        with pytest.raises(TimeoutError):
            await pool.send(HEAD, b"{}")
        assert (await pool.send(HEAD, b"{}")).body == b"here"
    finally:
        await pool.aclose()
        server.close()
        await silent.stop_serving()
        await server.wait_closed()
    assert len(silent.requests) == 1


async def test_a_name_that_is_not_known_says_so() -> None:
    pool = ConnectionPool(EndpointAddress("nowhere.invalid", 1, None), limit=1, patience=IMPATIENT)
    with pytest.raises(ConnectionError, match=r"cannot connect to nowhere\.invalid:1"):
        await pool.send(HEAD, b"{}")


async def test_none_of_the_addresses_opens_within_its_time(
    port: int, deaf: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_deaf = [_found(DEAF, port)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: only_deaf)
    pool = pool_to(port, IMPATIENT._replace(connect_seconds=0.1))
    with pytest.raises(TimeoutError):
        await pool.send(HEAD, b"{}")
