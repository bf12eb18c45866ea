"""Answers that are nearly right: what is believed of one is what it says, or it is an error.

Valid answers are mutated with their structure in view (a field lost, renamed, of another type,
written twice, one more or less, an item elsewhere) and as bytes. A reader of JSON that knows
nothing of dynaferry says what such an answer means; nothing may be passed over in silence.
"""

import copy
import json
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings, target
from hypothesis import strategies as st
from msgspec import Raw

from dynaferry.dynamodb.items.batch_write import BatchWriteTarget
from dynaferry.dynamodb.items.keys import KeyReader
from dynaferry.dynamodb.items.scan import ScanSource
from dynaferry.errors import CorruptAnswerError
from dynaferry.ports import Delete, Page, WriteResult
from tests.worlds.canned_client import CannedClient

TABLE = "orders"
# More: DYNAFERRY_MUTANTS=100000.
MUTANTS = int(os.environ.get("DYNAFERRY_MUTANTS", "500"))
ITEMS = [{"pk": {"N": str(n)}, "Items": {"L": []}, "v": {"S": f"é {n}"}} for n in range(4)]
FIELDS = ("Items", "Count", "ScannedCount", "LastEvaluatedKey", "UnprocessedItems", "PutRequest")

_odd_value = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 6),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=3),
    st.just([]),
    st.just({}),
    st.just([{}]),
    st.just({"pk": {"N": "1"}}),
)
_scan_answer = st.builds(
    lambda count, key: {
        "Items": ITEMS[:count],
        "Count": count,
        "ScannedCount": count,
        **({"LastEvaluatedKey": {"pk": {"N": "7"}}} if key else {}),
        "ConsumedCapacity": {"TableName": TABLE, "CapacityUnits": 0.5},
    },
    st.integers(0, 4),
    st.booleans(),
)
_batch_answer = st.lists(st.sampled_from(ITEMS), max_size=3, unique_by=str).map(
    lambda left: {
        "UnprocessedItems": {TABLE: [{"PutRequest": {"Item": item}} for item in left]}
        if left
        else {},
        "ConsumedCapacity": [{"TableName": TABLE, "CapacityUnits": 2.0}],
    }
)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container in a document with each of its keys or indexes."""
    keys = list(value) if isinstance(value, dict) else []
    if isinstance(value, list):
        keys = list(range(len(value)))
    found = [(value, key) for key in keys]
    return found + [place for key in keys for place in _places(value[key])]


def _mutated(draw: Callable[[st.SearchStrategy[Any]], Any], document: Any) -> bytes:
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(0, 3))):
        if places := _places(document):
            container, key = draw(st.sampled_from(places))
            match draw(st.sampled_from(["lose", "replace", "rename", "repeat"])):
                case "lose":
                    del container[key]
                case "replace":
                    container[key] = copy.deepcopy(draw(_odd_value))
                case "rename" if isinstance(container, dict):
                    container[draw(st.sampled_from(FIELDS))] = container.pop(key)
                case "repeat" if isinstance(container, list):
                    container.append(copy.deepcopy(container[key]))
    body = json.dumps(document).encode()
    match draw(st.sampled_from(["whole", "whole", "whole", "cut", "flipped"])):
        case "cut":
            return body[: draw(st.integers(0, len(body)))]
        case "flipped":
            place = draw(st.integers(0, len(body) - 1))
            flipped = body[place] ^ (1 << draw(st.integers(0, 7)))
            return body[:place] + bytes([flipped]) + body[place + 1 :]
    return body


@st.composite
def _scan_answers(draw: Callable[[st.SearchStrategy[Any]], Any]) -> bytes:
    return _mutated(draw, draw(_scan_answer))


@st.composite
def _batch_answers(draw: Callable[[st.SearchStrategy[Any]], Any]) -> bytes:
    return _mutated(draw, draw(_batch_answer))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def meaning_of_page(body: bytes) -> tuple[list[Any], Any, int] | None:
    """(items, key to go on from, evaluated) of a Scan's answer, or None where it is none."""
    try:
        answer = json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict) or not isinstance(answer.get("Items"), list):
        return None
    items, key = answer["Items"], answer.get("LastEvaluatedKey")
    if not _is_count(answer.get("Count")) or answer["Count"] != len(items):
        return None
    scanned: Any = answer.get("ScannedCount")
    if scanned is None:
        scanned = len(items)
    if not _is_count(scanned) or scanned != len(items):
        return None
    if "LastEvaluatedKey" in answer and not (isinstance(key, dict) and key):
        return None
    return items, key, scanned


