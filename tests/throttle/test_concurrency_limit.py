from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.throttle.concurrency_limit import LEAST, Concurrency


def grown(rate_at: Callable[[int], float], seconds: float = 60.0, most: int = 128) -> Concurrency:
    """What becomes of the limit where so many in flight bring so many answers a second."""
    concurrency, now = Concurrency(most, now=0.0), 0.0
    while now < seconds:
        now += 1 / rate_at(concurrency.limit)
        concurrency.waited()
        concurrency.note_responses(now)
    return concurrency


def test_it_grows_to_the_most_while_more_in_flight_bring_more() -> None:
    assert grown(lambda limit: 5.0 * limit).limit == 128


@pytest.mark.parametrize("useful", [20, 40, 80])
def test_it_stays_near_what_the_other_side_can_do_at_once(useful: int) -> None:
    assert useful * 0.8 <= grown(lambda limit: 10.0 * min(limit, useful)).limit <= useful * 2


def test_steps_that_only_made_responses_slower_are_taken_back() -> None:
    assert grown(lambda limit: 300.0, seconds=2.2).limit == LEAST


def test_it_does_not_grow_while_nobody_waits() -> None:
    concurrency = Concurrency(128, now=0.0)
    for hundredth in range(2000):
        concurrency.note_responses(hundredth / 100)
    assert concurrency.limit == LEAST


def test_a_rate_that_rises_by_itself_is_no_reason_to_have_more_in_flight() -> None:
    """As when a copy begins: bursts that come ever sooner, and nothing to do in between."""
    concurrency, now = Concurrency(128, now=0.0), 0.0
    for burst in range(400):
        between_seconds = 0.4 * 0.98**burst
        now += between_seconds
        for _ in range(concurrency.limit):
            concurrency.idled(between_seconds)
        for _ in range(40):
            concurrency.waited()
            concurrency.note_responses(now)
    assert concurrency.limit == LEAST


def test_nothing_is_tried_while_the_rate_still_rises_by_itself() -> None:
    concurrency, now = Concurrency(128, now=0.0), 0.0
    while now < 5.0:
        now += 1 / (100.0 * 2**now)
        concurrency.waited()
        concurrency.note_responses(now)
    assert concurrency.limit == LEAST


def test_responses_that_come_together_count_as_many() -> None:
    one_by_one, together = Concurrency(128, now=0.0), Concurrency(128, now=0.0)
    for hundredth in range(600):
        rate = 5 * one_by_one.limit
        for concurrency in (one_by_one, together):
            concurrency.waited()
        together.note_responses(hundredth / 100, rate)
        for _ in range(rate):
            one_by_one.note_responses(hundredth / 100)
    assert one_by_one.limit == together.limit == 128


@given(
    most=st.integers(1, 500),
    answers=st.lists(st.tuples(st.booleans(), st.floats(0.0, 3.0)), max_size=300),
)
def test_the_limit_is_never_above_the_most_nor_below_the_least(
    most: int, answers: list[tuple[bool, float]]
) -> None:
    concurrency, now = Concurrency(most, now=0.0), 0.0
    for waited, later in answers:
        now += later
        if waited:
            concurrency.waited()
        concurrency.note_responses(now)
        assert min(LEAST, most) <= concurrency.limit <= most
