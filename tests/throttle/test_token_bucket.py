import math

from hypothesis import given
from hypothesis import strategies as st

from dynaferry.throttle.token_bucket import BURST_SECONDS, TokenBucket

RATES = st.floats(0.5, 50_000)
REQUESTS = st.lists(
    st.tuples(st.floats(0, 3), st.floats(0.5, 300), st.floats(0, 2)), min_size=1, max_size=60
)


@given(rate=RATES, requests=REQUESTS)
def test_what_is_consumed_in_any_window_is_at_most_the_rate_and_one_request(
    rate: float, requests: list[tuple[float, float, float]]
) -> None:
    bucket = TokenBucket(rate, now=0.0)
    now, sent = 0.0, []
    for pause, units, _ in requests:
        now += pause
        sent.append((now + bucket.take(units, now), units))
    for start, _ in sent:
        for end, _ in sent:
            inside = sum(units for at, units in sent if start <= at <= end)
            largest = max(units for _, units in sent)
            allowed = rate * (end - start + BURST_SECONDS) + largest
            assert end < start or inside <= allowed * (1 + 1e-9)


@given(rate=RATES, requests=REQUESTS)
def test_what_the_service_says_it_consumed_is_what_counts_in_the_long_run(
    rate: float, requests: list[tuple[float, float, float]]
) -> None:
    bucket = TokenBucket(rate, now=0.0)
    now, consumed = 0.0, 0.0
    for _, units, factor in requests:
        now += bucket.take(units, now)
        bucket.settle(units, units * factor)
        consumed += units * factor
    now += bucket.take(0.0, now)  # whatever is owed is waited for by whoever comes next
    assert consumed <= rate * (now + BURST_SECONDS) * (1 + 1e-9) + 1e-6


def test_the_first_second_is_not_a_burst() -> None:
    bucket = TokenBucket(100.0, now=5.0)
    assert bucket.take(50.0, 5.0) == 0.5


def test_an_idle_bucket_saves_up_next_to_nothing() -> None:
    bucket = TokenBucket(100.0, now=0.0)
    assert math.isclose(bucket.take(110.0, 3600.0), 1.0)


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    bucket = TokenBucket(100.0, now=10.0)
    bucket.take(100.0, 10.0)
    assert bucket.take(0.0, 3.0) == 1.0
    assert bucket.take(0.0, 10.5) == 0.5


def test_takers_are_served_in_the_order_they_came() -> None:
    bucket = TokenBucket(10.0, now=0.0)
    assert [bucket.take(10.0, 0.0) for _ in range(3)] == [1.0, 2.0, 3.0]
