"""Whatever a command asks about a table names it by the ARN that it was resolved to.

A name means the caller's own table: to whoever calls with other credentials it is another one.
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from moto.dynamodb.responses import DynamoHandler

from dynaferry.cli.main import run_command
from tests.worlds.client import WireItem
from tests.worlds.moto import (
    REGION,
    SOURCE_ACCOUNT_ID,
    TARGET_ACCOUNT_ID,
    TARGET_EXTERNAL_ID,
    TARGET_ROLE_ARN,
    MotoWorld,
)
from tests.worlds.refusals import REFUSED, refusing_marked_items

SOURCE_ARN = f"arn:aws:dynamodb:{REGION}:{SOURCE_ACCOUNT_ID}:table/orders"
TARGET_ARN = f"arn:aws:dynamodb:{REGION}:{TARGET_ACCOUNT_ID}:table/orders"


class Asked(NamedTuple):
    """One request: of which operation, and how it names its table."""

    operation: str
    table: str


class Typed(NamedTuple):
    """How a command names both tables."""

    source: str
    target: str


BY_NAME = Typed("orders", "orders")
BY_ARN = Typed(SOURCE_ARN, TARGET_ARN)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """Every request that comes to moto's DynamoDB."""
    requests: list[Asked] = []
    call_action = DynamoHandler.call_action

    def noting(self: DynamoHandler) -> Any:
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        body = json.loads(self.raw_body)
        names = [body[field] for field in ("TableName", "ResourceArn") if field in body]
        names += body.get("RequestItems", ())
        requests.extend(Asked(operation, name) for name in names)
        return call_action(self)

    monkeypatch.setattr(DynamoHandler, "call_action", noting)
    return requests


def an_item(number: int, note: str = "fine") -> WireItem:
    return {"pk": {"S": f"k{number}"}, "note": {"S": note}}


Type = Callable[..., int]


@pytest.fixture
def type_in(
    moto_world: MotoWorld,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: list[Asked],
) -> Type:
    """Types a command, with flags that lead to moto; what was asked before is forgotten."""
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("DYNAFERRY_TARGET_EXTERNAL_ID", TARGET_EXTERNAL_ID)
    url = moto_world.url
    to_source = ["--source-endpoint-url", url]
    to_target = ["--target-endpoint-url", url, "--sts-endpoint-url", url]
    to_target += ["--target-role-arn", TARGET_ROLE_ARN]
    state = ["--state-dir", str(tmp_path / "state")]

    def type_in(*words: str) -> int:
        asked.clear()
        flags = [*state]
        if words[0] in ("copy", "verify") or words[1] == "read":
            flags += to_source
        if words[0] in ("copy", "verify") or words[1] == "write":
            flags += to_target
        return run_command([*words, *flags])

    return type_in


def _seed(world: MotoWorld, *, target: bool = True, refused: bool = False) -> None:
    async def seed() -> None:
        await world.source_tables.create_table("orders")
        notes = [REFUSED if refused and n < 3 else "fine" for n in range(30)]
        await world.source_tables.put_items("orders", [an_item(n, x) for n, x in enumerate(notes)])
        if target:
            await world.target_tables.create_table("orders")

    asyncio.run(seed())


def _named_otherwise(asked: list[Asked], *typed: str) -> list[Asked]:
    """Requests that name a table by anything but its ARN.

    Not those that make it, which take a name only, and those that look up what was typed.
    """
    by_name = [each for each in asked if not each.table.startswith("arn:")]
    return [
        each
        for each in by_name
        if each.operation != "CreateTable"
        and not (each.operation == "DescribeTable" and each.table in typed)
    ]


