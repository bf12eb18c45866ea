"""Two accounts that are the same each time: names, creation times, items; and a service to stop.

What a state file says of its tables has to be true of tables that are made anew, today and in a
year: so they get a fixed time of creation, and dynaferry knows the service by a name that is no
machine's, which it reaches as if through a proxy. Between it and moto stands what a test needs to
end a run as it likes: requests that wait, fail, or are refused.
"""

import asyncio
import atexit
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import moto.dynamodb.models.table as moto_table
from moto.backends import get_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.worlds.client import WireItem
from tests.worlds.moto import (
    REGION,
    SOURCE_ACCOUNT_ID,
    TARGET_ACCOUNT_ID,
    TARGET_EXTERNAL_ID,
    TARGET_ROLE_ARN,
    MotoWorld,
)

ROOT: Final = Path(__file__).parents[2]
FIXTURES: Final = Path(__file__).with_name("fixtures")
# A name that leads nowhere, and so to no machine.
ENDPOINT: Final = "http://dynamodb.example:8000"
CREATED_AT: Final = datetime(2026, 1, 1)  # as moto keeps it, in UTC
ITEMS: Final = 240
SEGMENTS: Final = 8
PAGE_BYTES: Final = 700  # so that a segment has several pages
REFUSED: Final = "item that the target refuses"
SECONDS: Final = 60.0

Answer = tuple[str, bytes]
Start = Callable[[str, list[tuple[str, str]]], object]


def an_item(number: int, note: str = "fine") -> WireItem:
    """The item of this number; its number attribute has more digits than a float keeps."""
    return {
        "pk": {"S": f"order-{number:04}"},
        "n": {"N": f"{number}.12345678901234567890123456789"},
        "note": {"S": note},
    }


def some_items(*, refused: Sequence[int] = (), number: int = ITEMS) -> list[WireItem]:
    """The source's items, of which the target refuses those of these numbers."""
    return [an_item(n, REFUSED if n in refused else "fine") for n in range(number)]


@dataclass
class Service:
    """Passes requests on to moto, but for those of dynaferry that a test wants to end otherwise.

    `hold` names an operation and how many of it pass before the others wait.
    """

    app: Callable[..., Iterable[bytes]]
    hold: tuple[str, int] | None = None
    fails: str | None = None
    throttles_once: str | None = None
    refuses: bool = True
    held: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    seen: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reset(self) -> None:
        """Everything passes."""
        self.release()
        self.hold = self.fails = self.throttles_once = None
        self.refuses = True
        self.seen = {}
        self.held, self.released = threading.Event(), threading.Event()

    def release(self) -> None:
        """What waits goes on, and nothing waits any more."""
        self.hold = None
        self.released.set()

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        is_a_tests = environ.get("HTTP_AUTHORIZATION", "").endswith("Signature=0")
        if operation and not is_a_tests:
            answer = self._answer(operation, environ)
            if answer is not None:
                start(answer[0], [("Content-Type", "application/x-amz-json-1.0")])
                return [answer[1]]
        return self.app(environ, start)

    def _answer(self, operation: str, environ: dict[str, Any]) -> Answer | None:
        with self.lock:
            self.seen[operation] = number = self.seen.get(operation, 0) + 1
            throttled = self.throttles_once == operation
            if throttled:
                self.throttles_once = None
        if self.hold is not None and operation == self.hold[0] and number > self.hold[1]:
            self.held.set()
            self.released.wait(SECONDS)
        if throttled:
            return _error("400 Bad Request", "ProvisionedThroughputExceededException", "slower")
        if self.fails == operation:
            return _error("500 Internal Server Error", "InternalServerError", "try again")
        return self._refusal(operation, environ)

    def _refusal(self, operation: str, environ: dict[str, Any]) -> Answer | None:
        if not self.refuses or operation not in ("BatchWriteItem", "PutItem"):
            return None
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = _Bytes(body)
        if REFUSED.encode() not in body:
            return None
        return _error("400 Bad Request", "ValidationException", "One or more values were invalid")


