from typing import Any

from msgspec.structs import replace

from dynaferry.dynamodb.tables.describe import NotKnown, SideSettings
from dynaferry.dynamodb.tables.description import (
    KeyAttribute,
    Replica,
    TableDescription,
    Throughput,
)
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.preflight.estimate import as_created, estimate_copy
from dynaferry.preflight.notice import texts
from dynaferry.preflight.notices import Findings, notices_on
from tests.worlds.described import BY_DATE, BY_EMAIL, described

NOTHING_SPECIAL = SideSettings(ttl_attribute=None, point_in_time_recovery=False)
WRITERS = "changes made during the copy may be missed"


def noticed(
    source: TableDescription | None = None,
    target: TableDescription | None = None,
    *,
    source_settings: SideSettings = NOTHING_SPECIAL,
    target_settings: SideSettings | None = NOTHING_SPECIAL,
    target_may_hold_items: bool = False,
    **more: Any,
) -> list[str]:
    """The notices, without the one on writers, which is always there."""
    source = source or described(item_count=10, size_bytes=10 * 1024)
    findings = Findings(
        source=source,
        source_settings=source_settings,
        target=target,
        target_settings=target_settings if target else None,
        **more,
    )
    table = TablePlan("orders", "copy")
    estimate = estimate_copy(
        CopyPlan(tables=(table,)), table, source, target or as_created(source), total_segments=1
    )
    notices = texts(notices_on(findings, estimate, target_may_hold_items=target_may_hold_items))
    assert any(WRITERS in notice for notice in notices)
    return [notice for notice in notices if WRITERS not in notice]


def the_only_one(notices: list[str], part: str) -> str:
    (found,) = [notice for notice in notices if part in notice]
    return found


def test_two_plain_tables_give_nothing_more_to_say() -> None:
    assert noticed(target=described("copy")) == []


def test_a_target_that_is_to_be_created_is_announced() -> None:
    assert noticed() == ["the target does not exist; it is created like the source before the copy"]


def test_what_a_created_target_will_not_have_is_said() -> None:
    source = described(
        item_count=1,
        kms_key_arn="arn:aws:kms:us-east-1:123456789012:key/k",
        warm=Throughput(50_000, 50_000),
        replicas=(Replica(region="eu-west-1"),),
    )
    notices = noticed(source, tags=NotKnown("no permission for dynamodb:ListTagsOfResource"))
    assert the_only_one(notices, "tags") == (
        "the source's tags are not known (no permission for dynamodb:ListTagsOfResource): "
        "the target is created without tags"
    )
    assert "key/k" in the_only_one(notices, "encrypted")
    assert "4,000 write units a second" in the_only_one(notices, "warm throughput")
    assert "eu-west-1" in the_only_one(notices, "without the source's replicas")


def test_a_target_that_may_hold_items_is_said_to_be_overwritten() -> None:
    notices = noticed(target=described("copy"), target_may_hold_items=True)
    assert "overwritten" in the_only_one(notices, "may hold items")


def test_each_index_of_the_target_is_listed_with_what_it_adds_to_a_write() -> None:
    source = described(item_count=10, size_bytes=10 * 3000, indexes=(BY_EMAIL, BY_DATE))
    notices = noticed(source, described("copy", indexes=(BY_EMAIL, BY_DATE)))
    assert "GSI by_email (ALL) 3, LSI by_date (KEYS_ONLY) 1" in the_only_one(notices, "indexes")


def test_an_index_with_fewer_units_than_its_table_is_named() -> None:
    slow = replace(BY_EMAIL, provisioned=Throughput(1, 10))
    target = described(
        "copy", billing_mode="PROVISIONED", provisioned=Throughput(1, 1000), indexes=(slow,)
    )
    notices = noticed(described(item_count=1, indexes=(BY_EMAIL,)), target)
    assert the_only_one(notices, "slow the table") == (
        "the target's GSI by_email has 10 write units, the table 1,000: "
        "the index will slow the table down"
    )


def test_an_index_that_asks_more_of_an_item_than_the_source_does_is_named() -> None:
    by_number = replace(BY_EMAIL, keys=(KeyAttribute("email", "N", "HASH"),))
    source = described(item_count=1, indexes=(BY_EMAIL,))
    notices = noticed(source, described("copy", indexes=(by_number,)))
    assert "GSI by_email asks for email (N)" in the_only_one(notices, "rejected")
    assert not [n for n in noticed(source, described("copy", indexes=(BY_EMAIL,))) if "refuse" in n]


def test_a_stream_on_the_target_warns_of_whoever_listens() -> None:
    notices = noticed(target=described("copy", stream_view_type="NEW_IMAGE"))
    assert "will see every copied item" in the_only_one(notices, "Lambda trigger")


def test_a_stream_on_the_source_is_to_be_set_up_at_the_cut_over() -> None:
    notices = noticed(described(item_count=1, stream_view_type="NEW_IMAGE"), described("copy"))
    assert "cut-over" in the_only_one(notices, "the source has a stream (NEW_IMAGE)")


def test_replicas_of_both_sides_are_named() -> None:
    there = (Replica(region="eu-west-1"), Replica(region="eu-north-1"))
    notices = noticed(target=described("copy", replicas=there))
    assert "eu-west-1, eu-north-1" in the_only_one(notices, "the target is a global table")
    source = described(item_count=1, replicas=there)
    notices = noticed(source, described("copy"))
    assert "eu-west-1, eu-north-1" in the_only_one(notices, "the source is one replica")


def test_expiry_on_the_source_is_to_be_switched_on_after_the_cut_over() -> None:
    settings = SideSettings(ttl_attribute="expires", point_in_time_recovery=False)
    notices = noticed(target=described("copy"), source_settings=settings)
    assert the_only_one(notices, "expire by expires") == (
        "the source's items expire by expires: expired ones that are still there are copied too; "
        "switch time to live on at the target after the cut-over"
    )


def test_expiry_on_the_target_deletes_what_is_copied() -> None:
    settings = SideSettings(ttl_attribute="expires", point_in_time_recovery=False)
    notices = noticed(target=described("copy"), target_settings=settings)
    assert "deletes copied items" in the_only_one(notices, "target's time to live is on")


def test_recovery_on_the_source_is_to_be_switched_on_after_the_cut_over() -> None:
    settings = SideSettings(ttl_attribute=None, point_in_time_recovery=True)
    assert "after the cut-over" in the_only_one(
        noticed(target=described("copy"), source_settings=settings), "point-in-time recovery"
    )
    assert (
        noticed(target=described("copy"), source_settings=settings, target_settings=settings) == []
    )


def test_what_could_not_be_read_is_said_with_the_reason() -> None:
    settings = SideSettings(
        ttl_attribute=NotKnown("no permission for dynamodb:DescribeTimeToLive"),
        point_in_time_recovery=NotKnown("the endpoint refuses DescribeContinuousBackups"),
    )
    assert noticed(target=described("copy"), source_settings=settings) == [
        "the source's time to live is not known (no permission for dynamodb:DescribeTimeToLive)",
        "the source's point-in-time recovery is not known "
        "(the endpoint refuses DescribeContinuousBackups)",
    ]


def test_a_table_that_says_0_items_may_hold_some() -> None:
    notices = noticed(described(), described("copy"))
    assert "about every six hours" in the_only_one(notices, "ItemCount")


def test_tables_that_are_being_updated_are_named() -> None:
    updating = described("copy", status="UPDATING")
    notices = noticed(described(item_count=1, status="UPDATING"), updating)
    assert the_only_one(notices, "the source is UPDATING")
    assert the_only_one(notices, "the target is UPDATING")