def meaning_of_batch(body: bytes) -> list[str] | None:
    """The numbers of the items that are left, or None where it is no BatchWriteItem's answer."""
    try:
        answer = json.loads(body.decode("utf-8", "replace"))
        left = [
            json.dumps(request["PutRequest"]["Item"]["pk"]["N"])
            for requests in answer["UnprocessedItems"].values()
            for request in _as_list(requests)
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    sent = [json.dumps(str(number)) for number in range(len(ITEMS))]
    return left if not Counter(left) - Counter(sent) else None


def _as_list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


async def read_page(body: bytes) -> Page | None:
    source = ScanSource(CannedClient(body), table=TABLE, total_segments=1)
    try:
        return await source.read_page(0, None)
    except CorruptAnswerError:
        return None


async def write_batch(body: bytes) -> WriteResult | None:
    sent = BatchWriteTarget(CannedClient(body), table=TABLE, keys=KeyReader(["pk"]))
    try:
        return await sent.write_batch([Raw(json.dumps(item).encode()) for item in ITEMS])
    except CorruptAnswerError:
        return None


@settings(max_examples=MUTANTS)
@given(_scan_answers())
async def test_a_page_is_what_its_response_says_or_an_error(body: bytes) -> None:
    page, meaning = await read_page(body), meaning_of_page(body)
    target(float(page is not None))
    if page is None:
        return  # an error: the page is asked for again
    assert meaning is not None, "believed, and means nothing"
    items, key, scanned = meaning
    found = [json.loads(bytes(item).decode("utf-8", "replace")) for item in page.items]
    assert found == items
    assert page.last_evaluated_key is None or json.loads(page.last_evaluated_key) == key
    assert (page.last_evaluated_key is None) == (key is None)
    assert page.scanned_count == scanned


@settings(max_examples=MUTANTS)
@given(_batch_answers())
async def test_what_a_batch_leaves_is_what_its_response_says_or_an_error(body: bytes) -> None:
    result, meaning = await write_batch(body), meaning_of_batch(body)
    target(float(result is not None))
    if result is None:
        return  # an error: the whole batch goes again
    assert meaning is not None, "believed, and means nothing"
    puts = [item for item in result.unprocessed if not isinstance(item, Delete)]
    assert len(puts) == len(result.unprocessed)
    left = [json.loads(bytes(item))["pk"]["N"] for item in puts]
    assert [json.dumps(key) for key in left] == meaning


@given(_scan_answer)
async def test_a_right_page_is_believed(answer: dict[str, Any]) -> None:
    page = await read_page(json.dumps(answer).encode())
    assert page is not None
    assert len(page.items) == answer["Count"]


@given(_batch_answer)
async def test_a_right_response_to_a_batch_is_believed(answer: dict[str, Any]) -> None:
    result = await write_batch(json.dumps(answer).encode())
    assert result is not None
    named = [json.dumps(i) for i in answer["UnprocessedItems"].values()]
    assert bool(result.unprocessed) == bool(named)


async def test_a_response_nested_without_end_is_an_error_and_no_crash() -> None:
    deep = b'{"a":{"M":' * 5000 + b"{}" + b"}}" * 5000
    assert await read_page(b'{"Items":[%b],"Count":1}' % deep) is None
    item = b'{"UnprocessedItems":{"orders":[{"PutRequest":{"Item":%b}}]}}' % deep
    assert await write_batch(item) is None


async def test_more_items_evaluated_than_a_page_can_hold_are_not_believed() -> None:
    for count in (-1, 2**40, 2**70):
        assert await read_page(b'{"Items":[],"Count":0,"ScannedCount":%d}' % count) is None


@pytest.mark.parametrize("text", [rb"\ud800", rb"\udc00", rb"a\ud83d", rb"\ude00\ud83d", rb"\u12"])
async def test_half_a_surrogate_pair_is_an_error_and_passes_over_nothing(text: bytes) -> None:
    """No text of the service's holds one: whoever sent it, the page cannot be trusted."""
    item = b'{"pk":{"S":"a"},"v":{"S":"%b"}}' % text
    source = ScanSource(
        CannedClient(b'{"Items":[%b],"Count":1}' % item), table=TABLE, total_segments=1
    )
    with pytest.raises(CorruptAnswerError, match="JSON is malformed"):
        await source.read_page(0, None)


async def test_a_whole_surrogate_pair_and_every_other_escape_pass_as_they_are() -> None:
    item = rb'{"pk":{"S":"\ud83d\udea2\u0000\/\b\f\ufeff\u2028"}}'
    page = await read_page(b'{"Items":[%b],"Count":1}' % item)
    assert page is not None
    assert [bytes(one) for one in page.items] == [item]
