"""The HTTP edge: an asyncio.Protocol on loopback, as lean as the answers allow.

POST / with X-Amz-Target is the service, its tables or its streams; no signature is looked at.
Beside it is the control, see control.py.

One request at a time on a connection, as HTTP clients do: answers are not put in order.
"""

import asyncio
import gzip
import re
import sys
import time
import zlib

import uvloop
from msgspec.structs import replace

from benchmarks.simulator.control import Control
from benchmarks.simulator.report import Report
from benchmarks.simulator.service import Answer, Service
from benchmarks.simulator.settings import Settings

_ANSWER_HEAD = (
    b"HTTP/1.1 %d .\r\nContent-Type: application/x-amz-json-1.0\r\n"
    b"x-amz-crc32: %d\r\nContent-Length: %d\r\n\r\n"
)
_UNCHECKED_HEAD = (
    b"HTTP/1.1 %d .\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n"
)
_PACKED = b"Content-Encoding: gzip\r\n"
_TAKES_GZIP = re.compile(rb"accept-encoding:[^\r]*gzip", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_OPERATION = re.compile(rb"x-amz-target: *DynamoDB(Streams)?_20120810\.(\w+)", re.IGNORECASE)


class Simulator:
    """The service and its control, by one clock."""

    def __init__(self, settings: Settings) -> None:
        # Not the loop's clock, which uvloop moves once per turn and by whole milliseconds.
        self._started_at = time.monotonic()
        self._cpu_before = time.process_time()
        self._service = Service(settings, epoch=time.time())
        self._settings = settings
        self._controlled = Control(self._service, self.report)
        self._worst_lag_seconds = 0.0

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started_at

    def answer(self, head: bytes, body: bytes) -> Answer:
        """The answer to one request."""
        if (operation := _OPERATION.search(head)) is not None:
            is_of_streams = operation[1] is not None
            answer = self._service.answer(
                operation[2].decode(), body, self.now, is_of_streams=is_of_streams
            )
            return self._as_sent(answer, head, is_of_streams=is_of_streams)
        method, path, _ = head.split(b" ", 2)
        return self._controlled.answer(method.decode(), path.decode(), body, self.now)

    def _as_sent(self, answer: Answer, head: bytes, *, is_of_streams: bool) -> Answer:
        """The answer without a checksum, or packed, where the settings say so."""
        settings = self._settings
        if is_of_streams and not settings.streams_have_checksums:
            answer = replace(answer, is_checked=False)
        least = settings.packed_from_bytes
        if least is not None and len(answer.body) >= least and _TAKES_GZIP.search(head):
            answer = replace(answer, body=gzip.compress(answer.body, 1), is_packed=True)
        return answer

    def note_lag(self, seconds: float) -> None:
        """An answer went out this late."""
        self._worst_lag_seconds = max(self._worst_lag_seconds, seconds)

    def report(self) -> Report:
        """What the service saw."""
        now = self.now
        return Report(
            seconds=now,
            cpu_seconds=time.process_time() - self._cpu_before,
            worst_lag_seconds=self._worst_lag_seconds,
            tables={name: table.report(now) for name, table in self._service.tables.items()},
        )


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, simulator: Simulator, loop: asyncio.AbstractEventLoop) -> None:
        self._simulator = simulator
        self._loop = loop
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport is one

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (head_end := self._received.find(_HEAD_END)) >= 0:
            head = bytes(self._received[:head_end])
            length = _LENGTH.search(head)
            body_start = head_end + len(_HEAD_END)
            request_end = body_start + (int(length[1]) if length else 0)
            if len(self._received) < request_end:
                return
            with memoryview(self._received) as received:
                body = bytes(received[body_start:request_end])
            del self._received[:request_end]
            self._respond(head, body)

    def _respond(self, head: bytes, body: bytes) -> None:
        came_at = time.monotonic()
        answer = self._simulator.answer(head, body)
        due_at = came_at + answer.latency_seconds
        if answer.latency_seconds > 0:
            self._loop.call_later(due_at - time.monotonic(), self._send, answer, due_at)
        else:
            self._send(answer, due_at)

    def _send(self, answer: Answer, due_at: float) -> None:
        self._simulator.note_lag(time.monotonic() - due_at)
        if self._transport is None or self._transport.is_closing():
            return
        if answer.is_lost:
            self._transport.close()
            return
        body = answer.body
        if answer.is_checked:
            head = _ANSWER_HEAD % (answer.status, zlib.crc32(body), len(body))
        else:
            head = _UNCHECKED_HEAD % (answer.status, len(body))
        if answer.is_packed:
            head = head.replace(b"Content-Length", _PACKED + b"Content-Length", 1)
        self._transport.writelines((head, body))


async def serve(settings: Settings) -> None:
    """Serves on a free loopback port, which it prints, until standard input ends."""
    loop = asyncio.get_running_loop()
    simulator = Simulator(settings)
    server = await loop.create_server(lambda: Connection(simulator, loop), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201
    async with server:
        await loop.run_in_executor(None, sys.stdin.read)


def run(settings: Settings) -> None:
    """Serves until standard input ends."""
    uvloop.run(serve(settings))
