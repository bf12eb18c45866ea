"""Scan: what is asked, and what is believed of the answer."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.dynamodb.client import open_client
from dynaferry.dynamodb.items.scan import ScanSource
from dynaferry.errors import CorruptAnswerError, RequestRefusedError
from dynaferry.ports import Page
from tests.worlds.canned_client import CannedClient
from tests.worlds.endpoint import Answer, running_endpoint
from tests.worlds.sides import session_of

NUMBER = "1234567890123456789012345678901234567.8"
ITEMS = [
    b'{"pk":{"S":"a"},"n":{"N":"%b"}}' % NUMBER.encode(),
    b'{ "pk" : { "S" : "b" } ,\t"spaces": {"S":"  "} }',
    rb'{"pk":{"S":"\u00e9\ud83d\ude00\n\"\\\/"},"text":{"S":"' + "é😀".encode() + b'"}}',
    b'{"pk":{"S":"c"},"binary":{"B":"AAECAw=="},"set":{"BS":["/w==","AA=="]}}',
    b'{"pk":{"S":"d"},"empty":{"S":""},"nested":{"L":[{"M":{"x":{"NULL":true}}},{"BOOL":false}]}}',
    b'{"pk":{"S":"e"},"Items":{"L":[]},"LastEvaluatedKey":{"S":"not a key"},"Count":{"N":"7"}}',
    b'{"pk":{"S":"f"},"future":{"VECTOR":[1.50,2e0]}}',
    b"{}",
]

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3)
    ),
    max_leaves=10,
)
_name_of_a_field = st.sampled_from(
    ["Items", "Count", "ScannedCount", "LastEvaluatedKey", "ConsumedCapacity"]
)
_items = st.dictionaries(_name_of_a_field | st.text(max_size=10), _json, max_size=5).map(
    lambda item: json.dumps(item).encode()
)


def _page_body(items: list[bytes], **fields: bytes) -> bytes:
    """A Scan's answer with these fields, as they are, behind the items."""
    known = {"Items": b"[%b]" % b",".join(items), "Count": b"%d" % len(items)}
    return _object({**known, "ScannedCount": b"%d" % len(items), **fields})


def _object(fields: dict[str, bytes]) -> bytes:
    return b"{%b}" % b",".join(b'"%b":%b' % (name.encode(), v) for name, v in fields.items())


async def _read(answer: bytes, start: bytes | None = None) -> Page:
    return await ScanSource(CannedClient(answer), table="orders", total_segments=4).read_page(
        2, start
    )


async def _request(
    segment: int = 2,
    *,
    table: str = "orders",
    total_segments: int = 4,
    consistent_read: bool = False,
) -> tuple[str, dict[str, Any]]:
    client = CannedClient(_page_body([]))
    source = ScanSource(
        client, table=table, total_segments=total_segments, consistent_read=consistent_read
    )
    await source.read_page(segment, None)
    return client.calls[0][0], client.bodies[0]


async def test_a_page_is_asked_for_by_table_segment_and_total_and_its_cost_is_asked_too() -> None:
    assert await _request() == (
        "Scan",
        {
            "TableName": "orders",
            "Segment": 2,
            "TotalSegments": 4,
            "ConsistentRead": False,
            "ReturnConsumedCapacity": "TOTAL",
        },
    )


@pytest.mark.parametrize("segment", [0, 999_999])
async def test_every_segment_can_be_asked_for(segment: int) -> None:
    _, body = await _request(segment, total_segments=1_000_000)
    assert (body["Segment"], body["TotalSegments"]) == (segment, 1_000_000)


@pytest.mark.parametrize("start", [None, b'{"pk":{"S":"a"}}'])
async def test_a_page_that_is_to_be_small_is_asked_for_with_a_limit(start: bytes | None) -> None:
    client = CannedClient(_page_body([]), _page_body([]))
    source = ScanSource(client, table="orders", total_segments=4)
    await source.read_page(2, start, 40)
    await source.read_page(2, start)
    limited, full = client.bodies
    assert limited == {**full, "Limit": 40}
    assert "Limit" not in full


async def test_a_consistent_read_is_asked_for_and_expected_to_cost_twice() -> None:
    _, body = await _request(consistent_read=True)
    assert body["ConsistentRead"] is True
    client = CannedClient()
    eventual = ScanSource(client, table="orders", total_segments=1)
    consistent = ScanSource(client, table="orders", total_segments=1, consistent_read=True)
    assert (eventual.full_page_units, consistent.full_page_units) == (128, 256)


async def test_an_arn_stands_for_the_table_as_it_is() -> None:
    arn = "arn:aws:dynamodb:eu-central-1:222222222222:table/orders"
    assert (await _request(table=arn))[1]["TableName"] == arn


