"""Nothing but printable characters reaches a terminal, a log or a file for eyes, whatever comes in.

Names, keys, attributes, values, error codes, reasons and messages are made of odd characters by a
seed, and go through every command that shows them. More seeds: DYNAFERRY_TERMINAL_SEEDS=500.
"""

import json
import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import anyio.from_thread
import msgspec
import pytest

from dynaferry.cli.main import run_command
from tests.faults.service import POISON
from tests.faults.world import SOURCE, TARGET, World, faulty_world
from tests.worlds.endpoint import Answer, Behaviour, Decide, Request

SEEDS = range(int(os.environ.get("DYNAFERRY_TERMINAL_SEEDS", "4")))
FORGED = "error: forged"
ODD = (
    *("\x00", "\x07", "\x08", "\t", "\n", "\r", "\x0b", "\x1b[2J", "\x1b]0;owned\x07", "\x7f"),
    *("\x85", "\x9b1m", "\x9d0;owned\x9c", "\xa0", "\xad", "\u061c", "\u200b", "\u200e", "\u2028"),
    *("\u202e", "\u2066", "\u2069", "\ufeff", "\ue000", "\U000e0041", "é", "→", "'", '"', "%", "{"),
    *(f"\n{FORGED}", f"\r{FORGED}", '\n{"time":"forged"}'),
)
OPERATIONS = ("DescribeTable", "Scan", "Scan", "BatchWriteItem", "BatchWriteItem", "")
CODES = ("AccessDeniedException", "ResourceNotFoundException", "ThrottlingException", "Odd", "")


