from dynaferry.dynamodb.tables.describe import NotKnown, SideSettings
from dynaferry.dynamodb.tables.description import Replica, TableDescription
from dynaferry.preflight.left_to_do import left_to_do
from dynaferry.preflight.notices import Findings
from dynaferry.shared.left_to_do import LeftToDo
from tests.worlds.described import described

NOTHING = SideSettings(ttl_attribute=None, point_in_time_recovery=False)
ALL = SideSettings(ttl_attribute="expires", point_in_time_recovery=True)


def left(
    source: TableDescription,
    target: TableDescription | None,
    of_source: SideSettings = NOTHING,
    of_target: SideSettings | None = NOTHING,
) -> LeftToDo:
    found = Findings(
        source=source, source_settings=of_source, target=target, target_settings=of_target
    )
    return left_to_do(found, "orders", "copy")


def test_two_tables_alike_leave_nothing() -> None:
    there = described("copy")
    assert left(described(), there, ALL, ALL) == LeftToDo(
        source="orders", target="copy", target_arn=there.arn
    )


def test_what_the_source_has_and_the_target_has_not_is_left() -> None:
    source = described(stream_view_type="NEW_IMAGE")
    found = left(source, described("copy"), ALL, NOTHING)
    assert found.ttl_attribute == "expires"
    assert found.point_in_time_recovery
    assert found.stream_view == "NEW_IMAGE"
    assert found.has_stream_readers


def test_a_created_target_has_the_stream_and_no_replicas() -> None:
    source = described(stream_view_type="NEW_IMAGE", replicas=(Replica(region="eu-west-1"),))
    found = left(source, None, ALL, None)
    assert found.stream_view is None
    assert found.has_stream_readers
    assert found.replica_regions == ("eu-west-1",)
    assert found.ttl_attribute == "expires"
    assert found.point_in_time_recovery


def test_what_could_not_be_read_of_the_source_is_not_called_left() -> None:
    unread = NotKnown("no permission")
    found = left(
        described(),
        described("copy"),
        SideSettings(ttl_attribute=unread, point_in_time_recovery=unread),
    )
    assert found.ttl_attribute is None
    assert not found.point_in_time_recovery


def test_what_could_not_be_read_of_the_target_is_left() -> None:
    unread = NotKnown("no permission")
    settings = SideSettings(ttl_attribute=unread, point_in_time_recovery=unread)
    found = left(described(), described("copy"), ALL, settings)
    assert found.ttl_attribute == "expires"
    assert found.point_in_time_recovery
