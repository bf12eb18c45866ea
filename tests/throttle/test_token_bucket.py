from hypothesis import given
from hypothesis import strategies as st

from dynaferry.throttle.token_bucket import BUCKET_BURST_SECONDS, TokenBucket

RATES = st.floats(0.5, 50_000)
REQUESTS = st.lists(
    st.tuples(st.floats(0, 3), st.floats(0.5, 300), st.floats(0, 2)), min_size=1, max_size=60
)


def take(bucket: TokenBucket, units: float, now: float) -> float:
    """Waits for `units`, takes them, and returns the time by then."""
    now += bucket.wait_seconds(units, now)
    assert bucket.wait_seconds(units, now) == 0.0
    bucket.take(units)
    return now


@given(rate=RATES, requests=REQUESTS)
def test_what_is_taken_in_any_window_is_at_most_the_rate_and_one_request(
    rate: float, requests: list[tuple[float, float, float]]
) -> None:
    bucket = TokenBucket(rate, now=0.0)
    now, sent = 0.0, []
    for pause, units, _ in requests:
        now = take(bucket, units, now + pause)
        sent.append((now, units))
    for start, _ in sent:
        for end, _ in sent:
            inside = sum(units for at, units in sent if start <= at <= end)
            largest = max(units for _, units in sent)
            allowed = rate * (end - start + BUCKET_BURST_SECONDS) + largest
            assert end < start or inside <= allowed * (1 + 1e-6)


@given(rate=RATES, requests=REQUESTS)
def test_what_the_service_says_it_consumed_is_what_counts_in_the_long_run(
    rate: float, requests: list[tuple[float, float, float]]
) -> None:
    bucket = TokenBucket(rate, now=0.0)
    now, consumed = 0.0, 0.0
    for _, units, factor in requests:
        now = take(bucket, units, now)
        bucket.take(units * factor - units)
        consumed += units * factor
    now += bucket.wait_seconds(0.0, now)  # whatever is owed is waited for by whoever comes next
    assert consumed <= rate * (now + BUCKET_BURST_SECONDS) * (1 + 1e-6) + 1e-6


def test_the_first_second_is_not_a_burst() -> None:
    bucket = TokenBucket(100.0, now=5.0)
    assert bucket.wait_seconds(50.0, 5.0) == 0.5


def test_an_idle_bucket_saves_up_next_to_nothing() -> None:
    bucket = TokenBucket(100.0, now=0.0)
    assert bucket.wait_seconds(110.0, 3600.0) == 1.0


def test_whoever_waits_for_more_than_it_saves_up_gets_it() -> None:
    bucket = TokenBucket(1.0, now=0.0)
    assert bucket.wait_seconds(128.0, 0.0) == 128.0
    assert bucket.wait_seconds(128.0, 127.0) == 1.0
    assert bucket.wait_seconds(128.0, 128.0) == 0.0


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    bucket = TokenBucket(100.0, now=10.0)
    bucket.take(100.0)
    assert bucket.wait_seconds(0.0, 3.0) == 1.0
    assert bucket.wait_seconds(0.0, 10.5) == 0.5


def test_what_is_given_back_is_there_for_those_who_come_at_once_only() -> None:
    bucket = TokenBucket(100.0, now=0.0)
    bucket.take(-500.0)
    assert bucket.wait_seconds(400.0, 0.5) == 0.0
    bucket.take(0.0)
    assert bucket.wait_seconds(110.0, 3600.0) == 1.0