def _error(status: str, code: str, message: str) -> Answer:
    return status, json.dumps({"__type": f"com.example#{code}", "message": message}).encode()


class _Bytes:
    """A body that was read already."""

    def __init__(self, body: bytes) -> None:
        self._left = body

    def read(self, number: int = -1) -> bytes:
        """The next bytes."""
        number = len(self._left) if number < 0 else number
        taken, self._left = self._left[:number], self._left[number:]
        return taken


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:  # werkzeug's
        pass


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)


class ContractWorld:
    """The two accounts, and dynaferry between them as a process of its own."""

    def __init__(self, url: str, service: Service) -> None:
        self.url = url
        self.service = service
        self.accounts = MotoWorld(url)

    def reset(self) -> None:
        """Both accounts are empty, and everything passes."""
        self.service.reset()
        self.accounts.reset()

    def make_tables(
        self,
        source: Sequence[WireItem] | None = None,
        target: Sequence[WireItem] | None = (),
        name: str = "orders",
    ) -> None:
        """Makes both tables, as old as ever; no target where that is None."""

        async def make() -> None:
            tables = self.accounts.source_tables
            await tables.create_table(name)
            await tables.put_items(name, some_items() if source is None else source)
            if target is not None:
                await self.accounts.target_tables.create_table(name)
                await self.accounts.target_tables.put_items(name, target)

        asyncio.run(make())
        self.make_older(name, "source", CREATED_AT)
        if target is not None:
            self.make_older(name, "target", CREATED_AT)

    def make_older(self, name: str, side: str, created_at: datetime) -> None:
        """Gives one side's table this time of creation; moto has no ids to tell tables apart by."""
        account = SOURCE_ACCOUNT_ID if side == "source" else TARGET_ACCOUNT_ID
        get_backend("dynamodb")[account][REGION].tables[name].created_at = created_at

    def change_target(self, put: Sequence[WireItem], drop: Sequence[int] = ()) -> None:
        """Puts items into the target, and deletes those of these numbers."""

        async def change() -> None:
            tables = self.accounts.target_tables
            await tables.put_items("orders", put)
            for number in drop:
                await tables.delete_item("orders", {"pk": an_item(number)["pk"]})

        asyncio.run(change())

    def acknowledged(self, segments: Mapping[int, int], name: str = "orders") -> list[WireItem]:
        """The first so many items of each segment of the source, in the order of its scan."""

        async def read() -> list[WireItem]:
            found: list[WireItem] = []
            for segment, number in segments.items():
                asked = {"TableName": name, "Segment": segment, "TotalSegments": SEGMENTS}
                key: dict[str, Any] = {}
                items: list[WireItem] = []
                while len(items) < number:
                    page = await self.accounts.source_tables.call("Scan", asked | key)
                    items += page["Items"]
                    if "LastEvaluatedKey" not in page:
                        break
                    key = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
                found += items[:number]
            return found

        return asyncio.run(read())

    def put_into_target(self, items: Sequence[WireItem], name: str = "orders") -> None:
        """Puts items into the target."""
        asyncio.run(self.accounts.target_tables.put_items(name, items))

    def both(self, name: str = "orders") -> tuple[dict[str, str], dict[str, str]]:
        """What is in the source and what is in the target, by key."""

        async def read() -> tuple[dict[str, str], dict[str, str]]:
            accounts = self.accounts
            return (
                await accounts.source_tables.read_table(name),
                await accounts.target_tables.read_table(name),
            )

        return asyncio.run(read())

    def start(self, cwd: Path, *typed: str, **more: str) -> subprocess.Popen[str]:
        """Starts dynaferry."""
        return subprocess.Popen(
            [sys.executable, "-m", "dynaferry", *typed],
            cwd=cwd,
            env=environment(cwd, self.url) | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, cwd: Path, *typed: str, **more: str) -> Said:
        """Runs dynaferry to its end."""
        return _run(cwd, typed, environment(cwd, self.url) | more)


