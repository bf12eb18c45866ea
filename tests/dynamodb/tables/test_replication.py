"""Which tables are replicas of a global table of version 2017.11.29, and of which others."""

from typing import Any

import pytest

from dynaferry.dynamodb.tables.description import LEGACY_GLOBAL_TABLES, Replica
from dynaferry.dynamodb.tables.replication import with_replication
from dynaferry.errors import UnavailableError
from tests.worlds.described import described, refusal, scripted

IMAGES = {"stream_view_type": "NEW_AND_OLD_IMAGES"}
LEGACY = {"global_table_version": LEGACY_GLOBAL_TABLES}
WITH_OWN = {"Items": [{"pk": "a", "aws:rep:deleting": False}]}
PLAIN = {"Items": [{"pk": "a"}]}
NOT_FOUND = refusal("GlobalTableNotFoundException", "DescribeGlobalTable")
DENIED = refusal("AccessDeniedException", "DescribeGlobalTable")
ELSEWHERE = "999999999999"


def group(account: str = "123456789012") -> dict[str, Any]:
    """What DescribeGlobalTable answers."""
    return {
        "GlobalTableDescription": {
            "GlobalTableArn": f"arn:aws:dynamodb::{account}:global-table/orders",
            "ReplicationGroup": [
                {"RegionName": "us-east-1"},
                {"RegionName": "eu-west-1", "ReplicaStatus": "UPDATING"},
            ],
        }
    }


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"stream_view_type": "KEYS_ONLY"},
        {"global_table_version": "2019.11.21", **IMAGES},
        {"replicas": (Replica(region="eu-west-1"),), **LEGACY, **IMAGES},
    ],
)
async def test_of_most_tables_nobody_is_asked(settings: dict[str, Any]) -> None:
    session, table = scripted("source"), described(**settings)
    assert await with_replication(session, table) is table
    assert session.client.calls == []


@pytest.mark.parametrize("settings", [IMAGES, LEGACY])
async def test_its_other_replicas_are_those_of_the_global_table_of_its_name(
    settings: dict[str, Any],
) -> None:
    session = scripted("source", describe_global_table=[group()])
    table = await with_replication(session, described(**settings))
    assert table.is_legacy_global
    assert table.replicas == (Replica(region="eu-west-1", status="UPDATING"),)
    assert session.client.calls == [("describe_global_table", {"GlobalTableName": "orders"})]


async def test_where_there_is_none_of_its_name_items_are_never_taken_apart() -> None:
    """Though they have such attributes: they may have been copied from elsewhere."""
    session = scripted("source", describe_global_table=[NOT_FOUND], scan=[WITH_OWN])
    assert not (await with_replication(session, described(**IMAGES))).is_legacy_global
    assert session.client.requests_of("scan") == []


@pytest.mark.parametrize("answer", [NOT_FOUND, DENIED, group(ELSEWHERE), group()])
@pytest.mark.parametrize(("items", "expected"), [(WITH_OWN, True), (PLAIN, False), ({}, False)])
async def test_of_another_accounts_table_an_item_tells(
    answer: Any, items: dict[str, Any], expected: bool
) -> None:
    """Its name means another global table there."""
    shared = described(account="222222222222", **IMAGES)
    session = scripted("source", describe_global_table=[answer], scan=[items])
    table = await with_replication(session, shared)
    assert (table.is_legacy_global, table.replicas) == (expected, ())
    assert len(session.client.requests_of("scan")) == 1


async def test_where_it_may_not_be_asked_an_item_tells() -> None:
    session = scripted("source", describe_global_table=[DENIED], scan=[WITH_OWN])
    assert (await with_replication(session, described(**IMAGES))).is_legacy_global


async def test_a_table_that_is_being_made_holds_no_item_to_tell() -> None:
    session = scripted("target", describe_global_table=[DENIED])
    table = described(status="CREATING", **IMAGES)
    assert await with_replication(session, table) is table


async def test_what_decides_what_is_copied_is_not_only_for_notices() -> None:
    session = scripted(
        describe_global_table=[DENIED], scan=[refusal("InternalServerError", "Scan")]
    )
    with pytest.raises(UnavailableError):
        await with_replication(session, described(**IMAGES))


def test_what_is_written_elsewhere_comes_later_unless_it_is_everywhere_before_it_is_answered() -> (
    None
):
    there = (Replica(region="eu-west-1"),)
    assert described().late_regions == ()
    assert described(replicas=there).late_regions == ("eu-west-1",)
    assert described(replicas=there, replicates_at_once=True).late_regions == ()
    # Where nobody said which they are.
    assert described(**LEGACY).late_regions == ("other Regions",)
