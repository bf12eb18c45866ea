"""What happens to a request on its way: one fault at a time, chosen by a seed.

Whether a request meets a fault depends on the seed, on what is asked and on how often it was asked
before: on nothing that the order of tasks could change. So a mixture can be run again.
"""

import asyncio
import random
import re
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

import msgspec

from benchmarks.simulator import requests as wire
from benchmarks.simulator.refusals import RefusedError, invalid, unavailable
from tests.faults.service import Service, batch_answer, scan_answer
from tests.faults.stored import StoredTable
from tests.worlds.endpoint import Answer, Behaviour, Drop, Request

Fault = Literal[
    "500 before",
    "500 after",
    "503",
    "connection dropped before",
    "connection dropped after",
    "no answer before",
    "no answer after",
    "answer stalls half-way",
    "answer cut short",
    "answer corrupt",
    "answer slow",
    "answer of somebody else",
    "throttled",
    "partly unprocessed",
    "all unprocessed",
    "refused after some were written",
    "empty page",
]
FAULTS: Final[tuple[Fault, ...]] = get_args(Fault)
ONLY_WRITES: Final = frozenset(
    {"partly unprocessed", "all unprocessed", "refused after some were written"}
)
SILENCES: Final = frozenset({"no answer before", "no answer after", "answer stalls half-way"})
ONLY_READS: Final = frozenset({"empty page"})
# The control plane is botocore's: it is tried with what botocore says it can take.
ALSO_CONTROL: Final[tuple[Fault, ...]] = ("500 before", "503", "connection dropped before")
FOR_EVER_SECONDS = 1e6
SLOW_PIECES = 3