class Oddities:
    """What a seed makes."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def text(self) -> str:
        """Some odd words."""
        return "a" + "".join(self.chance.choice(ODD) for _ in range(6)) + "z"

    def items(self) -> list[bytes]:
        """Items with odd keys, names and values, some of them such as no target takes."""
        items = []
        for number in range(12):
            value = self.text() + (POISON.decode() if number % 3 == 0 else "")
            item = {"pk": {"S": f"{self.text()}{number}"}, self.text(): {"S": value}}
            items.append(json.dumps(item, ensure_ascii=False).encode())
        return items

    def refusal(self) -> Answer:
        """A service that says no in odd words, or is none."""
        if self.chance.random() < 0.2:
            return Answer(body=self.text().encode(), status=403, checksum="none")
        code = self.chance.choice(CODES) + self.chance.choice(("", self.text()))
        body = {
            "__type": f"x#{code}",
            "message": self.text(),
            "throttlingReasons": [{"reason": self.text(), "resource": self.text()}],
        }
        return Answer(body=msgspec.json.encode(body), status=400)

    def taken(self, world: World, request: Request) -> Answer:
        """An item that is put alone is taken, or refused for what it holds."""
        if self.chance.random() < 0.5:
            body = {"__type": "x#ValidationException", "message": self.text()}
            return Answer(body=msgspec.json.encode(body), status=400)
        item = json.loads(request.body)["Item"]
        world.target.put(json.dumps(item, ensure_ascii=False).encode())
        return Answer()

    def once_refused(self, world: World, operation: str) -> Behaviour:
        """The service, which refuses the first request of one operation."""
        left = [self.refusal()]

        async def answer(request: Request) -> Behaviour:
            if left and request.operation == operation:
                return left.pop()
            if request.operation == "BatchGetItem":
                return found(world, request)
            if request.operation == "PutItem":
                return self.taken(world, request)
            return await world.weather.behaviour(request)

        return Decide(answer)


def found(world: World, request: Request) -> Answer:
    """The items with these keys."""
    [(name, asked)] = json.loads(request.body)["RequestItems"].items()
    table = world.service.tables[name.rpartition("/")[2]]
    places = [table.position(key) for key in asked["Keys"]]
    items = [msgspec.Raw(table.items[place]) for place in places if place in table.items]
    return Answer(body=msgspec.json.encode({"Responses": {name: items}, "UnprocessedKeys": {}}))


@contextmanager
def running(items: list[bytes]) -> Iterator[World]:
    """Both tables behind an endpoint that lives in a thread, beside the commands of a test."""
    began, end = threading.Event(), anyio.Event()
    worlds: list[World] = []

    async def serve() -> None:
        async with faulty_world(items) as world:
            worlds.append(world)
            began.set()
            await end.wait()

    with anyio.from_thread.start_blocking_portal() as portal:
        served = portal.start_task_soon(serve)
        began.wait(20)
        try:
            yield worlds[0]
        finally:
            portal.call(end.set)
            served.result(20)


COPY_THAT_ENDS = 5  # so that there is something to list, to compare and to report


def commands(odd: Oddities, world: World, place: Path) -> list[list[str]]:
    """What is typed, one after the other."""
    sides = [f"--{side}-endpoint-url={world.url}" for side in ("source", "target")]
    sides += ["--source-region=us-east-1", "--target-region=us-east-1", f"--state-dir={place}"]
    log = [f"--log-format={odd.chance.choice(('text', 'json'))}", "--log-level=debug"]
    copy = ["copy", SOURCE, TARGET, *sides, "--patience=0.5", "--segments=2", "--run=it"]
    verify = ["verify", SOURCE, TARGET, *sides, "--run=it", "--settle=0", "--patience=0.5"]
    here = [f"--state-dir={place}"]
    return [
        [*copy, "--dry-run", *log],
        [*copy, "--on-reject=stop", *log],
        ["status", *here],
        [*copy, "--max-rejected=0", "--json", *log],
        ["status", "--json", *here],
        [*copy, *log],
        ["dead-letters", "list", *here],
        ["dead-letters", "list", "--json", *here],
        ["dead-letters", "export", *here],
        ["dead-letters", "replay", *here],
        [*verify, "--show-values", *log],
        [*verify, "--json"],
        [*verify, "--repair", "--yes", "--restart"],
        ["set", "it", "--max-write-units", odd.text(), *here],
        ["report", *here, "-o", str(place / "report.html")],
        ["copy", odd.text(), odd.text(), *sides],
        ["copy", f"--{odd.text()}", *sides],
        [odd.text()],
        ["copy", "--plan", str(place / odd.text().replace("\x00", "")), *here],
        [*copy, "--source-profile", odd.text()],
        [*copy, "--source-region", odd.text()],
        [*copy, "--finish-by", odd.text(), "--metrics-listen", odd.text()],
        ["status", odd.text(), *here],
    ]


def judge(said: str, command: list[str]) -> None:
    """What may arrive: printable characters, and lines that dynaferry ended itself."""
    odd = {mark for mark in said.replace("\n", "") if not mark.isprintable()}
    assert not odd, (command, odd)
    begun = [line for line in said.split("\n") if line.startswith((FORGED, '{"time":"forged'))]
    assert not begun, (command, begun)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_comes_in_only_printable_characters_come_out(
    seed: int,
    tmp_path: Path,
    capsysbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    odd = Oddities(seed)
    if seed % 3 == 2:
        monkeypatch.setenv("DYNAFERRY_TRACEBACK", "1")
    with running(odd.items()) as world:
        for number, command in enumerate(commands(odd, world, tmp_path)):
            refused = "" if number == COPY_THAT_ENDS else odd.chance.choice(OPERATIONS)
            world.endpoint.otherwise = odd.once_refused(world, refused)
            run_command(command)
            out, err = (stream.decode() for stream in capsysbinary.readouterr())
            judge(out, command)
            judge(err, command)
            if "--json" in command:
                json.loads(out)
            if "--log-format=json" in command:
                assert all(json.loads(line) for line in err.splitlines())
        assert world.target.items
    judge((tmp_path / "report.html").read_text(encoding="utf-8"), ["report"])
