"""Numbers as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.observe import formatting


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0, "0"),
        (999, "999"),
        (999.7, "1.0k"),
        (1234, "1.2k"),
        (99_949, "99.9k"),
        (99_951, "100k"),
        (999_999, "1.0M"),
        (4_500_000, "4.5M"),
        (120_000_000_000, "120G"),
        (7_000_000_000_000, "7.0T"),
    ],
)
def test_short_numbers(value: float | None, text: str) -> None:
    assert formatting.short(value) == text


@given(st.floats(min_value=0, max_value=9.9e14))
def test_a_short_number_is_at_most_six_characters(value: float) -> None:
    assert len(formatting.short(value)) <= 6


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "-"), (0.0, "0%"), (0.004, "<1%"), (0.29, "29%"), (0.999, "99%"), (1.0, "100%")],
)
def test_a_percentage_is_rounded_down(share: float | None, text: str) -> None:
    assert formatting.percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.4, "0s"),
        (59.4, "59s"),
        (59.6, "1m 00s"),
        (245, "4m 05s"),
        (3600, "1h 00m"),
        (12_000, "3h 20m"),
        (187_200, "2d 04h"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert formatting.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (0.0, "1s"), (0.4, "1s"), (1.4, "1s"), (245, "4m 05s")]
)
def test_what_is_left_is_never_said_to_take_no_time(seconds: float | None, text: str) -> None:
    assert formatting.time_left(seconds) == text


def test_counts_have_thousands_apart() -> None:
    assert formatting.count(1_234_567) == "1,234,567"
    assert formatting.count(None) == "-"


def test_megabytes_are_of_a_million_bytes() -> None:
    assert formatting.megabytes(12_345_678) == "12.3"
    assert formatting.megabytes(None) == "-"


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [("orders", 6, "orders"), ("orders-2024-eu", 9, "orde…4-eu"), ("orders-2024-eu", 6, "ord…eu")],
)
def test_a_long_name_loses_its_middle(text: str, most: int, shown: str) -> None:
    assert formatting.shortened(text, most) == shown
    assert len(shown) <= most