@pytest.mark.parametrize("typed", [BY_NAME, BY_ARN], ids=["by name", "by ARN"])
def test_a_copy_names_its_tables_by_their_arns(
    typed: Typed, moto_world: MotoWorld, type_in: Type, asked: list[Asked]
) -> None:
    _seed(moto_world, target=False)
    more = ["--create-target", "--warm-target", "60000", "--after-copy"]
    assert type_in("copy", *typed, *more) == 0
    assert {each.operation for each in asked} >= {
        *("DescribeTable", "CreateTable", "DescribeTimeToLive", "DescribeContinuousBackups"),
        *("ListTagsOfResource", "UpdateTable", "Scan", "BatchWriteItem"),
    }
    # What was just made is looked for by its name where nobody knows yet that ARNs are taken.
    assert _named_otherwise(asked, *typed, "orders") == []
    assert {each.table for each in asked if each.operation == "BatchWriteItem"} == {TARGET_ARN}


@pytest.mark.parametrize("typed", [BY_NAME, BY_ARN], ids=["by name", "by ARN"])
def test_a_copy_into_a_table_that_is_there_and_one_that_is_done_name_tables_by_their_arns(
    typed: Typed, moto_world: MotoWorld, type_in: Type, asked: list[Asked]
) -> None:
    _seed(moto_world)
    for _ in range(2):
        assert type_in("copy", *typed) == 0
        assert Asked("Scan", TARGET_ARN) in asked  # whether it is empty
        assert _named_otherwise(asked, *typed) == []


@pytest.mark.parametrize("typed", [BY_NAME, BY_ARN], ids=["by name", "by ARN"])
def test_a_repair_names_its_tables_by_their_arns(
    typed: Typed, moto_world: MotoWorld, type_in: Type, asked: list[Asked]
) -> None:
    _seed(moto_world)
    planted = [an_item(3, "other"), an_item(99)]
    asyncio.run(moto_world.target_tables.put_items("orders", planted))
    assert type_in("verify", *typed, "--repair", "--delete-extra", "--yes", "--settle", "0") == 0
    operations = {each.operation for each in asked}
    assert operations >= {"Scan", "BatchGetItem", "PutItem", "DeleteItem"}
    assert _named_otherwise(asked, *typed) == []


@pytest.mark.parametrize("typed", [BY_NAME, BY_ARN], ids=["by name", "by ARN"])
def test_a_replay_names_its_table_by_its_arn(
    typed: Typed,
    moto_world: MotoWorld,
    type_in: Type,
    asked: list[Asked],
) -> None:
    _seed(moto_world, refused=True)
    with refusing_marked_items():
        assert type_in("copy", *typed) == 4
    assert type_in("dead-letters", "replay", "orders") == 0
    assert {each.operation for each in asked} >= {"DescribeTable", "PutItem"}
    assert _named_otherwise(asked, *typed) == []


@pytest.mark.parametrize("typed", [BY_NAME, BY_ARN], ids=["by name", "by ARN"])
def test_a_benchmark_names_its_table_by_its_arn(
    typed: Typed, moto_world: MotoWorld, type_in: Type, asked: list[Asked]
) -> None:
    _seed(moto_world)
    shortly = ["--yes", "--seconds", "0.3"]
    assert type_in("bench", "read", typed.source, *shortly) == 0
    assert Asked("Scan", SOURCE_ARN) in asked
    assert _named_otherwise(asked, *typed) == []
    assert type_in("bench", "write", "--table", typed.target, *shortly) == 0
    assert {each.table for each in asked if each.operation == "BatchWriteItem"} == {TARGET_ARN}
    assert _named_otherwise(asked, *typed) == []


def test_a_scratch_table_is_filled_and_dropped_by_its_arn(
    moto_world: MotoWorld, type_in: Type, asked: list[Asked]
) -> None:
    _seed(moto_world)
    assert type_in("bench", "write", "--yes", "--seconds", "0.3") == 0
    made = [each.table for each in asked if each.operation == "CreateTable"]
    assert {each.operation for each in asked} >= {"BatchWriteItem", "DeleteTable"}
    assert _named_otherwise(asked, *made) == []
