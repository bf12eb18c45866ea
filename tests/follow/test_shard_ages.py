"""How old what is captured is: true while a backlog is read, and of the shard that is worst."""

from dynaferry.follow.shard_ages import EMPTY_PAGES_AT_THE_END, ShardAges
from dynaferry.ports import ChangeKind, ChangePage, ChangeRecord

HOUR = 3600.0
NOW = 1_800_000_000.0


def page(*created: float) -> ChangePage:
    changes = [
        ChangeRecord(b"d", b"{}", ChangeKind.DELETE, created_at=moment) for moment in created
    ]
    last = 1 if changes else None
    return ChangePage(changes=changes, last_sequence=last, next_iterator="next", body_bytes=0)


def test_nothing_is_known_before_each_shard_was_polled() -> None:
    ages = ShardAges(NOW - HOUR)
    assert not ages.polled_at
    ages.begin("a", None)
    ages.begin("b", None)
    ages.note("a", page(NOW), NOW)
    assert not ages.read_until
    ages.note("b", page(NOW), NOW + 1)
    assert (ages.polled_at, ages.read_until) == (NOW, NOW)


def test_a_backlog_is_as_old_as_its_records_though_it_is_polled_all_the_time() -> None:
    ages = ShardAges(NOW - 40 * HOUR)
    ages.begin("a", None)
    for step in range(20):
        ages.note("a", page(NOW - (20 - step) * HOUR), NOW + step)
        assert ages.polled_at == NOW + step
        assert ages.read_until == NOW - (20 - step) * HOUR
    ages.note("a", page(NOW + 19), NOW + 20)
    assert ages.read_until == NOW + 20


def test_one_empty_page_in_a_backlog_is_not_its_end() -> None:
    ages = ShardAges(NOW - 40 * HOUR)
    ages.begin("a", None)
    ages.note("a", page(NOW - HOUR), NOW)
    for poll in range(1, EMPTY_PAGES_AT_THE_END):
        ages.note("a", page(), NOW + poll)
        assert ages.read_until == NOW - HOUR
    ages.note("a", page(), NOW + 10)
    assert ages.read_until == NOW + 10


def test_a_quiet_shard_is_read_up_to_its_last_poll() -> None:
    ages = ShardAges(NOW)
    ages.begin("a", None)
    ages.note("a", page(NOW), NOW)
    for poll in range(1, 5):
        ages.note("a", page(), NOW + poll)
        assert ages.read_until == NOW + poll


def test_records_from_before_the_beginning_make_no_old_position() -> None:
    ages = ShardAges(NOW - 1)
    ages.begin("a", None)
    ages.note("a", page(NOW - 20 * HOUR), NOW)
    assert ages.read_until == NOW


def test_a_child_knows_what_its_parent_showed_and_a_shard_that_is_over_counts_no_more() -> None:
    ages = ShardAges(NOW - HOUR)
    ages.begin("parent", None)
    ages.note("parent", page(NOW), NOW)
    ages.begin("child", "parent")
    ages.keep({"child"})
    assert (ages.polled_at, ages.read_until) == (NOW, NOW)
    ages.note("child", page(), NOW + 1)
    assert ages.read_until == NOW + 1


def test_what_was_shown_reaches_to_the_newest_record_and_to_now_only_behind_empty_pages() -> None:
    ages = ShardAges(NOW)
    ages.begin("a", None)
    assert not ages.shown_until
    # Records of a moment ago, behind which there may be any number of newer ones.
    ages.note("a", page(NOW - 100), NOW + 1)
    assert (ages.read_until, ages.shown_until) == (NOW + 1, NOW - 100)
    for step in range(EMPTY_PAGES_AT_THE_END - 1):
        ages.note("a", page(), NOW + 2 + step)
    assert ages.shown_until == NOW - 100
    ages.note("a", page(), NOW + 5)
    assert ages.shown_until == NOW + 5
    # The clock of the service may be ahead of ours.
    ages.note("a", page(NOW + 60), NOW + 6)
    assert ages.shown_until == NOW + 6
    ages.begin("b", "a")
    assert ages.shown_until == NOW + 6
    ages.begin("c", None)
    assert not ages.shown_until
