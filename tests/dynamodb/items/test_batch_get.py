"""The body of a BatchGetItem, and what its answers mean."""

import pytest

from dynaferry.dynamodb.items.batch_get import BatchGetLookup
from dynaferry.errors import CorruptAnswerError
from tests.worlds.canned_client import CannedAnswer, CannedClient

KEYS = [b'{"pk":{"S":"a"}}', b'{"pk":{"S":"b"}}']


def lookup(*answers: CannedAnswer) -> tuple[BatchGetLookup, CannedClient]:
    client = CannedClient(*answers)
    return BatchGetLookup(client, table='odd "name"', side="target"), client


async def test_keys_are_asked_for_consistently_in_one_request() -> None:
    target, client = lookup(b'{"Responses":{},"UnprocessedKeys":{}}')
    found = await target.find_items(KEYS)
    assert (found.items, found.unprocessed, found.consumed_units) == ([], [], None)
    assert client.calls[0][0] == "BatchGetItem"
    assert client.bodies == [
        {
            "ReturnConsumedCapacity": "TOTAL",
            "RequestItems": {
                'odd "name"': {
                    "ConsistentRead": True,
                    "Keys": [{"pk": {"S": "a"}}, {"pk": {"S": "b"}}],
                }
            },
        }
    ]


async def test_items_come_as_they_are_with_what_is_left_and_what_it_cost() -> None:
    one = b'{"pk":{"S":"a"},"n":{"N":"1.50"}}'
    target, _ = lookup(
        b'{"Responses":{"t":[%b]},"UnprocessedKeys":{"t":{"Keys":[%b],"ConsistentRead":true}},'
        b'"ConsumedCapacity":[{"TableName":"t","CapacityUnits":1.5}],"Later":1}' % (one, KEYS[1])
    )
    found = await target.find_items(KEYS)
    assert list(map(bytes, found.items)) == [one]
    assert (found.unprocessed, found.consumed_units) == ([KEYS[1]], 1.5)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"{}",
        b'{"Responses":{}}',
        b'{"UnprocessedKeys":{}}',
        b'{"Responses":{"t":null},"UnprocessedKeys":{}}',
        b'{"Responses":{"t":[{},{},{}]},"UnprocessedKeys":{}}',
        b'{"Responses":{},"UnprocessedKeys":{"t":{}}}',
        b'{"Responses":{"\xff":[]},"UnprocessedKeys":{}}',
    ],
)
async def test_a_response_that_is_none_never_counts_as_nothing_there(answer: bytes) -> None:
    target, _ = lookup(answer)
    with pytest.raises(CorruptAnswerError, match="target table"):
        await target.find_items(KEYS)
