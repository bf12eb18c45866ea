import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.observe.histogram import BOUNDS, percentile
from dynaferry.observe.request_stats import RequestStats


def test_a_request_is_counted_by_its_outcome_and_in_the_bucket_of_its_time() -> None:
    requests = RequestStats()
    requests.note("ok", BOUNDS[2])
    requests.note("ok", BOUNDS[2] + 1e-9)
    requests.note("throttled", 1000.0)
    assert requests.outcomes == {"ok": 2, "throttled": 1}
    assert requests.buckets[2:4] == [1, 1]
    assert requests.buckets[-1] == 1
    assert requests.count == 3
    assert requests.seconds == pytest.approx(1000.006)


def test_no_requests_have_no_percentile() -> None:
    assert percentile(RequestStats().buckets, 0.5) is None


def test_beyond_the_last_bound_a_percentile_says_what_was_passed() -> None:
    requests = RequestStats()
    requests.note("ok", 500.0)
    assert percentile(requests.buckets, 0.99) == BOUNDS[-1]


@given(st.lists(st.floats(0.0, 29.0), min_size=1), st.floats(0.01, 1.0))
def test_a_percentile_lies_in_the_bucket_of_the_request_that_it_is_about(
    times: list[float], share: float
) -> None:
    requests = RequestStats()
    for seconds in times:
        requests.note("ok", seconds)
    found = percentile(requests.buckets, share)
    assert found is not None
    rank = next(i for i in range(1, len(times) + 1) if i >= share * len(times) - 1e-9)
    meant = sorted(times)[rank - 1]
    high = next(bound for bound in BOUNDS if meant <= bound)
    low = max((bound for bound in BOUNDS if bound < meant), default=0.0)
    assert low - 1e-9 <= found <= high + 1e-9
