"""The controller on simulated tables, judged by what those saw; then move by move."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulator import BrownOut, Change, Latency
from dynaferry.throttle.rate_controller import (
    LEAST_UNITS,
    RateController,
)
from dynaferry.throttle.rate_profile import EAGER, POLITE, RateProfile
from tests.throttle.driven import BATCH_ITEMS, drive, shares, table_of

SECONDS = 40.0
BATCH_UNITS = float(BATCH_ITEMS)


def controller(temper: RateProfile = EAGER, *, ceiling: float = math.inf) -> RateController:
    return RateController(temper, now=0.0, ceiling=ceiling)


# On tables ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("latency", [0.004, 0.03, 0.15])
@pytest.mark.parametrize(
    ("capacity", "item_bytes", "least_used", "most_refused"),
    [
        (200.0, 1024, 0.97, 0.07),
        (1000.0, 1024, 0.97, 0.07),
        (5000.0, 1024, 0.98, 0.06),
        (5000.0, 8000, 0.97, 0.06),
        (20_000.0, 8000, 0.98, 0.06),
        # A batch is a fifth of a second here, and there is little to learn from each.
        (1000.0, 8000, 0.85, 0.10),
        # And here a second.
        (200.0, 8000, 0.60, 0.20),
    ],
)
def test_a_table_is_filled_with_few_refusals(
    capacity: float, item_bytes: int, latency: float, least_used: float, most_refused: float
) -> None:
    table = table_of(capacity, item_bytes=item_bytes, latency=Latency(write_seconds=latency))
    drive(controller(), table, SECONDS)
    seen = shares(table, SECONDS, since=10)
    assert seen.used >= least_used
    assert seen.refused <= most_refused


@pytest.mark.parametrize("latency", [0.004, 0.08])
@pytest.mark.parametrize(("before", "after"), [(4000, 1000), (1000, 4000), (5000, 4500)])
def test_a_capacity_that_changes_is_followed_within_five_seconds(
    before: float, after: float, latency: float
) -> None:
    changes = (Change(at_seconds=15.0, write_units=after),)
    table = table_of(before, changes=changes, latency=Latency(write_seconds=latency))
    drive(controller(), table, SECONDS)
    assert shares(table, SECONDS, since=20).used >= 0.95
    assert shares(table, SECONDS, since=20).refused <= 0.06


@pytest.mark.parametrize(("latency", "within"), [(0.004, 5.0), (0.08, 10.0)])
@pytest.mark.parametrize(("before", "after"), [(2000, 8000), (8000, 2000), (1000, 15_000)])
def test_the_rate_settles_at_a_new_capacity_and_never_runs_away(
    before: float, after: float, latency: float, within: float
) -> None:
    """A quarter below and above it there is room for emptying, and for probing.

    Until then it is a few times as much, while what the service had saved is used up. Where answers
    take long, everything does.
    """
    changes = (Change(at_seconds=15.0, write_units=after),)
    table = table_of(before, changes=changes, latency=Latency(write_seconds=latency))
    rates: list[tuple[float, float]] = []
    drive(controller(), table, SECONDS, watch=lambda now, rate: rates.append((now, rate)))
    settled = [rate / after for now, rate in rates if now >= 15 + within]
    assert min(settled) >= 0.75
    assert max(settled) <= 1.25
    assert max(rate for _, rate in rates) <= 6 * max(before, after)


def test_after_an_outage_the_table_is_filled_again_and_hardly_asked_meanwhile() -> None:
    table = table_of(3000, brown_outs=(BrownOut(start_seconds=10.0, seconds=15.0),))
    drive(controller(), table, SECONDS)
    seen = table.report(SECONDS).seconds
    during = [s.write_requests for s in seen if 14 <= s.second < 25]
    assert max(during) <= 3
    assert shares(table, SECONDS, since=30).used >= 0.95


def test_the_source_is_asked_for_less_than_it_has() -> None:
    """A polite reader leaves room: what it is refused may have been a customer's."""
    table = table_of(2000)
    drive(controller(POLITE), table, SECONDS)
    assert 0.6 <= shares(table, SECONDS, since=10).used <= 0.9


def test_a_ceiling_is_never_passed() -> None:
    table = table_of(20_000)
    rates: list[float] = []
    drive(
        controller(ceiling=700.0),
        table,
        20.0,
        watch=lambda _, rate: rates.append(rate),
    )
    assert max(rates) <= 700.0
    assert min(rates) == 700.0, "there was nothing to back off from"


# Move by move ------------------------------------------------------------------------------------


