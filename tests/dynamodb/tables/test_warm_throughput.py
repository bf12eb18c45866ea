from typing import Any

import anyio
import anyio.lowlevel
import pytest

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.tables.description import TableDescription, Throughput
from dynaferry.dynamodb.tables.warm_throughput import raises_for, warm_up
from dynaferry.errors import AccessDeniedError
from tests.worlds.described import (
    BY_DATE,
    BY_EMAIL,
    described,
    described_on_the_wire,
    refusal,
    scripted,
)

WARM = {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4000, "Status": "ACTIVE"}


def answer(write_units: int = 4000, status: str = "ACTIVE", **more: Any) -> dict[str, Any]:
    """A DescribeTable of a table with an index, both warm for so much."""
    warm = WARM | {"WriteUnitsPerSecond": write_units, "Status": status}
    table = described_on_the_wire("copy")
    index = {
        "IndexName": "by_pk",
        "KeySchema": table["Table"]["KeySchema"],
        "Projection": {"ProjectionType": "ALL"},
        "IndexStatus": "ACTIVE",
        "WarmThroughput": warm,
    }
    more = {"WarmThroughput": warm, "GlobalSecondaryIndexes": [index], **more}
    return {"Table": table["Table"] | more}


class Polls:
    def __init__(self) -> None:
        self.slept = 0

    async def sleep(self, _: float) -> None:
        self.slept += 1


async def warmed(
    session: AccountSession, said: list[str], polls: Polls, write_units: int = 9000
) -> TableDescription:
    target = described("copy")
    return await warm_up(session, target, write_units, say=said.append, sleep=polls.sleep)


def updates(session: AccountSession) -> list[dict[str, Any]]:
    return [given for method, given in session.client.calls if method == "update_table"]


async def test_the_table_and_then_each_index_is_raised_and_waited_for() -> None:
    index_behind = answer(9000)
    index_behind["Table"]["GlobalSecondaryIndexes"][0]["WarmThroughput"] = WARM
    session = scripted(
        describe_table=[answer(), answer(9000, "UPDATING"), index_behind, answer(9000)],
        update_table=[{}],
    )
    said, polls = list[str](), Polls()
    seen = await warmed(session, said, polls)
    warm = {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 9000}
    arn = described("copy").arn
    assert updates(session) == [
        {"TableName": arn, "WarmThroughput": warm},
        {
            "TableName": arn,
            "GlobalSecondaryIndexUpdates": [
                {"Update": {"IndexName": "by_pk", "WarmThroughput": warm}}
            ],
        },
    ]
    assert seen.warm == Throughput(12_000, 9000)
    assert polls.slept == 1
    assert said[0].endswith("of the table (it has 4,000); this is billed and never decreases")
    assert any("Ctrl-C is safe" in line for line in said)


async def test_what_is_warm_enough_is_not_asked_for_again() -> None:
    session = scripted(describe_table=[answer(9000)], update_table=[{}])
    await warmed(session, [], Polls())
    assert updates(session) == []


async def test_what_was_asked_for_before_is_waited_for_and_not_asked_for_again() -> None:
    session = scripted(describe_table=[answer(4000, "UPDATING"), answer(9000)], update_table=[{}])
    polls = Polls()
    await warmed(session, [], polls)
    assert updates(session) == []
    assert polls.slept == 1


async def test_a_wait_that_is_cancelled_leaves_it_to_the_service() -> None:
    session = scripted(describe_table=[answer(), answer(9000, "UPDATING")], update_table=[{}])

    async def cancelled(_: float) -> None:
        scope.cancel()
        await anyio.lowlevel.checkpoint()

    with anyio.CancelScope() as scope:
        await warm_up(session, described("copy"), 9000, say=lambda _: None, sleep=cancelled)
    assert scope.cancelled_caught
    assert len(updates(session)) == 1


async def test_a_role_that_may_not_is_refused_with_the_permission_that_it_lacks() -> None:
    session = scripted(
        describe_table=[answer()], update_table=[refusal("AccessDeniedException", "UpdateTable")]
    )
    with pytest.raises(AccessDeniedError) as caught:
        await warmed(session, [], Polls())
    assert "dynamodb:UpdateTable" in (caught.value.hint or "")


def test_local_indexes_have_nothing_of_their_own_to_raise() -> None:
    target = described("copy", indexes=(BY_EMAIL, BY_DATE))
    assert [each.index for each in raises_for(target, 9000)] == [None, "by_email"]
    assert raises_for(target, 4000) == ()


async def test_a_change_that_the_service_puts_off_is_asked_for_again() -> None:
    session = scripted(
        "target",
        describe_table=[answer(WarmThroughput=WARM | {"WriteUnitsPerSecond": 9000}), answer(9000)],
        update_table=[
            refusal("LimitExceededException", "UpdateTable"),
            refusal("InternalServerError", "UpdateTable"),
            {},
        ],
    )
    said, polls = list[str](), Polls()
    await warmed(session, said, polls)
    assert len(session.client.requests_of("update_table")) == 3
    assert polls.slept == 2
    assert sum("asking again until the service allows it" in line for line in said) == 1
