"""Which shards are read, in which order, and what is told as lost: rule by rule, then at random."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from dynaferry.follow.lineage import (
    GONE_AFTER_SECONDS,
    MOST_MISSES,
    OVERLAP_SECONDS,
    Gap,
    Lineage,
    ShardState,
)
from dynaferry.ports import Shard
from tests.follow.forest import live

NOW = 1_800_000_000.0
HOUR = 3600.0


def shard(
    name: str, parent: Shard | None = None, *, age: float = HOUR, ending: int | None = None
) -> Shard:
    """A shard that was made `age` seconds before NOW; its id says so."""
    return Shard(
        f"shardId-{int((NOW - age) * 1000):020d}-{name}",
        None if parent is None else parent.id,
        ending,
    )


def begun(*listing: Shard) -> Lineage:
    lineage = Lineage()
    lineage.begin(listing, NOW)
    return lineage


def readable(lineage: Lineage) -> list[str]:
    return sorted(position.shard for position in lineage.readable())


def listed_often(lineage: Lineage, *listing: Shard, since: float = NOW) -> list[Gap]:
    """As often as it takes until something that is missing counts as gone."""
    gaps = []
    for number in range(MOST_MISSES):
        gaps += lineage.listed(listing, since + number * GONE_AFTER_SECONDS)
    return gaps


def stored(lineage: Lineage) -> Lineage:
    """What the next process knows."""
    return Lineage(lineage.take_changed())


OLD = shard("old", age=10 * HOUR, ending=9)
OPEN = shard("open", OLD)


# R1: the start -----------------------------------------------------------------------------------


def test_at_the_start_open_shards_are_read_and_what_was_closed_before_is_passed_over() -> None:
    lineage = begun(OLD, OPEN)
    assert readable(lineage) == [OPEN.id]
    assert lineage.state_of(OLD.id) is ShardState.PASSED
    assert lineage.readable()[0].sequence is None


def test_a_shard_whose_children_are_younger_than_the_overlap_is_read_before_them() -> None:
    parent = shard("parent", ending=9)
    children = [shard(name, parent, age=OVERLAP_SECONDS - 1) for name in ("one", "two")]
    lineage = begun(parent, *children)
    assert readable(lineage) == [parent.id]
    lineage.ended(parent.id, NOW)
    assert readable(lineage) == sorted(child.id for child in children)


def test_a_shard_whose_id_tells_no_time_counts_as_young() -> None:
    lineage = begun(Shard("a"), Shard("b", "a"))
    assert readable(lineage) == ["a"]


def test_a_parent_that_the_first_listing_lacks_is_waited_for_where_its_end_matters() -> None:
    parent = shard("parent", ending=9)
    young = shard("young", parent, age=1.0)
    lineage = begun(young)
    assert (readable(lineage), lineage.is_incomplete()) == ([], True)
    assert lineage.listed([parent, young], NOW + 1) == []
    assert readable(lineage) == [parent.id]


def test_the_parent_of_a_shard_from_before_the_start_is_not_waited_for() -> None:
    lineage = begun(OPEN)
    assert readable(lineage) == [OPEN.id]
    # Not even by the next process, nor when a listing shows it after all.
    lineage = stored(lineage)
    assert readable(lineage) == [OPEN.id]
    assert lineage.listed([OLD, OPEN], NOW) == []
    assert readable(lineage) == [OPEN.id]


# R2, R3, R4: what appears later ------------------------------------------------------------------


def test_a_shard_that_appears_is_read_from_its_beginning_behind_its_parent() -> None:
    lineage = begun(OLD, OPEN)
    child = shard("child", OPEN, age=0.0)
    lineage.read_to(OPEN.id, 5)
    assert lineage.listed([OLD, OPEN, child], NOW) == []
    assert (readable(lineage), [p.shard for p in lineage.waiting()]) == ([OPEN.id], [child.id])
    lineage.ended(OPEN.id, NOW)
    (position,) = lineage.readable()
    assert (position.shard, position.sequence) == (child.id, None)


def test_a_shard_is_read_to_its_end_when_its_iterator_says_so_whatever_a_listing_shows() -> None:
    lineage = begun(OLD, OPEN)
    lineage.ended(OPEN.id, NOW)
    lineage.listed([OLD, OPEN, shard("child", OPEN, age=0.0)], NOW)
    assert lineage.state_of(OPEN.id) is ShardState.DONE
    assert OPEN.id not in readable(lineage)


def test_a_shard_that_was_read_and_has_no_child_is_not_the_end() -> None:
    lineage = begun(OLD, OPEN)
    lineage.ended(OPEN.id, NOW)
    assert (lineage.childless(), lineage.is_incomplete()) == ([OPEN.id], True)
    assert stored(lineage).childless() == [OPEN.id]
    lineage.found_children([shard("child", OPEN, age=0.0)], NOW)
    assert (lineage.childless(), lineage.is_incomplete()) == ([], False)


def test_a_shard_that_no_listing_shows_any_more_is_not_missing_a_child_for_ever() -> None:
    lineage = begun(OLD, OPEN)
    lineage.ended(OPEN.id, NOW)
    later = shard("later", Shard("never seen"), age=-30 * HOUR)
    gaps = listed_often(lineage, later, since=NOW + 30 * HOUR)
    assert gaps == [Gap(later.id, "its parent never seen has come and gone unread")]
    assert (lineage.childless(), lineage.is_incomplete()) == ([], False)


# R5: gaps ----------------------------------------------------------------------------------------


def test_a_position_that_is_trimmed_is_a_gap_unless_it_is_the_end() -> None:
    lineage = begun(OLD, OPEN)
    lineage.read_to(OPEN.id, 10**30)
    gap = Gap(OPEN.id, "records were trimmed before they were read")
    assert lineage.trimmed(OPEN.id, 10**30) == gap
    closed = shard("open", OLD, ending=10**30)
    lineage.listed([closed], NOW)
    assert lineage.ending_of(OPEN.id) == 10**30
    assert lineage.trimmed(OPEN.id, 10**30) is None
    assert lineage.trimmed(OPEN.id, 10**30 - 1) == gap
    lineage.read_anew(OPEN.id)
    assert [p.sequence for p in lineage.take_changed() if p.shard == OPEN.id] == [None]


def test_an_unread_shard_is_lost_once_three_listings_lack_it() -> None:
    lineage = begun(OLD, OPEN)
    child = shard("child", OPEN, age=0.0)
    lineage.found_children([child], NOW)
    for _ in range(MOST_MISSES - 1):
        assert lineage.listed([child], NOW) == []
    assert lineage.listed([OPEN, child], NOW) == []
    assert listed_often(lineage, child) == [
        Gap(OPEN.id, "it is gone before it was read to its end")
    ]
    assert lineage.state_of(OPEN.id) is ShardState.LOST
    assert readable(lineage) == [child.id]
    # Shown again, it is not read: its records would come behind those of its children.
    assert lineage.listed([OPEN, child], NOW) == []
    assert readable(lineage) == [child.id]


def test_three_listings_within_a_moment_say_no_more_than_one() -> None:
    lineage = begun(OLD, OPEN)
    for number in range(9):
        assert lineage.listed([], NOW + number) == []


def test_a_shard_that_answers_is_there_whatever_listings_say() -> None:
    lineage = begun(OLD, OPEN)
    for number in range(20):
        assert lineage.listed([], NOW + number * GONE_AFTER_SECONDS) == []
        lineage.answered(OPEN.id)
    assert readable(lineage) == [OPEN.id]


def test_a_shard_that_is_gone_behind_its_last_record_is_no_gap() -> None:
    lineage = begun(OLD, shard("open", OLD, ending=7))
    lineage.read_to(OPEN.id, 7)
    assert listed_often(lineage, OLD) == []
    assert lineage.state_of(OPEN.id) is ShardState.DONE


def test_a_parent_that_nobody_knows_is_a_gap_and_not_read_when_it_is_shown_later() -> None:
    lineage = begun(OLD, OPEN)
    lineage.ended(OPEN.id, NOW)
    parent = shard("parent", OPEN, age=0.0, ending=9)
    child = shard("child", parent, age=-1.0)
    gaps = listed_often(lineage, OLD, OPEN, child)
    assert gaps == [Gap(child.id, f"its parent {parent.id} has come and gone unread")]
    assert readable(lineage) == [child.id]
    assert lineage.listed([OLD, OPEN, parent, child], NOW) == []
    assert readable(lineage) == [child.id]


def test_a_gap_is_told_once_whether_a_kill_comes_before_it_or_after() -> None:
    lineage = begun(OLD, OPEN)
    child = shard("child", Shard("unseen"), age=0.0)
    lineage.listed([OLD, OPEN, child], NOW)
    kept = lineage.take_changed()
    lineage = Lineage(kept)
    assert readable(lineage) == [OPEN.id]
    assert len(listed_often(lineage, OLD, OPEN, child)) == 1
    lineage = Lineage([*kept, *lineage.take_changed()])
    assert listed_often(lineage, OLD, OPEN, child) == []
    assert readable(lineage) == sorted([OPEN.id, child.id])


# R6, R7 and what is kept -------------------------------------------------------------------------


def test_a_restart_goes_on_behind_the_last_number_that_was_stored() -> None:
    lineage = begun(OLD, OPEN)
    lineage.read_to(OPEN.id, 10**39)
    (position,) = stored(lineage).readable()
    assert (position.shard, position.sequence) == (OPEN.id, 10**39)
    assert lineage.take_changed() == []


def test_what_was_taken_to_be_stored_does_not_change_meanwhile() -> None:
    lineage = begun(OLD, OPEN)
    lineage.read_to(OPEN.id, 1)
    taken = {position.shard: position for position in lineage.take_changed()}
    lineage.read_to(OPEN.id, 2)
    assert taken[OPEN.id].sequence == 1
    assert [position.sequence for position in lineage.take_changed()] == [2]


def test_the_shards_of_another_stream_are_another_lineage() -> None:
    ended = begun(OLD, OPEN)
    ended.ended(OPEN.id, NOW)
    other = begun(shard("first", age=0.0))
    assert len(readable(other)) == 1
    assert (ended.childless(), other.childless()) == ([OPEN.id], [])


def test_what_is_over_for_two_days_is_forgotten() -> None:
    lineage = begun(OLD, OPEN)
    child = shard("child", OPEN, age=0.0)
    lineage.ended(OPEN.id, NOW)
    lineage.found_children([child], NOW)
    assert lineage.listed([child], NOW + 47 * HOUR) == []
    assert len(lineage) == 3
    assert lineage.listed([child], NOW + 49 * HOUR) == []
    assert len(lineage) == 1
    assert readable(lineage) == [child.id]


# At random ---------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(st.integers(0, 2**32))
def test_each_record_of_a_random_stream_is_read_once_and_in_order_or_told_as_lost(
    seed: int,
) -> None:
    live(Random(seed))
