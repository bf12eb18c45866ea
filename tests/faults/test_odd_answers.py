"""Single odd answers among right ones, and odd answers for good: nothing is counted that is not so.

A seed chooses which request meets which oddity. Each is one of an answer that cannot be true (the
service has done what it was asked, and says something else), or of somebody between who answers
instead. More seeds: DYNAFERRY_ODD_ANSWERS_SEEDS=500.
"""

import gzip
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from dynaferry.cli import exit_codes
from dynaferry.run.copy_tables import execute
from dynaferry.run.outcome import Outcome
from tests.faults.judge import judge_finished, judge_state
from tests.faults.world import RUN, World, faulty_world, some_items
from tests.worlds.endpoint import Answer, Behaviour, Bytes, Decide, Request

SEEDS = range(int(os.environ.get("DYNAFERRY_ODD_ANSWERS_SEEDS", "2")))
ITEMS = 200

Document = dict[str, Any]
Change = Callable[[Document, Document, random.Random], object]
Odd = Answer | Bytes | Change


def _one_less(answer: Document, _: Document, chance: random.Random) -> None:
    if answer["Items"]:
        answer["Items"].pop(chance.randrange(len(answer["Items"])))
        answer["Count"] -= 1


def _lead_back(answer: Document, asked: Document, _: random.Random) -> None:
    answer["LastEvaluatedKey"] = asked.get("ExclusiveStartKey", {})


def _leave_another(answer: Document, asked: Document, _: random.Random) -> None:
    (table,) = asked["RequestItems"]
    answer["UnprocessedItems"] = {table: [{"PutRequest": {"Item": {"pk": {"S": "never sent"}}}}]}


def _leave_twice(answer: Document, asked: Document, _: random.Random) -> None:
    ((table, requests),) = asked["RequestItems"].items()
    answer["UnprocessedItems"] = {table: [requests[0], requests[0]]}


def _leave_more(answer: Document, asked: Document, _: random.Random) -> None:
    ((table, requests),) = asked["RequestItems"].items()
    answer["UnprocessedItems"] = {table: [*requests, requests[-1]]}


READS: Final[dict[str, Change]] = {
    "one item less than evaluated": _one_less,
    "one less, evaluated too": lambda a, _, __: a.update(ScannedCount=len(a["Items"]) - 1),
    "more evaluated": lambda a, _, __: a.update(ScannedCount=len(a["Items"]) + 3),
    "Count of another": lambda a, _, __: a.update(Count=len(a["Items"]) + 1),
    "Count of nothing": lambda a, _, __: a.update(Count=-1),
    "no Count": lambda a, _, __: a.pop("Count"),
    "no Items": lambda a, _, __: a.pop("Items"),
    "Items of null": lambda a, _, __: a.update(Items=None),
    "an item of another kind": lambda a, _, __: a["Items"].append("item"),
    "leads back": _lead_back,
    "a key of null": lambda a, _, __: a.update(LastEvaluatedKey=None),
    "a key of nothing": lambda a, _, __: a.update(LastEvaluatedKey={}),
    "a key of a list": lambda a, _, __: a.update(LastEvaluatedKey=[1]),
    "a negative cost": lambda a, _, __: a.update(ConsumedCapacity={"CapacityUnits": -5}),
    "a cost beyond all": lambda a, _, __: a.update(ConsumedCapacity={"CapacityUnits": 1e200}),
    "a cost of text": lambda a, _, __: a.update(ConsumedCapacity={"CapacityUnits": "1"}),
}
WRITES: Final[dict[str, Change]] = {
    "leaves what was not sent": _leave_another,
    "leaves one twice": _leave_twice,
    "leaves more than was sent": _leave_more,
    "leaves null": lambda a, _, __: a.update(UnprocessedItems=None),
    "leaves nobody knows what": lambda a, _, __: a.pop("UnprocessedItems"),
    "leaves a list": lambda a, _, __: a.update(UnprocessedItems=[]),
    "a negative cost": lambda a, _, __: a.update(ConsumedCapacity=[{"CapacityUnits": -5}]),
    "a cost beyond all": lambda a, _, __: a.update(ConsumedCapacity=[{"CapacityUnits": 1e200}]),
}


