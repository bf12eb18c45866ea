"""Connections of people and scrapers are bounded, and idle ones keep nobody out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dynaferry.observe.monitor import RunMonitor
from dynaferry.web import doors as doors_module
from dynaferry.web.control import ControlsView
from dynaferry.web.doors import MOST_CONNECTIONS, Doors
from dynaferry.web.events import MOST_PAGES
from tests.web.served import Served, served

ASK = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connections(server: Served, number: int) -> AsyncIterator[list[Connection]]:
    """So many connections that say nothing."""
    made = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(number)]
    try:
        yield made
    finally:
        for _, writer in made:
            writer.close()


async def is_closed(connection: Connection) -> bool:
    """Whether the other end closes it now."""
    try:
        return await asyncio.wait_for(connection[0].read(1), 10) == b""
    except ConnectionError:
        return True


async def ask(connection: Connection) -> bytes:
    reader, writer = connection
    writer.write(ASK)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    await reader.readexactly(int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0]))
    return head.splitlines()[0]


async def test_idle_connections_make_room_for_who_asks() -> None:
    async with (
        served(RunMonitor("orders", readers=8)) as server,
        connections(server, 5 * MOST_CONNECTIONS) as idle,
    ):
        assert (await server.get("/healthz")).status == 200
        assert all([await is_closed(each) for each in idle[: 2 * MOST_CONNECTIONS]])


async def test_no_more_connections_are_open_than_there_may_be() -> None:
    made: list[Doors] = []

    class Counted(Doors):
        def entered(self, transport: asyncio.BaseTransport) -> bool:
            entered = super().entered(transport)
            made.append(self)
            assert len(self) <= MOST_CONNECTIONS
            return entered

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dynaferry.web.server.Doors", Counted)
        async with (
            served(RunMonitor("orders", readers=8)) as server,
            connections(server, 3 * MOST_CONNECTIONS),
        ):
            assert (await server.get("/healthz")).status == 200
    assert len(made) > 3 * MOST_CONNECTIONS


async def test_who_is_sent_updates_is_not_shut_out_by_who_is_idle() -> None:
    async with (
        served(RunMonitor("orders", readers=8)) as server,
        connections(server, 1) as (page,),
    ):
        reader, writer = page
        writer.write(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b"data: "), 10)
        async with connections(server, 2 * MOST_CONNECTIONS):
            assert (await server.get("/healthz")).status == 200
        assert MOST_PAGES < MOST_CONNECTIONS
        assert not reader.at_eof()


async def test_who_asks_for_nothing_is_shown_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors_module, "ASKING_SECONDS", 0.05)
    async with (
        served(RunMonitor("orders", readers=8)) as server,
        connections(server, 3) as (silent, dripping, asking),
    ):
        assert await ask(asking) == b"HTTP/1.1 200 OK"
        dripping[1].write(ASK[:-4])
        assert await is_closed(silent)
        assert await is_closed(dripping)
        assert await ask(asking) == b"HTTP/1.1 200 OK"


async def test_a_question_that_does_not_end_is_answered_with_408(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dynaferry.web.server.RESPONSE_SECONDS", 0.05)
    monkeypatch.setattr("dynaferry.web.guards.control_refusal", lambda **_: None)

    async def never(_: object) -> None:
        raise AssertionError("nothing was asked for")

    async with (
        served(RunMonitor("orders", readers=8), ControlsView("right", never)) as server,
        connections(server, 1) as ((reader, writer),),
    ):
        writer.write(
            b"POST /control HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        assert b" 408 " in await asyncio.wait_for(reader.readline(), 10)
