"""BatchWriteItem: what is sent, and what counts as written afterwards."""

import base64
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, msgpack

from dynaferry.dynamodb.account.session import open_account
from dynaferry.dynamodb.client import open_client
from dynaferry.dynamodb.items.batch_write import BatchWriteTarget
from dynaferry.dynamodb.items.keys import KeyReader
from dynaferry.errors import CorruptAnswerError
from dynaferry.ports import BatchExchange, Change, Delete, WriteResult
from tests.worlds.canned_client import CannedAnswer, CannedClient
from tests.worlds.endpoint import Answer, running_endpoint
from tests.worlds.moto import MotoWorld
from tests.worlds.sides import session_of

ALL_WRITTEN = b'{"UnprocessedItems":{}}'
ITEMS = [
    Raw(b'{"pk":{"S":"a"},"n":{"N":"1234567890123456789012345678901234567.8"}}'),
    Raw(b'{ "pk" : { "S" : "b" } ,\t"spaces": {"S":"  "} }'),
    Raw(rb'{"text":{"S":"\u00e9\n\"\\\/"},"pk":{"S":"\u00e9\"\\"}}'),
    Raw('{"pk":{"S":"😀"},"binary":{"B":"AAECAw=="},"set":{"NS":["1.0","2"]}}'.encode()),
    Raw(b'{"PutRequest":{"M":{"Item":{"S":"}}"}}},"pk":{"S":"}}]}}"},"Item":{"S":""}}'),
]

_numbers = st.builds(
    lambda digits, exponent: f"{digits}E{exponent}" if exponent else str(digits),
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.integers(-120, 80),
)
_key_values = (
    st.text(min_size=1, max_size=20).map(lambda text: {"S": text})
    | _numbers.map(lambda number: {"N": number})
    | st.binary(min_size=1, max_size=20).map(lambda b: {"B": base64.b64encode(b).decode()})
)


def _target(*answers: CannedAnswer, keys: Sequence[str] = ("pk",), table: str = "orders") -> Any:
    return BatchWriteTarget(CannedClient(*answers), table=table, keys=KeyReader(keys))


async def _write(
    answer: CannedAnswer, items: Sequence[Raw] = ITEMS, **settings: Any
) -> WriteResult:
    result: WriteResult = await _target(answer, **settings).write_batch(items)
    return result


def _unprocessed(items: Sequence[bytes], table: str = "orders") -> bytes:
    """An answer that names these items, in these bytes."""
    requests = b",".join(b'{"PutRequest":{"Item":%b}}' % item for item in items)
    return b'{"UnprocessedItems":{"%b":[%b]}}' % (table.encode(), requests)


def _is_sent(remainder: Sequence[Change], sent: Sequence[Change]) -> bool:
    """Whether the remainder is these very objects."""
    return [id(item) for item in remainder] == [id(item) for item in sent]


# What is sent ----------------------------------------------------------------------------------


@pytest.mark.parametrize("items", [ITEMS[:1], ITEMS, ITEMS * 5])
async def test_the_items_are_sent_byte_for_byte_in_a_body_that_is_json(items: list[Raw]) -> None:
    client = CannedClient(ALL_WRITTEN)
    await BatchWriteTarget(client, table="orders", keys=KeyReader(["pk"])).write_batch(items)
    ((operation, body),) = client.calls
    assert operation == "BatchWriteItem"
    assert client.bodies[0] == {
        "ReturnConsumedCapacity": "TOTAL",
        "RequestItems": {"orders": [{"PutRequest": {"Item": json.loads(bytes(i))}} for i in items]},
    }
    for item in items:
        assert b'{"PutRequest":{"Item":%b}}' % bytes(item) in body


async def test_an_arn_stands_for_the_table_in_request_and_response() -> None:
    arn = "arn:aws:dynamodb:eu-central-1:222222222222:table/orders"
    client = CannedClient(_unprocessed(ITEMS[:1], table=arn))
    target = BatchWriteTarget(client, table=arn, keys=KeyReader(["pk"]))
    result = await target.write_batch(ITEMS)
    assert list(client.bodies[0]["RequestItems"]) == [arn]
    assert _is_sent(result.unprocessed, ITEMS[:1])


async def test_a_remainder_under_the_tables_name_is_understood_when_its_arn_was_sent() -> None:
    arn = "arn:aws:dynamodb:eu-central-1:222222222222:table/orders"
    result = await _write(_unprocessed(ITEMS[1:3], table="orders"), table=arn)
    assert _is_sent(result.unprocessed, ITEMS[1:3])


# What counts as written ------------------------------------------------------------------------