def _page(status: int, body: bytes = b"<h1>no</h1>", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(body=body, status=status, headers=named, checksum="none")


def _coded(code: str, status: int = 400) -> Answer:
    return Answer(body=json.dumps({"__type": f"x#{code}", "message": "no"}).encode(), status=status)


# Of somebody between, once: none of them ends a copy.
PASSING: Final[dict[str, Answer | Bytes]] = {
    **{f"HTTP {status}": _page(status) for status in (408, 421, 425, 429, 499, 500, 502, 503, 509)},
    "200 of a page": _page(200),
    "200 of nothing": _page(200, b""),
    "200 of an error": _page(200, b'{"__type":"x#InternalServerError","message":"no"}'),
    "200 of a list": _page(200, b"[]"),
    "packed, unasked": _page(200, gzip.compress(b"{}"), Content_Encoding="gzip"),
    "packed otherwise": _page(200, b"{}", Content_Encoding="br"),
    "no HTTP": Bytes(b"220 mail.example ESMTP\r\n"),
    "half a head": Bytes(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "a head without end": Bytes(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 30_000),
    "announcements only": Bytes(b"HTTP/1.1 100 Continue\r\n\r\n" * 500),
    **{
        code: _coded(code)
        for code in (
            "RequestTimeout",
            "RequestTimeoutException",
            "TooManyRequestsException",
            "SlowDown",
            "ThrottledException",
            "RequestThrottledException",
            "BandwidthLimitExceeded",
            "PriorRequestNotComplete",
            "TransactionInProgressException",
            "InternalServerErrorException",
        )
    },
}


def changed(world: World, request: Request, change: Change, chance: random.Random) -> Behaviour:
    """The service's answer when it has taken effect, with the change and the checksum of it."""
    answer = world.service.answer(request)
    if answer.status != 200:
        return answer
    document = json.loads(answer.body)
    change(document, json.loads(request.body), chance)
    return Answer(body=json.dumps(document, separators=(",", ":")).encode())


class Oddly:
    """Answers as the service does, but for requests of one operation that `odd_at` chooses."""

    def __init__(
        self, world: World, operation: str, odd_at: Callable[[int], Odd | None], seed: int
    ) -> None:
        self._world = world
        self._operation = operation
        self._odd_at = odd_at
        self._chance = random.Random(seed)
        self._seen = 0
        self.met = 0

    def behaviour(self, request: Request) -> Behaviour:
        """What to do with this request."""
        of_the_copy = request.headers.get("user-agent", "").startswith("dynaferry")
        if request.operation != self._operation or not of_the_copy:
            return self._world.service.answer(request)
        self._seen += 1
        odd = self._odd_at(self._seen)
        if odd is None:
            return self._world.service.answer(request)
        self.met += 1
        if isinstance(odd, Answer | Bytes):
            return odd
        return changed(self._world, request, odd, self._chance)


async def copied(
    state_dir: Path, operation: str, odd_at: Callable[[int], Odd | None], seed: int
) -> tuple[Outcome, int]:
    """How a copy ends that meets it so; judged already, whatever that is."""
    async with faulty_world(some_items(ITEMS, seed=seed), seed=seed, page_items=2) as world:
        oddly = Oddly(world, operation, odd_at, seed)
        world.endpoint.otherwise = Decide(oddly.behaviour)
        outcome = await execute(world.plan(state_dir))
        if outcome.error is None:
            verdict = await judge_finished(
                world.service, world.source, world.target, outcome.summary, state_dir
            )
        else:
            verdict = await judge_state(world.source, world.target, state_dir, RUN)
        assert verdict.is_good, str(verdict)
    return outcome, oddly.met


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("operation", "changes"), [("Scan", READS), ("BatchWriteItem", WRITES)])
async def test_each_odd_response_costs_a_request_and_no_item(
    operation: str, changes: dict[str, Change], seed: int, tmp_path: Path
) -> None:
    """One copy meets all of them, in an order by the seed, with right answers between."""
    all_of_them: list[Odd] = [*changes.values(), *PASSING.values()]
    random.Random(seed).shuffle(all_of_them)
    met_at = {4 + 2 * place: odd for place, odd in enumerate(all_of_them)}
    outcome, met = await copied(tmp_path, operation, met_at.get, seed)
    assert outcome.error is None, outcome.error
    assert outcome.summary.status == "complete"
    assert met == len(all_of_them)


@pytest.mark.parametrize(
    ("operation", "name"),
    [*(("Scan", name) for name in READS), *(("BatchWriteItem", name) for name in WRITES)],
)
async def test_responses_that_cannot_be_true_for_good_end_the_run_and_promise_nothing(
    operation: str, name: str, tmp_path: Path
) -> None:
    odd = (READS if operation == "Scan" else WRITES)[name]
    outcome, _ = await copied(tmp_path, operation, lambda at: odd if at > 1 else None, 0)
    assert outcome.error is not None
    assert exit_codes.of_outcome(outcome.summary.status, outcome.error) == exit_codes.FAILED
    assert operation in outcome.error.message
    assert "is back" not in (outcome.error.hint or "")
    assert [table.items_filtered for table in outcome.summary.tables] == [0]
