import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.throttle.attribution import (
    ALL_THROTTLED_SECONDS,
    LEAST_THROTTLES,
    WORD_SECONDS,
    ThrottleAttribution,
    ThrottleScope,
)

TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
INDEX = f"{TABLE}/index/by-owner"
KEY_RANGE = [("TableWriteKeyRangeThroughputExceeded", TABLE)]


def blame() -> ThrottleAttribution:
    weighs = ThrottleAttribution(now=0.0)
    weighs.accepted(0.0)
    return weighs


def test_a_key_range_of_the_table_slows_its_segment_alone() -> None:
    verdict = blame().refused(3, KEY_RANGE, 0.1, segments=32)
    assert (verdict.segment, verdict.table, verdict.resource) == (True, False, TABLE)


@pytest.mark.parametrize(
    "reason",
    [
        "TableWriteProvisionedThroughputExceeded",
        "TableWriteAccountLimitExceeded",
        "TableWriteMaxOnDemandThroughputExceeded",
    ],
)
def test_the_limit_of_the_table_or_the_account_slows_everything(reason: str) -> None:
    verdict = blame().refused(3, [(reason, TABLE)], 0.1, segments=32)
    assert (verdict.segment, verdict.table, verdict.is_index) == (False, True, False)


@pytest.mark.parametrize(
    "reason", ["IndexWriteProvisionedThroughputExceeded", "IndexWriteKeyRangeThroughputExceeded"]
)
def test_an_index_slows_everything_and_is_named(reason: str) -> None:
    verdict = blame().refused(3, [(reason, INDEX)], 0.1, segments=32)
    assert (verdict.segment, verdict.table, verdict.is_index) == (False, True, True)
    assert verdict.resource == INDEX


def test_key_ranges_that_are_named_while_nothing_gets_through_are_not_the_cause() -> None:
    weighs = blame()
    assert weighs.refused(3, KEY_RANGE, ALL_THROTTLED_SECONDS, segments=32).segment
    verdict = weighs.refused(3, KEY_RANGE, ALL_THROTTLED_SECONDS + 0.01, segments=32)
    assert (verdict.segment, verdict.table) == (False, True)
    weighs.accepted(1.0)
    assert weighs.refused(3, KEY_RANGE, 1.1, segments=32).segment


def test_key_ranges_that_are_named_everywhere_are_not_the_cause() -> None:
    """A table on demand that is at what it sustains names key ranges, whichever is asked."""
    weighs = blame()
    verdicts = [
        weighs.refused(segment, KEY_RANGE, 0.01 * segment, segments=32) for segment in range(20)
    ]
    assert (verdicts[0].segment, verdicts[0].table) == (True, False)
    assert (verdicts[-1].segment, verdicts[-1].table) == (False, True)


def test_a_key_range_that_is_named_again_and_again_stays_the_cause() -> None:
    weighs = blame()
    for hundredth in range(50):
        weighs.accepted(hundredth / 100)
        assert weighs.refused(hundredth % 2, KEY_RANGE, hundredth / 100, segments=32).segment


PROVISIONED = [("TableWriteProvisionedThroughputExceeded", TABLE)]


def others_write(weighs: ThrottleAttribution, now: float) -> None:
    """What the other segments send gets through."""
    for _ in range(5):
        weighs.accepted(now)


def left_undone(weighs: ThrottleAttribution, segment: int, now: float) -> ThrottleScope:
    return weighs.left_undone(segment, now, segments=16, items=25, undone=20)


def test_the_table_that_was_named_stands_for_throttles_without_a_name_for_a_while() -> None:
    weighs = blame()
    weighs.refused(3, PROVISIONED, 0.1, segments=16)
    for number in range(int(10 * WORD_SECONDS) - 1):
        others_write(weighs, 0.1 + number / 10)
        assert not left_undone(weighs, 5, 0.1 + number / 10).segment
    others_write(weighs, 0.1 + WORD_SECONDS)
    assert left_undone(weighs, 5, 0.1 + WORD_SECONDS).segment


def test_the_word_of_the_table_ends_when_a_key_range_is_named() -> None:
    weighs = blame()
    weighs.refused(3, PROVISIONED, 0.1, segments=16)
    weighs.refused(3, KEY_RANGE, 0.2, segments=16)
    others_write(weighs, 0.3)
    assert left_undone(weighs, 5, 0.3).segment