def environment(cwd: Path, proxy: str | None = None) -> dict[str, str]:
    """The environment of dynaferry: nothing of this machine's but where Python is."""
    nothing = str(cwd / "there-is-no-such-file")
    given = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(ROOT / "src"),
        "HOME": str(cwd),
        "TZ": "UTC",
        "LANG": "C.UTF-8",
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "AWS_CONFIG_FILE": nothing,
        "AWS_SHARED_CREDENTIALS_FILE": nothing,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_SESSION_TOKEN": "testing",
    }
    return given if proxy is None else given | {"HTTP_PROXY": proxy, "http_proxy": proxy}


def ended(child: subprocess.Popen[str]) -> Said:
    """What it said until its end; it is killed if it has none."""
    try:
        out, err = child.communicate(timeout=SECONDS)
    finally:
        child.kill()
    return Said(child.returncode, out, err)


def look(cwd: Path, *typed: str, **more: str) -> Said:
    """Runs a command that asks no service."""
    return _run(cwd, typed, environment(cwd) | more)


@cache
def _fork_server() -> subprocess.Popen[str]:
    """Starts processes that have imported dynaferry already."""
    place = Path(tempfile.gettempdir())
    program = Path(__file__).with_name("fork_server.py")
    child = subprocess.Popen(
        [sys.executable, str(program)],
        env=environment(place),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(_end, child)
    return child


def _end(child: subprocess.Popen[str]) -> None:
    with child:
        child.kill()


def _run(cwd: Path, typed: Sequence[str], env: Mapping[str, str]) -> Said:
    server = _fork_server()
    if server.stdin is None or server.stdout is None:
        raise RuntimeError("the fork server has no pipes")
    with tempfile.TemporaryDirectory() as place:
        out, err = Path(place, "out"), Path(place, "err")
        asked = {"typed": typed, "cwd": str(cwd), "env": env, "out": str(out), "err": str(err)}
        server.stdin.write(f"{json.dumps(asked)}\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return Said(code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))


REACH_SOURCE: Final = ("--source-region", REGION, "--source-endpoint-url", ENDPOINT)
REACH_TARGET: Final = (
    *("--target-region", REGION, "--target-endpoint-url", ENDPOINT),
    *("--target-role-arn", TARGET_ROLE_ARN, "--target-external-id", TARGET_EXTERNAL_ID),
    *("--sts-endpoint-url", ENDPOINT),
)
HERE: Final = ("--state-dir", "state")
SMALL: Final = ("--segments", str(SEGMENTS), "--readers", "2", "--progress", "none")


def copy(*more: str) -> tuple[str, ...]:
    """The command line of the copy."""
    tables = ("copy", "orders", "orders")
    return (*tables, *REACH_SOURCE, *REACH_TARGET, *HERE, *SMALL, "--writers", "2", *more)


def verify(*more: str) -> tuple[str, ...]:
    """The command line of its verification."""
    tables = ("verify", "orders", "orders")
    return (*tables, *REACH_SOURCE, *REACH_TARGET, *HERE, *SMALL, "--settle", "0", *more)


@contextmanager
def contract_world() -> Iterator[ContractWorld]:
    """Runs the service on a free port of this machine."""
    before: int = moto_table.RESULT_SIZE_LIMIT
    service = Service(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, service, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    moto_table.RESULT_SIZE_LIMIT = PAGE_BYTES
    try:
        host, port = server.server_address[:2]
        yield ContractWorld(f"http://{host!s}:{port}", service)
    finally:
        service.release()
        moto_table.RESULT_SIZE_LIMIT = before
        server.shutdown()
        thread.join()
        server.server_close()


def recorded(path: Path) -> Mapping[str, Any]:
    """A fixture."""
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
