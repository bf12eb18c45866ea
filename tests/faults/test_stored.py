"""The endpoint itself: a table that scans as the service does, faults that are what they say."""

import asyncio
import json
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.mixture import KEYS
from tests.faults.odd_items import odd_items
from tests.faults.service import Service, batch_answer
from tests.faults.stored import StoredTable
from tests.faults.weather import FAULTS, ONLY_READS, SILENCES, Fault, Silence, Weather, done_to
from tests.worlds.endpoint import Answer, Request
from tests.worlds.quick_time import SPEED, QuickLoop
from tests.worlds.table_client import KeyAttribute

ITEM = b'{"pk":{"S":"a"}}'


def table_of(items: list[bytes], keys: tuple[KeyAttribute, ...], page_items: int) -> StoredTable:
    table = StoredTable("t", keys, account="111111111111", table_id="t-1", page_items=page_items)
    for item in items:
        table.put(item)
    return table


def scanned(table: StoredTable, total_segments: int) -> list[bytes]:
    found: list[bytes] = []
    for segment in range(total_segments):
        start: dict[str, Any] | None = None
        while True:
            page = table.page(segment, total_segments, start, None)
            found += page.items
            start = page.last_evaluated_key
            if start is None:
                break
    return found


@given(st.sampled_from(KEYS), st.integers(0, 60), st.integers(1, 30), st.integers(1, 9))
def test_every_item_is_in_one_page_of_one_segment(
    keys: tuple[KeyAttribute, ...], count: int, page_items: int, segments: int
) -> None:
    items = odd_items(keys, count, random.Random(count), bad_share=0.0)
    table = table_of(items, keys, page_items)
    assert sorted(scanned(table, segments)) == sorted(items)


@given(st.sampled_from(["1", "1.0", "10e-1", "1E+0", "01"]))
def test_a_key_is_one_key_however_it_is_written(number: str) -> None:
    table = table_of([b'{"pk":{"N":"1.00"}}'], (("pk", "N"),), 10)
    table.put(b'{"pk":{"N":"%b"},"new":{"BOOL":true}}' % number.encode())
    assert len(table.items) == 1
    assert b"new" in next(iter(table.items.values()))


def write_request(*items: bytes) -> Request:
    raws = [{"PutRequest": {"Item": msgspec.Raw(item)}} for item in items]
    body = msgspec.json.encode({"RequestItems": {"t": raws}})
    now = "20260101T000000Z"
    headers = {"x-amz-target": "DynamoDB_20120810.BatchWriteItem", "x-amz-date": now}
    return Request("POST", "/", headers, body, 1)


class AnyTime(Service):
    """Takes requests of any date."""

    def _check(self, request: Request, operation: str) -> None:
        pass


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in ONLY_READS])
def test_a_fault_takes_effect_or_does_not_as_its_name_says(fault: Fault) -> None:
    table = table_of([], (("pk", "S"),), 10)
    service = AnyTime([table])
    behaviour = done_to(fault, service, write_request(ITEM), random.Random(1))
    no_effect = {
        *("500 before", "503", "connection dropped before", "no answer before", "throttled"),
        "all unprocessed",
    }
    if fault == "partly unprocessed":
        assert isinstance(behaviour, Answer)
        left = json.loads(behaviour.body)["UnprocessedItems"]
        assert (len(table.items) == 0) == ("t" in left)
    else:
        assert (table.items == {}) == (fault in no_effect)
    assert isinstance(behaviour, Silence) == (fault in SILENCES)


def test_a_refused_batch_is_refused_whole() -> None:
    table = table_of([], (("pk", "S"),), 10)
    answer = AnyTime([table]).answer(write_request(ITEM, ITEM))
    assert answer.status == 400
    assert b"duplicates" in answer.body
    assert table.items == {}


def test_what_happens_to_a_request_depends_on_the_seed_and_on_nothing_else() -> None:
    def course(seed: int, order: int) -> dict[bytes, list[str]]:
        table = table_of([], (("pk", "S"),), 10)
        weather = Weather(AnyTime([table]), seed, {"503": 0.3, "all unprocessed": 0.3})
        requests = [write_request(b'{"pk":{"S":"%d"}}' % n) for n in range(30)] * 2
        random.Random(order).shuffle(requests)
        happened: dict[bytes, list[str]] = {}
        for request in requests:
            behaviour = asyncio.run(weather.behaviour(request))
            assert isinstance(behaviour, Answer)
            happened.setdefault(request.body, []).append(str(behaviour.status))
        return happened

    assert course(1, order=1) == course(1, order=2)
    assert course(1, order=1) != course(2, order=1)


def test_a_response_names_what_it_leaves() -> None:
    table = table_of([], (("pk", "S"),), 10)
    answer = batch_answer(table, 3, [ITEM])
    assert answer["UnprocessedItems"] == {"t": [{"PutRequest": {"Item": msgspec.Raw(ITEM)}}]}


async def test_waits_keep_their_proportions_by_the_quick_clock() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, QuickLoop)
    before = loop.time()
    await asyncio.sleep(SPEED / 100)
    assert loop.time() - before >= SPEED / 100
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await asyncio.sleep(1000.0)
