"""How long it takes until many tables are inspected: a dry run as it is typed, with a pattern.

    python -m benchmarks.many_tables [--tables 150] [--latency-ms 20] [--rounds 3]

Each side is an endpoint in a process of its own, which answers each call so long after it came.
What is measured is the whole command, start-up included, and the time between the first and the
last call that the endpoints saw.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from typing import Any, Final

import uvloop

PAGE_OF_NAMES: Final = 100  # [M:ListTables]
_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_OPERATION: Final = re.compile(rb"x-amz-target: *DynamoDB_20120810\.(\w+)", re.IGNORECASE)
ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Tables:
    """The answers of one account that has so many tables, named table-000 and so on."""

    def __init__(self, side: str, count: int) -> None:
        self._side = side
        self._names = [f"table-{number:03}" for number in range(count)]
        self.requests: Counter[str] = Counter()
        self.first_at = 0.0
        self.last_at = 0.0

    def answer(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        """The body of the answer to one call."""
        self.requests[operation] += 1
        self.last_at = time.monotonic()
        self.first_at = self.first_at or self.last_at
        if operation == "ListTables":
            return self._list(body.get("ExclusiveStartTableName", ""))
        if operation == "DescribeTable":
            return {"Table": self._described(body["TableName"].rpartition("/")[2])}
        return {"Items": [], "Count": 0} if operation == "Scan" else {}

    def _list(self, start: str) -> dict[str, Any]:
        behind = [name for name in self._names if name > start]
        page = behind[:PAGE_OF_NAMES]
        more = {"LastEvaluatedTableName": page[-1]} if len(page) < len(behind) else {}
        return {"TableNames": page, **more}

    def _described(self, name: str) -> dict[str, Any]:
        return {
            "TableName": name,
            "TableArn": f"arn:aws:dynamodb:us-east-1:123456789012:table/{name}",
            "TableId": f"{self._side}-{name}",
            "TableStatus": "ACTIVE",
            "CreationDateTime": 1.7e9,
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
            "ItemCount": 1000,
            "TableSizeBytes": 1_000_000,
        }


async def serve(tables: Tables, latency_seconds: float) -> None:
    """Prints its port, answers until standard input ends, and prints what it saw."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length, operation = _LENGTH.search(head), _OPERATION.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                called = operation[1].decode() if operation else ""
                document = json.dumps(tables.answer(called, json.loads(body or b"{}"))).encode()
                await asyncio.sleep(latency_seconds)
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n"
                    b"Content-Length: %d\r\n\r\n%b" % (len(document), document)
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  # for its parent
    await asyncio.to_thread(sys.stdin.read)
    seen = {"requests": tables.requests, "first": tables.first_at, "last": tables.last_at}
    print(json.dumps(seen), flush=True)  # noqa: T201  # for its parent
    os._exit(0)


class Endpoint:
    """One side in a process of its own."""

    def __init__(self, side: str, tables: int, latency_ms: float) -> None:
        arguments = ["--serve", side, "--tables", str(tables), "--latency-ms", str(latency_ms)]
        self._process = subprocess.Popen(  # noqa: S603  # this very module
            [sys.executable, "-m", "benchmarks.many_tables", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        port = self._process.stdout.readline() if self._process.stdout else ""
        self.url = f"http://127.0.0.1:{int(port)}"

    def seen(self) -> dict[str, Any]:
        """Ends it, and says what it saw."""
        said, _ = self._process.communicate(timeout=10)
        document: dict[str, Any] = json.loads(said)
        return document


def measure(tables: int, latency_ms: float) -> tuple[float, float, Counter[str]]:
    """The seconds of the whole command, those of its calls, and the calls of both sides."""
    source, target = (Endpoint(side, tables, latency_ms) for side in ("source", "target"))
    with tempfile.TemporaryDirectory() as place:
        began = time.monotonic()
        subprocess.run(  # noqa: S603  # dynaferry as it is typed
            [
                *(sys.executable, "-m", "dynaferry", "copy", "table-*", "--dry-run", "--json"),
                *("--source-endpoint-url", source.url, "--target-endpoint-url", target.url),
                *("--state-dir", place),
            ],
            check=True,
            capture_output=True,
            env={**os.environ, **ENVIRONMENT},
        )
        seconds = time.monotonic() - began
    seen = [source.seen(), target.seen()]
    calls = max(each["last"] for each in seen) - min(each["first"] for each in seen)
    return seconds, calls, sum((Counter(each["requests"]) for each in seen), Counter())


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.many_tables",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tables", type=int, default=150)
    parser.add_argument("--latency-ms", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", choices=("source", "target"), help=argparse.SUPPRESS)
    typed = parser.parse_args()
    if typed.serve is not None:
        tables = Tables(typed.serve, typed.tables)
        uvloop.run(serve(tables, typed.latency_ms / 1000))
        return
    for _ in range(typed.rounds):
        seconds, calls, requests = measure(typed.tables, typed.latency_ms)
        shown = ", ".join(f"{name} {count}" for name, count in sorted(requests.items()))
        print(  # noqa: T201  # the program's output
            f"{typed.tables} tables: {seconds:.2f} s in all, {calls:.2f} s of calls ({shown})"
        )


if __name__ == "__main__":
    main()