async def test_nothing_is_left_when_the_service_names_nothing() -> None:
    assert list((await _write(ALL_WRITTEN)).unprocessed) == []


async def test_a_table_with_an_empty_list_of_unprocessed_items_leaves_nothing() -> None:
    assert list((await _write(_unprocessed([]))).unprocessed) == []


@pytest.mark.parametrize("left", [ITEMS[:1], ITEMS[1:4], ITEMS[::-1], ITEMS])
async def test_the_remainder_is_the_very_objects_that_were_sent(left: list[Raw]) -> None:
    assert _is_sent((await _write(_unprocessed(left))).unprocessed, left)


def _reordered(item: dict[str, Any]) -> str:
    return json.dumps(dict(reversed(item.items())))


def _escaped(item: dict[str, Any]) -> str:
    """Every character as an escape, which JSON allows everywhere in a string."""

    def escape(value: object) -> str:
        if isinstance(value, dict):
            pairs = ",".join(f"{escape(name)}:{escape(inner)}" for name, inner in value.items())
            return f"{{{pairs}}}"
        units = str(value).encode("utf-16-be", "surrogatepass").hex()
        escapes = "".join(f"\\u{units[index : index + 4]}" for index in range(0, len(units), 4))
        return f'"{escapes}"'

    return escape(item)


def _indented(item: dict[str, Any]) -> str:
    return json.dumps(item, indent=2, ensure_ascii=False)


def _other_notation(item: dict[str, Any]) -> str:
    """Numbers of the key as another service might write them: 1.0, 1E+0, 0.1E1."""

    def rewrite(value: Any) -> Any:
        return {"N": f"{Decimal(value['N']):.60E}"} if "N" in value else value

    return json.dumps({name: rewrite(value) for name, value in item.items()})


_RE_ENCODINGS = [_reordered, _escaped, _indented, _other_notation]


@given(
    st.lists(_key_values, min_size=1, max_size=25, unique_by=lambda value: json.dumps(value)),
    st.sampled_from(_RE_ENCODINGS),
    st.randoms(),
)
async def test_the_remainder_is_found_however_the_service_writes_it(
    values: list[dict[str, Any]], encode: Callable[[dict[str, Any]], str], random: Any
) -> None:
    items: dict[object, dict[str, Any]] = {}
    for value in values:
        identity = Decimal(value["N"]) if "N" in value else json.dumps(value)
        items[identity] = {"other": {"S": "x"}, "pk": value, "sk": {"N": "1"}}
    sent = [Raw(json.dumps(item).encode()) for item in items.values()]
    left = random.sample(range(len(sent)), random.randint(1, len(sent)))
    named = [encode(json.loads(bytes(sent[index]))).encode() for index in left]
    result = await _write(_unprocessed(named), sent, keys=["pk", "sk"])
    assert _is_sent(result.unprocessed, [sent[index] for index in left])


async def test_keys_that_swap_their_values_are_two_keys() -> None:
    ab, ba = (
        Raw(b'{"pk":{"S":"a"},"sk":{"S":"b"}}'),
        Raw(b'{"pk":{"S":"b"},"sk":{"S":"a"}}'),
    )
    result = await _write(_unprocessed([ba]), [ab, ba], keys=["pk", "sk"])
    assert _is_sent(result.unprocessed, [ba])


async def test_keys_of_the_same_text_and_another_type_are_two_keys() -> None:
    text, number, binary = (Raw(b'{"pk":{"%b":"1234"}}' % kind) for kind in (b"S", b"N", b"B"))
    for item in (text, number, binary):
        result = await _write(_unprocessed([item]), [text, number, binary])
        assert _is_sent(result.unprocessed, [item])


async def test_numbers_that_differ_in_the_last_of_38_digits_are_two_keys() -> None:
    one, two = (Raw(b'{"pk":{"N":"%b%b"}}' % (b"9" * 37, last)) for last in (b"1", b"2"))
    result = await _write(_unprocessed([two]), [one, two])
    assert _is_sent(result.unprocessed, [two])


@pytest.mark.parametrize(
    "named",
    [
        [b'{"pk":{"S":"unknown"}}'],
        [ITEMS[0], b'{"pk":{"S":"unknown"}}'],
        [ITEMS[0], ITEMS[0]],
        [b'{"no_key":{"S":"a"}}'],
        [b"7"],
    ],
)
async def test_a_remainder_that_was_not_sent_is_corrupt_and_nothing_counts_as_written(
    named: list[bytes],
) -> None:
    with pytest.raises(CorruptAnswerError, match="was not sent"):
        await _write(_unprocessed(named))