@pytest.mark.parametrize("key", ITEMS[:4])
async def test_the_key_to_go_on_from_is_sent_back_in_the_very_bytes_it_came_in(
    key: bytes,
) -> None:
    page = await _read(_page_body([], LastEvaluatedKey=key))
    assert page.last_evaluated_key == key
    client = CannedClient(_page_body([]))
    source = ScanSource(client, table="orders", total_segments=4)
    await source.read_page(2, page.last_evaluated_key)
    assert b'"ExclusiveStartKey":' + key in client.calls[0][1]
    assert client.bodies[0]["ExclusiveStartKey"] == json.loads(key)
    assert client.bodies[0]["Segment"] == 2


async def test_an_absent_key_is_the_end_of_the_segment() -> None:
    assert (await _read(_page_body(ITEMS))).last_evaluated_key is None


async def test_a_key_behind_no_items_is_not_the_end_of_the_segment() -> None:
    page = await _read(_page_body([], LastEvaluatedKey=b'{"pk":{"S":"z"}}'))
    assert page.items == []
    assert page.scanned_count == 0
    assert page.last_evaluated_key == b'{"pk":{"S":"z"}}'


async def test_a_null_in_place_of_the_key_is_not_a_key_to_go_on_from() -> None:
    """Sent back it would read the segment from its start, again and again."""
    try:
        page = await _read(_page_body([], LastEvaluatedKey=b"null"))
    except CorruptAnswerError:
        return
    assert page.last_evaluated_key is None


async def test_the_key_does_not_keep_its_page_alive() -> None:
    page = await _read(_page_body(ITEMS, LastEvaluatedKey=b'{"pk":{"S":"z"}}'))
    assert type(page.last_evaluated_key) is bytes


async def test_items_come_out_byte_for_byte() -> None:
    page = await _read(_page_body(ITEMS))
    assert [bytes(item) for item in page.items] == ITEMS


@given(st.lists(_items, max_size=4), _items.filter(lambda key: key != b"{}"), st.randoms())
async def test_any_item_comes_out_byte_for_byte_whatever_the_order_of_the_fields(
    items: list[bytes], key: bytes, random: Any
) -> None:
    fields = {
        "Items": b"[%b]" % b" , ".join(items),
        "LastEvaluatedKey": key,
        "Count": b"%d" % len(items),
        "ScannedCount": b"%d" % len(items),
        "ConsumedCapacity": b'{"TableName":"orders","CapacityUnits":12.5}',
        "NotYetInvented": b'{"Items":[1,2],"Count":99}',
    }
    names = list(fields)
    random.shuffle(names)
    body = _object({name: fields[name] for name in names})
    page = await _read(body)
    assert [bytes(item) for item in page.items] == items
    assert page.last_evaluated_key == key
    assert page.scanned_count == len(items)
    assert page.consumed_units == 12.5
    assert page.body_bytes == len(body)


async def test_the_cost_is_unknown_where_the_service_does_not_say_it() -> None:
    assert (await _read(_page_body(ITEMS))).consumed_units is None


async def test_a_cost_of_nothing_is_not_an_unknown_cost() -> None:
    page = await _read(_page_body([], ConsumedCapacity=b'{"CapacityUnits":0}'))
    assert page.consumed_units == 0


async def test_a_cost_that_is_split_by_index_is_the_total() -> None:
    split = b'{"CapacityUnits":1.5,"Table":{"CapacityUnits":1},"VectorIndexes":{"v":{"x":[]}}}'
    assert (await _read(_page_body([], ConsumedCapacity=split))).consumed_units == 1.5


async def test_without_a_scanned_count_what_came_was_evaluated() -> None:
    body = _object({"Items": b"[{},{}]", "Count": b"2"})
    assert (await _read(body)).scanned_count == 2


@pytest.mark.parametrize(
    "body",
    [
        _page_body(ITEMS, Count=b"%d" % (len(ITEMS) + 1)),
        _page_body(ITEMS, Count=b"%d" % (len(ITEMS) - 1)),
        _page_body([], Count=b"1"),
        _page_body(ITEMS, ScannedCount=b"%d" % (len(ITEMS) + 1)),
        _page_body(ITEMS, ScannedCount=b"%d" % (len(ITEMS) - 1)),
        _page_body([], ScannedCount=b"1"),
        _page_body([], ConsumedCapacity=b'{"CapacityUnits":-1}'),
        _page_body([], ConsumedCapacity=b'{"CapacityUnits":1e300}'),
        _page_body(ITEMS, Count=b"null"),
        _object({"Items": b"[{}]"}),
        _object({"Count": b"1"}),
        b"{}",
        b"[]",
        b"null",
        b"",
        b"<html>a captive portal</html>",
        _page_body(ITEMS)[:-1],
        _page_body(ITEMS)[:40],
        _page_body(ITEMS) + b"}",
        _page_body(ITEMS, Items=b"{}"),
        _page_body(ITEMS, Count=b'"8"'),
        b'{"__type":"x#InternalServerError","message":"with status 200"}',
    ],
)
async def test_a_response_that_is_not_a_scans_is_corrupt_and_names_table_and_segment(
    body: bytes,
) -> None:
    with pytest.raises(CorruptAnswerError, match="orders") as caught:
        await _read(body)
    error = caught.value
    assert (error.operation, error.table, error.segment) == ("Scan", "orders", 2)


