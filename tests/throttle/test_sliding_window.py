from hypothesis import given
from hypothesis import strategies as st

from dynaferry.throttle.sliding_window import SLOT_SECONDS, Window

ADDED = st.lists(st.tuples(st.floats(0, 3), st.floats(0, 300)), max_size=40)


@given(added=ADDED, later=st.floats(0, 8))
def test_nothing_leaves_before_its_time_and_little_stays_longer(
    added: list[tuple[float, float]], later: float
) -> None:
    window, now, log = Window(5.0), 0.0, []
    for pause, units in added:
        now += pause
        window.add(units, now)
        log.append((now, units))
    now += later
    inside = sum(units for at, units in log if at > now - 5.0)
    with_the_slot = sum(units for at, units in log if at > now - 5.0 - SLOT_SECONDS)
    assert inside - 1e-6 <= window.total(now) <= with_the_slot + 1e-6


@given(added=ADDED, most=st.floats(0, 1000))
def test_after_the_wait_the_window_holds_no_more_than_that(
    added: list[tuple[float, float]], most: float
) -> None:
    window, now = Window(5.0), 0.0
    for pause, units in added:
        now += pause
        window.add(units, now)
    now += window.wait_seconds(most, now)
    assert window.total(now + 1e-9) <= most + 1e-6


def test_who_fits_does_not_wait() -> None:
    window = Window(5.0)
    window.add(10.0, 1.0)
    assert window.wait_seconds(10.0, 2.0) == 0.0
    assert window.wait_seconds(9.0, 2.0) == 4.0 + SLOT_SECONDS


def test_an_empty_window_holds_exactly_nothing() -> None:
    window = Window(5.0)
    for units in (0.1, 0.2, 0.3):
        window.add(units, 0.0)
    assert window.total(6.0) == 0.0