def wanted_for(limiter: RateController, since: float, until: float, step: float = 0.05) -> None:
    """Everybody waits, and all is accepted."""
    steps = round((until - since) / step)
    for number in range(1, steps + 1):
        now = since + number * step
        limiter.wanted()
        limiter.accepted(limiter.rate * step, 0.01, now)
        limiter.advance(now)


def limited_at(capacity: float) -> RateController:
    """A controller that found this capacity just before the time 1."""
    temper = RateProfile(
        start_units=capacity * 1.25, doubling_seconds=0.3, keep=0.9, hold_seconds=2.0, curve=1.0
    )
    limiter = RateController(temper, now=0.8)
    limiter.accepted(capacity * 0.2, 0.01, 0.95)
    limiter.refused(capacity * 0.05, 0.95)
    limiter.advance(1.0)
    return limiter


def test_until_the_first_refusal_the_rate_doubles_again_and_again() -> None:
    limiter = controller()
    wanted_for(limiter, 0.0, 1.2)
    first = limiter.rate
    wanted_for(limiter, 1.2, 2.4)
    assert first >= 8 * EAGER.start_units
    assert limiter.rate == pytest.approx(16 * first, rel=0.5)
    assert limiter.capacity is None


def test_nothing_grows_while_nobody_waits() -> None:
    limiter = controller()
    for tenth in range(1, 100):
        limiter.accepted(10.0, 0.01, tenth / 10)
        limiter.advance(tenth / 10)
    assert limiter.rate == EAGER.start_units


def test_a_found_limit_is_not_left_while_nobody_waits() -> None:
    limiter = limited_at(2000.0)
    for tenth in range(11, 200):
        limiter.accepted(10.0, 0.01, tenth / 10)
        limiter.advance(tenth / 10)
    assert limiter.rate <= 2000.0


def test_a_pause_in_which_nobody_asked_is_no_time_to_grow_in() -> None:
    growing, held = controller(), limited_at(2000.0)
    for limiter in (growing, held):
        limiter.wanted()
        limiter.advance(4000.0)
    assert growing.rate <= EAGER.start_units * 2 ** (2.0 / EAGER.doubling_seconds)
    assert held.rate <= 2.0 * 2000.0


@pytest.mark.parametrize("temper", [EAGER, POLITE])
def test_a_refusal_behind_a_pause_in_which_nobody_asked_says_nothing_of_the_limit(
    temper: RateProfile,
) -> None:
    """Nothing was accepted meanwhile, and that is no limit of nothing."""
    limiter = controller(temper)
    limiter.accepted(200.0, 0.01, 0.05)
    limiter.refused(200.0, 0.1)
    limiter.advance(0.5)
    known = limiter.capacity
    assert known is not None
    limiter.refused(BATCH_UNITS, 20.0)
    for tenth in range(200, 400):
        limiter.wanted()
        limiter.advance(tenth / 10)
        assert limiter.capacity == known
        assert LEAST_UNITS <= limiter.rate <= 1.2 * known


@pytest.mark.parametrize("pause_seconds", [1.0, 1.9, 2.2, 5.0, 60.0, 600.0])
def test_a_refusal_behind_a_pause_does_not_cost_the_rate(pause_seconds: float) -> None:
    """Averaged over the pause, what was accepted before it would be hardly anything."""
    limiter, now = limited_at(2000.0), 1.1
    for _ in range(40):
        limiter.wanted()
        limiter.accepted(100.0, 0.01, now)
        limiter.advance(now)
        now += 0.05
    now += pause_seconds
    limiter.refused(BATCH_UNITS, now)
    limiter.advance(now)
    assert limiter.capacity == pytest.approx(2000.0, rel=0.05)
    limiter.advance(now + 1.0)
    assert limiter.rate >= 0.75 * 2000.0


def test_a_refusal_while_hardly_anything_is_sent_does_not_cost_the_rate() -> None:
    """What is written is what the source gives, and nobody waits for more."""
    limiter, now = controller(), 0.5
    limiter.accepted(200.0, 0.01, 0.05)
    limiter.refused(200.0, 0.1)
    limiter.advance(now)
    known = limiter.capacity
    for _ in range(100):
        now += 0.1
        limiter.accepted(2.0, 0.01, now)
        limiter.advance(now)
    limiter.refused(BATCH_UNITS, now)
    limiter.advance(now + 0.5)
    assert limiter.capacity == known == 500.0


def test_a_refusal_lowers_the_rate_below_what_was_measured() -> None:
    limiter = limited_at(2000.0)
    assert limiter.capacity == pytest.approx(2000.0, rel=0.05)
    assert limiter.rate < (limiter.capacity or 0.0)