async def test_a_page_comes_over_the_wire_as_it_was_sent() -> None:
    body = _page_body(ITEMS, LastEvaluatedKey=ITEMS[1])
    async with (
        running_endpoint(Answer(body=body)) as endpoint,
        open_client(session_of(), table="orders", endpoint=endpoint.url, connections=1) as client,
    ):
        page = await ScanSource(client, table="orders", total_segments=4).read_page(3, ITEMS[0])
    assert [bytes(item) for item in page.items] == ITEMS
    assert page.last_evaluated_key == ITEMS[1]
    assert endpoint.operations == ["Scan"]
    assert b'"ExclusiveStartKey":' + ITEMS[0] in endpoint.requests[0].body


async def test_a_key_that_leads_back_to_where_the_page_began_is_corrupt() -> None:
    """Believed, the same page would be read and counted for ever."""
    key = b'{"pk":{"S":"z"}}'
    with pytest.raises(CorruptAnswerError, match="leads back"):
        await _read(_page_body(ITEMS, LastEvaluatedKey=key), start=key)
    with pytest.raises(CorruptAnswerError, match="leads back"):
        await _read(_page_body(ITEMS, LastEvaluatedKey=b'{ "pk": {"S": "z"} }'), start=key)
    page = await _read(_page_body(ITEMS, LastEvaluatedKey=key), start=b'{"pk":{"S":"y"}}')
    assert page.last_evaluated_key == key


def _named(number: int) -> bytes:
    return b'{"pk":{"S":"%d"}}' % number


@pytest.mark.parametrize(("way", "length"), [(0, 2), (0, 3), (1, 2), (5, 3), (40, 7)])
async def test_pages_that_go_round_are_corrupt_before_they_are_read_for_ever(
    way: int, length: int
) -> None:
    """So many pages lead to a circle of so many."""

    class Round(CannedClient):
        async def send(self, operation: str, body: bytes) -> bytes:
            key = json.loads(body).get("ExclusiveStartKey", {"pk": {"S": "-1"}})
            after = int(key["pk"]["S"]) + 1
            return _page_body(
                ITEMS, LastEvaluatedKey=_named(way if after == way + length else after)
            )

    source = ScanSource(Round(), table="orders", total_segments=4)
    led_to: list[bytes | None] = [None]

    async def read_on() -> None:
        while True:
            page = await source.read_page(2, led_to[-1])
            led_to.append(page.last_evaluated_key)

    with pytest.raises(CorruptAnswerError, match="leads back"):
        await read_on()
    assert way + length < len(led_to) <= 3 * (way + length) + 1
    with pytest.raises(CorruptAnswerError, match="leads back"):
        await source.read_page(2, led_to[-1])


async def test_the_same_page_may_be_asked_for_again() -> None:
    keys = [_named(number) for number in (1, 1, 2, 2, 3, 3, 3, 4)]
    source = ScanSource(
        CannedClient(*(_page_body(ITEMS, LastEvaluatedKey=key) for key in keys)),
        table="orders",
        total_segments=4,
    )
    start: bytes | None = None
    before: bytes | None = None
    for key in keys:
        page = await source.read_page(2, before if key == start else start)
        before, start = (before if key == start else start), page.last_evaluated_key
    assert start == keys[-1]


async def test_a_cost_that_is_left_open_is_not_known() -> None:
    page = await _read(_page_body([], ConsumedCapacity=b'{"CapacityUnits":null}'))
    assert page.consumed_units is None


async def test_segments_that_begin_with_the_same_item_stop_by_name_and_hint_at_one_segment() -> (
    None
):
    whole_table = _page_body(ITEMS)
    client = CannedClient(whole_table, _page_body([]), whole_table, whole_table)
    source = ScanSource(client, table="orders", total_segments=4)
    await source.read_page(2, None)
    await source.read_page(0, None)  # an empty segment says nothing
    await source.read_page(2, None)  # asked for again
    with pytest.raises(
        RequestRefusedError, match=r"the source table orders.*ignores Segment"
    ) as why:
        await source.read_page(1, None)
    assert "--segments 1" in (why.value.hint or "")


async def test_segments_with_items_of_their_own_are_read_in_any_order() -> None:
    client = CannedClient(*(_page_body([item]) for item in ITEMS[:4]), _page_body([ITEMS[0]]))
    source = ScanSource(client, table="orders", total_segments=4)
    for segment in (3, 1, 0, 2):
        assert len((await source.read_page(segment, None)).items) == 1
    # Behind a key of its own it is another page.
    assert (await source.read_page(1, ITEMS[3])).items
