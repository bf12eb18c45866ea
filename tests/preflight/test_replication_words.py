"""What is said of replicas, and of what they take and delay."""

from dynaferry.dynamodb.tables.description import LEGACY_GLOBAL_TABLES, Replica, Throughput
from dynaferry.preflight.notice import texts
from dynaferry.preflight.replication_words import (
    on_moved_replicas,
    on_source_replicas,
    on_target_replicas,
)
from tests.worlds.described import described

WEST = Replica(region="eu-west-1")


def test_of_a_table_in_one_region_nothing_is_said() -> None:
    table = described()
    assert [*on_source_replicas(table), *on_target_replicas(table), *on_moved_replicas(table)] == []


def test_a_source_of_the_old_version_is_copied_without_what_it_writes_by_itself() -> None:
    legacy = described(global_table_version=LEGACY_GLOBAL_TABLES)
    (notice,) = texts(on_source_replicas(legacy))
    assert "(aws:rep:*): they are not copied" in notice
    (notice,) = texts(on_target_replicas(legacy))
    assert "two writes" in notice


def test_a_source_with_replicas_is_to_be_the_one_that_is_written() -> None:
    (notice,) = texts(on_source_replicas(described(replicas=(WEST,))))
    assert "eu-west-1" in notice
    assert "the one that the writers write" in notice


def test_a_replica_that_is_not_active_or_slower_than_the_target_is_named() -> None:
    making = Replica(region="eu-north-1", status="CREATING")
    slow = Replica(region="ap-south-1", warm=Throughput(12_000, 5_000))
    warm = Throughput(12_000, 40_000)
    _, *notices = texts(on_target_replicas(described(warm=warm, replicas=(making, slow))))
    assert notices == [
        "the target's replica in eu-north-1 is CREATING: what is written reaches it later, or not "
        "at all",
        "the target's replica in ap-south-1 takes 5,000 write units a second at once, the target "
        "40,000: it will have the items later",
    ]
    provisioned = described(
        billing_mode="PROVISIONED", provisioned=Throughput(1, 9), warm=warm, replicas=(slow,)
    )
    assert len(list(on_target_replicas(provisioned))) == 1


def test_a_write_that_waits_for_another_region_is_said_to_take_longer() -> None:
    notices = texts(on_target_replicas(described(replicas=(WEST,), replicates_at_once=True)))
    assert any("in another Region before they are answered" in notice for notice in notices)


def test_before_a_switch_all_writers_stop_and_what_they_replicate_is_waited_for() -> None:
    (notice,) = texts(on_moved_replicas(described(replicas=(WEST,))))
    assert "in all Regions (eu-west-1 as well)" in notice
    assert "waits 15 s for what they replicate" in notice
    assert "no --proof closed" in notice
    (notice,) = texts(on_moved_replicas(described(replicas=(WEST,), replicates_at_once=True)))
    assert "waits" not in notice
    (notice,) = texts(on_moved_replicas(described(global_table_version=LEGACY_GLOBAL_TABLES)))
    assert "in all Regions (others as well)" in notice
