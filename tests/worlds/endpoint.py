"""A service that says what a test tells it to: HTTP on loopback, byte by byte.

What goes wrong between a client and a service once in a million requests goes wrong here at
once: a checksum that does not fit, an answer cut short, a connection dropped, no answer at all.

A `Behaviour` is asked what to do with one request that was read, and does it on the connection
it came by; so anything can be one, also one that wraps another. Behaviours given to `script` are
used up in order, one for each request; `otherwise` is for every request after them. Everything
that was asked is kept in `requests`.
"""

import asyncio
import ssl
import zlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal, Protocol
from urllib.parse import parse_qs

import msgspec

HANG_SECONDS = 20.0  # no test waits that long; it ends one that would hang for ever
LARGEST_HEAD_BYTES = 64 * 1024

Checksum = Literal["right", "wrong", "none"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came. Names of headers are in lower case; `connection` counts from 1."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int

    @property
    def operation(self) -> str:
        """What is asked for: of DynamoDB by a header, of STS by a form."""
        if "x-amz-target" in self.headers:
            return self.headers["x-amz-target"].rpartition(".")[2]
        return self.form.get("Action", "")

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form."""
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}

    @property
    def access_key(self) -> str:
        """The access key that the request is signed with."""
        return self.headers.get("authorization", "").partition("Credential=")[2].split("/")[0]


class Behaviour(Protocol):
    """What to do with one request."""

    async def act(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Answers, or does not; gives whether the connection stays open."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer, right in all but what a test makes wrong.

    `cut_bytes` are left out at the end, and the connection is dropped there. `when` is waited
    for before anything is sent.
    """

    body: bytes = b"{}"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    checksum: Checksum = "right"
    chunked: bool = False
    cut_bytes: int = 0
    when: asyncio.Event | None = None

    async def act(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        if self.when is not None:
            await asyncio.wait_for(self.when.wait(), HANG_SECONDS)
        sent = self._wire_bytes()
        writer.write(sent[: len(sent) - self.cut_bytes])
        await writer.drain()
        return self.cut_bytes == 0

    def _wire_bytes(self) -> bytes:
        headers = {"Content-Type": "application/x-amz-json-1.0"}
        if self.checksum != "none":
            crc = zlib.crc32(self.body)
            headers["x-amz-crc32"] = str(crc if self.checksum == "right" else crc ^ 1)
        body = self.body
        if self.chunked:
            headers["Transfer-Encoding"] = "chunked"
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        else:
            headers["Content-Length"] = str(len(body))
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in (headers | dict(self.headers)).items()]
        return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(frozen=True, slots=True)
class Bytes:
    """Sends these bytes, HTTP or not, and drops the connection."""

    sent: bytes

    async def act(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        writer.write(self.sent)
        await writer.drain()
        return False


@dataclass(frozen=True, slots=True)
class Drop:
    """Reads the request, then drops the connection without a word."""

    async def act(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Hang:
    """Reads the request and says nothing."""

    async def act(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(HANG_SECONDS)
        return False


@dataclass(frozen=True, slots=True)
class Decide:
    """Chooses the behaviour by the request."""

    choose: Callable[[Request], Behaviour | Awaitable[Behaviour]]

    async def act(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        chosen = self.choose(request)
        behaviour = await chosen if isinstance(chosen, Awaitable) else chosen
        return await behaviour.act(request, writer)


def refusal(
    code: str, message: str = "no", *, status: int = 400, headers: Mapping[str, str] | None = None
) -> Answer:
    """DynamoDB's answer to a request that it refuses."""
    words = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
    return Answer(body=msgspec.json.encode(words), status=status, headers=headers or {})


# A test that asks more than it scripted fails by this, and not by a wait.
UNSCRIPTED = refusal("NothingScripted", "the test has no answer for this request")


class Endpoint:
    """A running endpoint. `drop_connections` is how many of the next ones are closed unread."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.otherwise: Behaviour = UNSCRIPTED
        self.drop_connections = 0
        self.connections = 0
        self.open_connections = 0
        self.most_open_connections = 0
        self._script: deque[Behaviour] = deque()
        self._serving: set[asyncio.Task[None]] = set()
        self._arrived = asyncio.Condition()

    def script(self, *behaviours: Behaviour) -> None:
        """Adds what to do with the next requests, one after the other."""
        self._script.extend(behaviours)

    @property
    def operations(self) -> list[str]:
        """What was asked for, in order."""
        return [request.operation for request in self.requests]

    async def wait_for_requests(self, number: int) -> None:
        """Returns when so many requests have come in total."""
        async with self._arrived:
            arrived = self._arrived.wait_for(lambda: len(self.requests) >= number)
            await asyncio.wait_for(arrived, HANG_SECONDS)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection until either end has enough."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is served by a task")
        self._serving.add(task)
        self.connections += 1
        self.open_connections += 1
        self.most_open_connections = max(self.most_open_connections, self.open_connections)
        try:
            await self._serve_requests(self.connections, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client left: that is its right, and the test sees it from there
        except asyncio.CancelledError:
            pass  # by stop_serving; passed on, it would be logged as an error of the server
        finally:
            self.open_connections -= 1
            self._serving.discard(task)
            writer.close()

    async def _serve_requests(
        self, connection: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self.drop_connections:
            self.drop_connections -= 1
            return
        while request := await _read_request(connection, reader):
            async with self._arrived:
                self.requests.append(request)
                self._arrived.notify_all()
            behaviour = self._script.popleft() if self._script else self.otherwise
            if not await behaviour.act(request, writer):
                return

    async def stop_serving(self) -> None:
        """Ends every connection."""
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def _read_request(connection: int, reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None  # closed between two requests
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    if "chunked" in headers.get("transfer-encoding", ""):
        body = await _read_chunks(reader)
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, target, headers, body, connection)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    chunks = []
    while size := int(await reader.readline(), 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readline()
    return b"".join(chunks)


@asynccontextmanager
async def running_endpoint(
    *behaviours: Behaviour, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Endpoint]:
    """Runs an endpoint on a free port of loopback, with these behaviours scripted."""
    endpoint = Endpoint()
    endpoint.script(*behaviours)
    server = await asyncio.start_server(
        endpoint.serve, "127.0.0.1", 0, ssl=tls, limit=LARGEST_HEAD_BYTES
    )
    scheme = "http" if tls is None else "https"
    endpoint.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield endpoint
    finally:
        server.close()
        await endpoint.stop_serving()
        await server.wait_closed()