def test_a_chance_refusal_changes_nothing() -> None:
    limiter = controller()
    limiter.accepted(1000.0, 0.01, 0.1)
    limiter.refused(5.0, 0.1)
    limiter.advance(0.25)
    assert limiter.capacity is None


def test_what_was_on_its_way_at_a_back_off_does_not_lower_the_rate_again() -> None:
    limiter = controller()
    limiter.accepted(100.0, 0.2, 0.1)
    limiter.refused(100.0, 0.15)
    limiter.advance(0.4)
    lowered = limiter.rate
    assert lowered < EAGER.start_units
    for hundredth in range(1, 19):  # the round trip takes 0.2 s
        limiter.refused(50.0, 0.4 + hundredth / 100)
        limiter.advance(0.4 + hundredth / 100)
    assert limiter.rate == pytest.approx(lowered, rel=0.01)


def test_between_two_moments_without_anything_left_the_average_is_the_capacity() -> None:
    """What had been saved up was used in between, however fast it went."""
    limiter = limited_at(2000.0)
    for tenth in range(11, 61):
        limiter.wanted()
        limiter.accepted(130.0, 0.01, tenth / 10)
        limiter.advance(tenth / 10)
    limiter.refused(300.0, 6.0)
    assert limiter.capacity == pytest.approx(1300.0, rel=0.02)


def test_once_past_the_old_limit_the_rate_grows_ever_faster() -> None:
    limiter = limited_at(2000.0)
    wanted_for(limiter, 1.0, 3.0)
    assert limiter.rate == pytest.approx(0.9 * 2000.0, rel=0.05), "it is held for two seconds"
    gains, before = [], limiter.rate
    for second in (3, 4, 5):
        wanted_for(limiter, second, second + 1)
        gains.append(limiter.rate - before)
        before = limiter.rate
    assert 0 < gains[0] < gains[1] < gains[2]


def test_when_nothing_is_accepted_the_rate_falls_to_a_request_a_second() -> None:
    limiter = limited_at(4000.0)
    for hundredth in range(110, 600):
        limiter.refused(BATCH_UNITS, hundredth / 100)
        limiter.advance(hundredth / 100)
    assert limiter.rate == LEAST_UNITS


def test_of_large_requests_one_a_second_is_the_least() -> None:
    limiter = limited_at(4000.0)
    for hundredth in range(110, 600):
        limiter.asked(300.0)
        limiter.refused(300.0, hundredth / 100)
        limiter.advance(hundredth / 100)
    assert limiter.rate == 300.0


def test_the_first_response_after_an_outage_brings_the_old_rate_back() -> None:
    limiter = limited_at(4000.0)
    before = limiter.capacity
    for hundredth in range(110, 600):
        limiter.refused(BATCH_UNITS, hundredth / 100)
        limiter.advance(hundredth / 100)
    limiter.accepted(BATCH_UNITS, 0.01, 6.0)
    assert limiter.rate == pytest.approx(0.9 * (before or 0.0))


def test_a_limit_that_was_given_is_one() -> None:
    assert controller(ceiling=10.0).is_limited
    assert controller(ceiling=10.0).rate == 10.0
    assert not controller().is_limited


_units = st.floats(0.0, 1e6)
_event = st.one_of(
    st.tuples(st.just("wanted"), st.just(0.0), st.just(0.0)),
    st.tuples(st.just("accepted"), _units, st.floats(0.0, 10.0)),
    st.tuples(st.just("refused"), _units, st.just(0.0)),
    st.tuples(st.just("asked"), st.floats(0.0, 1e4), st.just(0.0)),
    st.tuples(st.just("later"), st.floats(0.0, 1e5) | st.floats(0.0, 1.0), st.just(0.0)),
)


@given(
    events=st.lists(_event, max_size=200),
    ceiling=st.floats(LEAST_UNITS, 1e5) | st.just(math.inf),
    temper=st.sampled_from([EAGER, POLITE]),
)
def test_whatever_happens_the_rate_is_a_number_between_the_least_and_the_ceiling(
    events: list[tuple[str, float, float]], ceiling: float, temper: RateProfile
) -> None:
    limiter, now = controller(temper, ceiling=ceiling), 0.0
    for name, amount, latency in events:
        match name:
            case "wanted":
                limiter.wanted()
            case "asked":
                limiter.asked(amount)
            case "accepted":
                limiter.accepted(amount, latency, now)
            case "refused":
                limiter.refused(amount, now)
            case _:
                now += amount
        limiter.advance(now)
        assert LEAST_UNITS <= limiter.rate <= ceiling
        assert math.isfinite(limiter.rate)