@pytest.mark.parametrize(
    "answer",
    [
        b"{}",
        b"[]",
        b"null",
        b"",
        b"<html>a captive portal</html>",
        b'{"UnprocessedKeys":{}}',
        b'{"UnprocessedItems":null}',
        b'{"UnprocessedItems":[]}',
        b'{"UnprocessedItems":{"orders":{}}}',
        b'{"UnprocessedItems":{"orders":[{}]}}',
        b'{"UnprocessedItems":{"orders":[{"DeleteRequest":{"Key":{"pk":{"S":"a"}}}}]}}',
        b'{"UnprocessedItems":{}',
        b'{"ConsumedCapacity":[{"CapacityUnits":5}]}',
        b'{"__type":"x#InternalServerError","message":"with status 200"}',
        msgpack.encode({"UnprocessedItems": {}}),
    ],
)
async def test_a_response_that_is_not_a_batch_writes_never_means_that_all_is_written(
    answer: bytes,
) -> None:
    with pytest.raises(CorruptAnswerError, match="orders") as caught:
        await _write(answer)
    assert (caught.value.operation, caught.value.table) == ("BatchWriteItem", "orders")


@pytest.mark.parametrize(
    "answer",
    [
        b'{"UnprocessedItems":{"\xff":[]}}',
        _unprocessed([b'{"pk":{"S":"\xff"}}']),
    ],
)
async def test_a_response_that_is_not_utf_8_is_corrupt(answer: bytes) -> None:
    with pytest.raises(CorruptAnswerError):
        await _write(answer)


# Cost and keys ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("capacity", "units"),
    [
        (b'[{"TableName":"orders","CapacityUnits":25}]', 25),
        (b'[{"CapacityUnits":2.5},{"CapacityUnits":0.5,"VectorIndexes":{"v":[]}}]', 3),
        (b"[]", 0),
        (b"null", None),
    ],
)
async def test_the_cost_is_the_sum_of_what_the_service_says(
    capacity: bytes, units: float | None
) -> None:
    answer = b'{"ItemCollectionMetrics":{},"ConsumedCapacity":%b,"UnprocessedItems":{}}' % capacity
    assert (await _write(answer)).consumed_units == units


async def test_the_cost_is_unknown_where_the_service_does_not_say_it() -> None:
    assert (await _write(ALL_WRITTEN)).consumed_units is None


def test_the_expected_cost_is_a_unit_for_each_started_kilobyte_of_each_item() -> None:
    target = _target()
    assert target.units_of([Raw(bytes(1)), Raw(bytes(1024)), Raw(bytes(1025))]) == 4


def test_the_key_of_an_item_is_its_key_attributes_and_nothing_else() -> None:
    item = Raw(b'{"n":{"N":"1"},"sk":{"N":"1.0"},"pk":{"S":"a"}}')
    assert _target(keys=["pk", "sk"]).key_of(item) == b'{"pk":{"S":"a"},"sk":{"N":"1.0"}}'


# Puts and deletes in one batch --------------------------------------------------------------------

CHANGES: list[Change] = [
    ITEMS[0],
    Delete(Raw(b'{"pk":{"S":"gone"}}')),
    ITEMS[1],
    Delete(Raw(b'{ "pk" : {"S":"gone as well"} }')),
]


async def test_puts_and_deletes_are_sent_in_one_batch_byte_for_byte() -> None:
    client = CannedClient(ALL_WRITTEN)
    target = BatchWriteTarget(client, table="orders", keys=KeyReader(["pk"]))
    assert (await target.write_batch(CHANGES)).unprocessed == ()
    assert client.calls[0][1] == (
        b'{"ReturnConsumedCapacity":"TOTAL","RequestItems":{"orders":['
        b'{"PutRequest":{"Item":%b}},{"DeleteRequest":{"Key":{"pk":{"S":"gone"}}}},'
        b'{"PutRequest":{"Item":%b}},{"DeleteRequest":{"Key":{ "pk" : {"S":"gone as well"} }}}]}}'
        % (ITEMS[0], ITEMS[1])
    )


@pytest.mark.parametrize("left", [[1], [3, 0], [0, 1, 2, 3]])
async def test_a_remainder_keeps_the_kind_of_each_change(left: list[int]) -> None:
    named = [
        {"DeleteRequest": {"Key": json.loads(bytes(change.key))}}
        if isinstance(change, Delete)
        else {"PutRequest": {"Item": json.loads(bytes(change))}}
        for change in (CHANGES[index] for index in left)
    ]
    result = await _target(
        json.dumps({"UnprocessedItems": {"orders": named}}).encode()
    ).write_batch(CHANGES)
    assert _is_sent(result.unprocessed, [CHANGES[index] for index in left])