def test_after_a_quiet_time_the_next_batches_say_whose_limit_it_is() -> None:
    weighs = blame()
    first = left_undone(weighs, 5, 0.1)
    assert (first.segment, first.table) == (False, False)
    others_write(weighs, 0.1)
    assert left_undone(weighs, 5, 0.2).segment
    again = left_undone(weighs, 5, 10.0)
    assert (again.segment, again.table) == (False, False)
    for number in range(LEAST_THROTTLES):
        last = left_undone(weighs, number, 10.0)
    assert (last.segment, last.table) == (False, True)


def test_without_a_word_it_is_the_ranges_where_most_batches_get_through() -> None:
    weighs = blame()
    left_undone(weighs, 0, 0.0)
    for number in range(100):
        others_write(weighs, number / 100)
        verdict = left_undone(weighs, number % 16, number / 100)
        assert (verdict.segment, verdict.table) == (True, False)


def test_throttles_without_a_name_on_many_segments_are_the_tables() -> None:
    weighs = blame()
    verdicts = [
        weighs.left_undone(segment, 0.01 * segment, segments=32, items=25, undone=20)
        for segment in range(20)
    ]
    assert verdicts[-1].table
    assert not any(verdict.table for verdict in verdicts[: LEAST_THROTTLES - 1])


def test_throttles_without_a_name_on_one_segment_are_not_the_tables() -> None:
    weighs = blame()
    for hundredth in range(50):
        assert not weighs.left_undone(7, hundredth / 100, segments=32, items=25, undone=20).table


def test_a_refusal_without_reasons_is_weighed_like_items_left_undone() -> None:
    weighs = blame()
    verdicts = [weighs.refused(segment, (), 0.01, segments=32) for segment in range(20)]
    assert verdicts[-1].table
    assert not verdicts[0].table


def test_the_last_segment_is_as_slow_as_the_table() -> None:
    assert blame().left_undone(7, 0.1, segments=1, items=25, undone=20).table


def test_where_throttles_fell_long_ago_says_nothing() -> None:
    weighs = blame()
    for segment in range(20):
        weighs.left_undone(segment, 0.1, segments=32, items=25, undone=20)
    assert not weighs.left_undone(3, 60.0, segments=32, items=25, undone=20).table


@given(
    st.lists(
        st.tuples(st.integers(0, 31), st.floats(0.0, 2.0), st.sampled_from(["", "range", "table"])),
        max_size=60,
    )
)
def test_a_throttle_slows_a_segment_or_the_table_and_never_both(
    throttles: list[tuple[int, float, str]],
) -> None:
    weighs, now = blame(), 0.0
    words = {
        "": [],
        "range": KEY_RANGE,
        "table": [("TableWriteProvisionedThroughputExceeded", TABLE)],
    }
    for segment, later, word in throttles:
        now += later
        verdict = weighs.refused(segment, words[word], now, segments=32)
        assert not (verdict.segment and verdict.table)
        assert verdict.segment or verdict.table or word == ""


def test_a_named_key_range_is_the_tables_limit_once_nearly_every_batch_is_touched() -> None:
    weighs = blame()
    verdicts = []
    for number in range(30):
        left_undone(weighs, number % 16, 0.1 + number / 100)
        verdicts.append(weighs.refused(number % 16, KEY_RANGE, 0.1 + number / 100, segments=16))
    assert (verdicts[0].segment, verdicts[0].table) == (True, False)
    assert (verdicts[-1].segment, verdicts[-1].table) == (False, True)


def test_a_named_key_range_stays_the_cause_while_most_batches_get_through() -> None:
    weighs = blame()
    for number in range(60):
        weighs.refused(number % 16, KEY_RANGE, 0.1 + number / 100, segments=16)
        others_write(weighs, 0.1 + number / 100)
        assert left_undone(weighs, number % 16, 0.1 + number / 100).segment


def test_what_is_left_undone_at_any_rate_is_nobodys_fault_and_is_reported() -> None:
    dice, weighs, now, rate = random.Random(1), blame(), 0.0, 600.0
    verdict, told = None, 0
    while now < 10.0:
        now += 25 / rate
        rate *= 0.997
        undone = sum(dice.random() < 0.05 for _ in range(25))
        if undone:
            verdict = weighs.left_undone(3, now, segments=1, items=25, undone=undone)
        else:
            weighs.accepted(now, items=25)
        told += verdict is not None and verdict.is_news
    assert told >= 1
    assert verdict is not None
    assert (verdict.segment, verdict.table) == (False, False)
    assert verdict.undone_share == pytest.approx(0.05, rel=0.4)
