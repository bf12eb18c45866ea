"""An endpoint without TLS 1.2 is told as such, by control calls and data path alike."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from dynaferry.dynamodb.account.session import AccountSession, open_account
from dynaferry.dynamodb.client import open_client
from dynaferry.dynamodb.failures.tls_errors import tls_fault, why_not_connected
from dynaferry.dynamodb.tables.describe import call_service
from dynaferry.errors import DynaferryError, RequestRefusedError, UnavailableError
from dynaferry.plan.settings import Account

# A TLS record with a fatal alert: protocol_version, as a server of TLS 1.1 answers.
TOO_NEW = b"\x15\x03\x02\x00\x02\x02\x46"
# The beginning of a ServerHello that chooses TLS 1.1.
CHOOSES_1_1 = b"\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02" + b"\x01" * 32 + b"\x00\xc0\x13\x00"


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """An endpoint that answers whatever comes first with these bytes, and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


async def control_call(session: AccountSession, url: str) -> None:
    await call_service(session, "DescribeTable", "orders", TableName="orders")


async def item_call(session: AccountSession, url: str) -> None:
    async with open_client(session, table="orders", endpoint=url, connections=1) as client:
        await client.send("Scan", b"{}")


Call = Callable[[AccountSession, str], Awaitable[None]]
BOTH = pytest.mark.parametrize("call", [control_call, item_call])


@pytest.fixture(autouse=True)
def no_waiting_between_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    delay = "botocore.retries.standard.ExponentialBackoff.delay_amount"
    monkeypatch.setattr(delay, lambda _, context: 0.0)


async def the_error(call: Call, answer: bytes) -> DynaferryError:
    async with answering(answer) as url:
        account = Account(region="us-east-1", endpoint_url=url)
        async with open_account(account, "source") as session:
            with pytest.raises(DynaferryError) as caught:
                await call(session, url)
    return caught.value


@BOTH
@pytest.mark.parametrize("answer", [TOO_NEW, CHOOSES_1_1], ids=["alert", "hello"])
async def test_an_endpoint_of_tls_1_1_stops_with_the_reason_and_what_to_do(
    call: Call, answer: bytes
) -> None:
    error = await the_error(call, answer)
    assert type(error) is RequestRefusedError
    assert "the endpoint speaks no TLS that is taken here, 1.2 or 1.3" in error.message
    assert "speak TLS 1.2" in (error.hint or "")


@BOTH
async def test_an_endpoint_without_tls_is_reported_as_such(call: Call) -> None:
    error = await the_error(call, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    assert type(error) is RequestRefusedError
    assert "the endpoint does not speak TLS" in error.message
    assert "http://" in (error.hint or "")


@BOTH
async def test_a_connection_that_is_closed_while_tls_is_agreed_on_is_explained(
    call: Call,
) -> None:
    error = await the_error(call, b"")
    assert type(error) is UnavailableError
    assert "speaks no TLS 1.2" in error.message


def test_an_error_without_words_of_its_own_is_given_some() -> None:
    assert why_not_connected(ConnectionResetError(), tls=True) == (
        "it was closed while TLS was agreed on, as by whoever speaks no TLS 1.2"
    )
    assert why_not_connected(ConnectionResetError(), tls=False) == "it was closed at once"
    assert why_not_connected(OSError(), tls=False) == "OSError()"
    assert why_not_connected(OSError("no route"), tls=False) == "no route"


def test_a_passing_error_of_tls_is_no_fault_that_stays() -> None:
    assert tls_fault(ssl.SSLError("SHUTDOWN_WHILE_IN_INIT")) is None
    assert tls_fault(ConnectionResetError()) is None