@pytest.mark.parametrize(
    "named",
    [
        b'{"PutRequest":{"Item":{"pk":{"S":"gone"}}}}',  # it was to be deleted
        b'{"DeleteRequest":{"Key":{"pk":{"S":"a"}}}}',  # it was put
        b'{"PutRequest":{"Item":{"pk":{"S":"a"}}},"DeleteRequest":{"Key":{"pk":{"S":"gone"}}}}',
        b'{"DeleteRequest":null}',
    ],
)
async def test_a_remainder_of_another_kind_is_not_believed(named: bytes) -> None:
    with pytest.raises(CorruptAnswerError):
        await _target(b'{"UnprocessedItems":{"orders":[%b]}}' % named).write_batch(CHANGES)


def test_a_delete_is_shown_by_its_key_and_costs_one_unit() -> None:
    target = _target()
    assert target.key_of(CHANGES[1]) == b'{"pk":{"S":"gone"}}'
    assert target.units_of(CHANGES) == len(CHANGES)


async def test_what_is_put_is_there_and_what_is_deleted_is_gone(moto_world: MotoWorld) -> None:
    tables = moto_world.source_tables
    await tables.create_table("orders")
    await tables.put_items("orders", [{"pk": {"S": "gone"}}, {"pk": {"S": "stays"}}])
    async with (
        open_account(moto_world.source, "source") as session,
        open_client(session, table="orders", endpoint=moto_world.url, connections=1) as client,
    ):
        target = BatchWriteTarget(client, table="orders", keys=KeyReader(["pk"]))
        assert not (await target.write_batch(CHANGES)).unprocessed
    keys = {item["pk"]["S"] for item in await tables.read_items("orders")}
    assert keys == {"stays", "a", "b"}


# Several batches, one after the other -----------------------------------------------------------


async def _write_in_turn(target: Any, batches: Sequence[Sequence[Raw]]) -> list[WriteResult]:
    """What the target sends back for each batch, as far as it comes."""
    results = list[WriteResult]()

    def in_turn() -> BatchExchange:
        for items in batches:
            results.append((yield items))

    try:
        await target.write_batches(in_turn())
    except CorruptAnswerError:
        assert len(results) < len(batches)
    return results


async def test_batches_are_sent_in_turn_and_each_has_its_own_result() -> None:
    units = b'{"UnprocessedItems":{},"ConsumedCapacity":[{"TableName":"t","CapacityUnits":%d}]}'
    client = CannedClient(units % 2, units % 2, _unprocessed(ITEMS[2:3]), units % 1)
    target = BatchWriteTarget(client, table="orders", keys=KeyReader(["pk"]))
    results = await _write_in_turn(target, [ITEMS[:2], ITEMS[:2], ITEMS[2:], ITEMS[3:]])
    assert [result.consumed_units for result in results] == [2, 2, None, 1]
    assert [len(result.unprocessed) for result in results] == [0, 0, 1, 0]
    assert _is_sent(results[2].unprocessed, ITEMS[2:3])
    sent = [len(body["RequestItems"]["orders"]) for body in client.bodies]
    assert sent == [2, 2, len(ITEMS) - 2, len(ITEMS) - 3]


async def test_a_response_like_the_one_before_is_read_anew_where_it_names_items() -> None:
    """The same words about other items: these were not sent, so nothing of it is believed."""
    left = _unprocessed(ITEMS[:1])
    target = _target(left, left)
    assert len(await _write_in_turn(target, [ITEMS[:2], ITEMS[2:]])) == 1


@pytest.mark.parametrize("answer", [b"", b"{}", b"null"])
async def test_a_first_response_that_is_none_is_not_believed(answer: bytes) -> None:
    assert await _write_in_turn(_target(answer, ALL_WRITTEN), [ITEMS, ITEMS]) == []


async def test_a_batch_goes_over_the_wire_as_it_is() -> None:
    async with (
        running_endpoint(Answer(body=_unprocessed(ITEMS[:2]))) as endpoint,
        open_client(session_of(), table="orders", endpoint=endpoint.url, connections=1) as client,
    ):
        target = BatchWriteTarget(client, table="orders", keys=KeyReader(["pk"]))
        result = await target.write_batch(ITEMS)
    assert _is_sent(result.unprocessed, ITEMS[:2])
    assert endpoint.operations == ["BatchWriteItem"]
    for item in ITEMS:
        assert bytes(item) in endpoint.requests[0].body
