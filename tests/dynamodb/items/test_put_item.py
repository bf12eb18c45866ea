"""The body of a single put, and what its answers mean."""

import pytest
from msgspec import Raw

from dynaferry.dynamodb.failures.call_site import CallSite
from dynaferry.dynamodb.failures.service_errors import decode_error, from_service_error
from dynaferry.dynamodb.items.put_item import PutItemTarget
from dynaferry.errors import ConditionFailedError, CorruptAnswerError, ItemRefusedError
from dynaferry.ports import PutResult
from tests.worlds.canned_client import CannedAnswer, CannedClient

ITEM = Raw(b'{"p k":{"S":"a"},"n":{"N":"1.50"}}')
SITE = CallSite(table="orders", side="target", acting_as="role ferry")


def putter(*answers: CannedAnswer) -> tuple[PutItemTarget, CannedClient]:
    client = CannedClient(*answers)
    return PutItemTarget(client, table="orders", partition_key="p k"), client


def refused(body: bytes) -> CannedAnswer:
    def refuse(_: bytes) -> bytes:
        raise from_service_error(
            decode_error(400, body), status=400, operation="PutItem", site=SITE
        )

    return refuse


def condition_failed(item: bytes) -> CannedAnswer:
    return refused(
        b'{"__type":"x#ConditionalCheckFailedException","message":"no","Item":%b}' % item
    )


async def test_an_item_is_put_as_it_is_where_its_key_is_not_there() -> None:
    target, client = putter(b'{"ConsumedCapacity":{"TableName":"orders","CapacityUnits":3.0}}')
    assert await target.put_item(ITEM, overwrite=False) == PutResult(None, 3.0)
    assert client.calls[0][0] == "PutItem"
    assert bytes(ITEM) in client.calls[0][1]
    (body,) = client.bodies
    assert body["TableName"] == "orders"
    assert body["ConditionExpression"] == "attribute_not_exists(#key)"
    assert body["ExpressionAttributeNames"] == {"#key": "p k"}
    assert body["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"


async def test_to_overwrite_nothing_is_asked_of_what_is_there() -> None:
    target, client = putter(b"{}")
    assert await target.put_item(ITEM, overwrite=True) == PutResult(None, None)
    assert set(client.bodies[0]) == {"TableName", "Item", "ReturnConsumedCapacity"}


async def test_what_is_there_is_found_to_be_the_same_or_another() -> None:
    same = b'{"n":{"N":"1.5"},"p k":{"S":"a"}}'
    other = b'{"n":{"N":"2"},"p k":{"S":"a"}}'
    target, _ = putter(condition_failed(same), condition_failed(other))
    assert await target.put_item(ITEM, overwrite=False) == PutResult("same")
    assert await target.put_item(ITEM, overwrite=False) == PutResult("other")


async def test_what_a_legacy_global_table_has_written_into_it_makes_no_other_item() -> None:
    present = b'{"n":{"N":"1.5"},"p k":{"S":"a"},"aws:rep:deleting":{"BOOL":false}}'
    target, client = putter(*[condition_failed(present)] * 2)
    assert await target.put_item(ITEM, overwrite=False) == PutResult("other")
    legacy = PutItemTarget(client, table="orders", partition_key="p k", leave_out=True)
    assert await legacy.put_item(ITEM, overwrite=False) == PutResult("same")


async def test_what_is_there_and_not_shown_counts_as_another() -> None:
    target, _ = putter(refused(b'{"__type":"ConditionalCheckFailedException"}'))
    assert await target.put_item(ITEM, overwrite=False) == PutResult("other")


async def test_a_refusal_is_of_the_item() -> None:
    target, _ = putter(refused(b'{"__type":"ValidationException","message":"bad index key"}'))
    with pytest.raises(ItemRefusedError, match="bad index key") as caught:
        await target.put_item(ITEM, overwrite=False)
    assert caught.value.code == "ValidationException"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b"\xff",
        b'{"__type":"x#InternalServerError"}',
        b'{"message":"no"}',
        b'{"Message":"no"}',
        b'{"ConsumedCapacity":{"CapacityUnits":-3}}',
    ],
)
async def test_a_response_that_is_not_one_is_corrupt(answer: bytes) -> None:
    target, _ = putter(answer)
    with pytest.raises(CorruptAnswerError, match="PutItem on the target table orders"):
        await target.put_item(ITEM, overwrite=False)


def test_a_failed_condition_says_what_it_found() -> None:
    answer = decode_error(400, b'{"__type":"ConditionalCheckFailedException","Item":{"a":1}}')
    error = from_service_error(answer, status=400, operation="PutItem", site=SITE)
    assert isinstance(error, ConditionFailedError)
    assert error.item == b'{"a":1}'