@dataclass(frozen=True, slots=True)
class Silence:
    """Says nothing, and keeps the connection open for as long as the client does."""

    sent: bytes = b""

    async def act(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        writer.write(self.sent)
        await writer.drain()
        await asyncio.sleep(FOR_EVER_SECONDS)
        return False


@dataclass(frozen=True, slots=True)
class Slowly:
    """An answer in pieces, with waits between them that no time-out minds."""

    answer: Answer
    wait_seconds: float = 2.0

    async def act(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        sent = self.answer._wire_bytes()
        size = len(sent) // SLOW_PIECES + 1
        for start in range(0, len(sent), size):
            await asyncio.sleep(self.wait_seconds)
            writer.write(sent[start : start + size])
            await writer.drain()
        return True


class Weather:
    """Stands before a service. `shares` says how often each fault is met, of 1."""

    def __init__(self, service: Service, seed: int, shares: Mapping[Fault, float]) -> None:
        self.service = service
        self.met: Counter[Fault] = Counter()
        self.before_request: Callable[[Request], None] | None = None
        self._seed = seed
        self._shares = dict(shares)
        self._asked: Counter[tuple[str, int]] = Counter()
        self.requests = 0

    def set_shares(self, shares: Mapping[Fault, float]) -> None:
        """From now on each fault is met this often."""
        self._shares = dict(shares)

    def clear_up(self) -> None:
        """Ends all faults."""
        self._shares = {}

    async def behaviour(self, request: Request) -> Behaviour:
        """What to do with this request."""
        self.requests += 1
        if self.before_request is not None:
            self.before_request(request)
        asked = (request.operation, zlib.crc32(request.body))
        self._asked[asked] += 1
        chance = random.Random(f"{self._seed} {asked} {self._asked[asked]}")
        fault = self._fault(request, chance)
        if fault is None:
            return self.service.answer(request)
        self.met[fault] += 1
        try:
            return done_to(fault, self.service, request, chance)
        except RefusedError as error:  # the table is gone, say
            return Answer(body=error.refusal.body(), status=error.refusal.status)

    def _fault(self, request: Request, chance: random.Random) -> Fault | None:
        possible = faults_of(request)
        drawn = chance.random()
        for fault, share in self._shares.items():
            if fault in possible:
                if drawn < share:
                    return fault
                drawn -= share
        return None


def faults_of(request: Request) -> tuple[Fault, ...]:
    """What can happen to this request."""
    if request.operation == "AssumeRole":
        return ("connection dropped before",)
    if not request.headers.get("user-agent", "").startswith("dynaferry"):
        return ALSO_CONTROL
    others = ONLY_READS if request.operation == "BatchWriteItem" else ONLY_WRITES
    return tuple(fault for fault in FAULTS if fault not in others)


def done_to(fault: Fault, service: Service, request: Request, chance: random.Random) -> Behaviour:
    """What comes of a request that meets this fault."""
    match fault:
        case "500 before":
            return _unavailable("500")
        case "503":
            return _unavailable("503")
        case "connection dropped before":
            return Drop()
        case "no answer before":
            return Silence()
        case "throttled":
            return _throttled(service, request)
        case "partly unprocessed" | "all unprocessed":
            return _unprocessed(service, request, chance, whole=fault == "all unprocessed")
        case "refused after some were written":
            return _written_and_refused(service, request, chance)
        case "empty page":
            return _empty_page(service, request)
    answer = service.answer(request)
    match fault:
        case "500 after":
            return _unavailable("500")
        case "connection dropped after":
            return Drop()
        case "no answer after":
            return Silence()
        case "answer stalls half-way":
            sent = answer._wire_bytes()
            return Silence(sent[: chance.randrange(len(sent))])
        case "answer cut short":
            return replace(answer, cut_bytes=chance.randrange(1, len(answer.body) + 1))
        case "answer corrupt":
            return _corrupt(answer, chance)
        case "answer slow":
            return Slowly(answer)
        case _:
            return Answer(body=b"<html>Please sign in</html>", checksum="none")


def _unavailable(status: Literal["500", "503"]) -> Answer:
    refusal = unavailable(status)
    return Answer(body=refusal.body(), status=refusal.status)


def _throttled(service: Service, request: Request) -> Answer:
    refusal = service._throttled(request).refusal
    return Answer(body=refusal.body(), status=refusal.status)


def _corrupt(answer: Answer, chance: random.Random) -> Answer:
    """One bit is another, and the checksum is that of the true body."""
    body = bytearray(answer.body)
    body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    headers = dict(answer.headers) | {"x-amz-crc32": str(zlib.crc32(answer.body))}
    return replace(answer, body=bytes(body), headers=headers, checksum="none")


def _unprocessed(
    service: Service, request: Request, chance: random.Random, *, whole: bool
) -> Answer:
    name, raws = wire.decode_batch_write(request.body).puts()
    table, items = service._table(name), [bytes(raw) for raw in raws]
    try:
        service._check(request, "BatchWriteItem")
        service.check_batch(table, items)
    except RefusedError as error:
        return Answer(body=error.refusal.body(), status=error.refusal.status)
    left = items if whole else [item for item in items if chance.random() < 0.5]
    taken = [item for item in items if item not in left]
    service.take(table, taken)
    chance.shuffle(left)
    if service.normalizes_numbers:
        left = [_with_plain_numbers(item) for item in left]
    return Answer(body=msgspec.json.encode(batch_answer(table, len(taken), left)))


def _with_plain_numbers(item: bytes) -> bytes:
    """Its whole numbers, without the zeros behind the point."""
    return re.sub(rb'("N":"\d+)\.0+"', rb'\1"', item)


def _written_and_refused(service: Service, request: Request, chance: random.Random) -> Behaviour:
    """Whether a refused batch leaves some of its items written is not documented: here it does."""
    name, raws = wire.decode_batch_write(request.body).puts()
    table, items = service._table(name), [bytes(raw) for raw in raws]
    try:
        service._check(request, "BatchWriteItem")
        service.check_batch(table, items)
    except RefusedError as error:
        good = [item for item in items if _is_good(service, table, item)]
        service.take(table, [item for item in good if chance.random() < 0.5])
        return Answer(body=error.refusal.body(), status=error.refusal.status)
    if len(items) == 1:  # nothing is wrong with it
        return service.answer(request)
    service.take(table, [item for item in items if chance.random() < 0.5])
    refusal = invalid("The request was refused for no reason that holds").refusal
    return Answer(body=refusal.body(), status=refusal.status)


def _is_good(service: Service, table: StoredTable, item: bytes) -> bool:
    try:
        service.check_batch(table, [item])
    except RefusedError:
        return False
    return True


def _empty_page(service: Service, request: Request) -> Behaviour:
    """No items, but a key to go on from, as where many were deleted. It passes nothing."""
    start = msgspec.json.decode(request.body).get("ExclusiveStartKey")
    table = service._table(service._table_of(request))
    key = None if start is None else table.key_behind(start)
    if key is None:
        return service.answer(request)
    return Answer(body=scan_answer(table, [], key))
