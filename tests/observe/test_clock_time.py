"""Clock times of ends that are estimated."""

from datetime import UTC, datetime

import pytest

from dynaferry.observe.clock_time import about

NOW = datetime(2026, 11, 28, 22, 15, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("hours", "told"),
    [
        (1, "about 23:15"),
        (5.5, "about Sun 03:45"),
        (6 * 24, "about Fri 22:15"),
        (7 * 24, "about 05 Dec 22:15"),
    ],
)
def test_an_end_has_a_clock_time_and_a_day_where_it_is_another(hours: float, told: str) -> None:
    assert about(hours * 3600, NOW, UTC) == told
