"""The bodies of conditional single writes, and what their answers mean."""

import json
import re

import pytest

from dynaferry.dynamodb.items.conditional_write import ConditionalWriter
from dynaferry.dynamodb.items.conditions import (
    MOST_ATTRIBUTES,
    MOST_EXPRESSION_BYTES,
    absent,
    unchanged,
)
from dynaferry.errors import CorruptAnswerError, ImpossibleAnswerError
from dynaferry.ports import Replaced
from tests.worlds.canned_client import CannedAnswer, CannedClient

SEEN = b'{"pk":{"S":"a"},"n":{"N":"1"},"same":{"SS":["x"]},"gone":{"S":""}}'
NEW = b'{"pk":{"S":"a"},"n":{"N":"2.50"},"same":{"SS":["x"]},"new":{"S":""}}'
COSTS = b'{"ConsumedCapacity":{"TableName":"orders","CapacityUnits":2.0}}'


def mender(*answers: CannedAnswer) -> tuple[ConditionalWriter, CannedClient]:
    client = CannedClient(*answers)
    return ConditionalWriter(client, table="orders", keys=["pk", "sk"]), client


async def test_what_was_not_there_is_put_only_if_it_still_is_not() -> None:
    target, client = mender(COSTS)
    assert await target.put_if_unchanged(NEW, None) == Replaced(None, 2.0)
    assert client.calls[0][0] == "PutItem"
    assert NEW in client.calls[0][1]  # in its own bytes
    assert client.bodies == [
        {
            "TableName": "orders",
            "Item": json.loads(NEW),
            "ConditionExpression": "attribute_not_exists(#0)",
            "ExpressionAttributeNames": {"#0": "pk"},
            "ReturnConsumedCapacity": "TOTAL",
            "ReturnValues": "ALL_OLD",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    ]


async def test_what_was_seen_is_replaced_only_if_every_attribute_still_is_the_same() -> None:
    target, client = mender(COSTS)
    await target.put_if_unchanged(NEW, SEEN)
    (body,) = client.bodies
    assert body["ConditionExpression"] == (
        "attribute_exists(#k) AND #0 = :0 AND #1 = :1 AND attribute_not_exists(#2) AND #3 = :3"
    )
    assert body["ExpressionAttributeNames"] == {
        "#k": "pk",
        "#0": "gone",
        "#1": "n",
        "#2": "new",
        "#3": "same",
    }
    assert body["ExpressionAttributeValues"] == {
        ":0": {"S": ""},
        ":1": {"N": "1"},
        ":3": {"SS": ["x"]},
    }


async def test_what_was_seen_is_deleted_only_if_it_still_is_the_same() -> None:
    target, client = mender(b"{}")
    assert await target.delete_if_unchanged(b'{"pk":{"S":"a"}}', SEEN) == Replaced(None)
    assert client.calls[0][0] == "DeleteItem"
    (body,) = client.bodies
    assert body["Key"] == {"pk": {"S": "a"}}
    assert set(body["ExpressionAttributeNames"].values()) == {"pk", "gone", "n", "same"}
    assert body["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"


async def test_a_response_that_is_none_does_not_count_as_written() -> None:
    target, _ = mender(b"<html>")
    with pytest.raises(CorruptAnswerError, match="PutItem"):
        await target.put_if_unchanged(NEW, None)


def test_of_too_many_attributes_those_that_change_are_in_the_condition() -> None:
    many = {f"a{n:04}": {"N": "1"} for n in range(500)}
    changed = many | {"a0499": {"N": "2"}}
    condition = unchanged(json.dumps(many).encode(), json.dumps(changed).encode(), ["pk"])
    assert len(condition.ConditionExpression) <= MOST_EXPRESSION_BYTES
    assert "a0499" in condition.ExpressionAttributeNames.values()
    assert len(condition.ExpressionAttributeNames) == MOST_ATTRIBUTES + 1


def test_attributes_to_be_added_are_in_the_condition_as_far_as_it_has_room() -> None:
    new = {f"a{n:04}": {"N": "1"} for n in range(500)}
    condition = unchanged(b'{"pk":{"S":"a"}}', json.dumps(new).encode(), ["pk"])
    assert MOST_EXPRESSION_BYTES - 40 < len(condition.ConditionExpression) <= MOST_EXPRESSION_BYTES
    named = set(re.findall("#[0-9k]+", condition.ConditionExpression))
    assert named == condition.ExpressionAttributeNames.keys()
    assert condition.ExpressionAttributeValues is None


@pytest.mark.parametrize("operation", ["put", "delete"])
async def test_what_was_replaced_is_returned_in_its_own_bytes(operation: str) -> None:
    there = b'{"pk":{"S":"a"}, "n":{"N":"1.0"}, "new":{"S":"x"}}'
    target, _ = mender(b'{"Attributes":%b}' % there)
    if operation == "put":
        assert await target.put_if_unchanged(NEW, SEEN) == Replaced(there)
    else:
        assert await target.delete_if_unchanged(b'{"pk":{"S":"a"}}', SEEN) == Replaced(there)


async def test_a_response_with_an_error_in_it_does_not_count_as_written() -> None:
    target, _ = mender(b'{"__type":"x#InternalServerError","message":"no"}')
    with pytest.raises(ImpossibleAnswerError, match="an error"):
        await target.put_if_unchanged(NEW, SEEN)


def test_an_item_that_is_its_key_alone_must_be_there() -> None:
    condition = unchanged(b'{"pk":{"S":"a"}}', None, ["pk"])
    assert condition.ConditionExpression == "attribute_exists(#k)"
    assert condition.ExpressionAttributeValues is None
    assert absent("pk").ExpressionAttributeValues is None
