"""A whole copy under a cap so low that one full batch alone would break it."""

import pytest

from tests.kills.exposed import copy_exposed
from tests.kills.test_exposed import a_source, a_target

SECONDS = 60.0


@pytest.mark.parametrize(("cap", "item_bytes"), [(5.0, 4000), (10.0, 900), (40.0, 30_000)])
def test_no_five_seconds_take_more_than_the_cap_allows(cap: float, item_bytes: int) -> None:
    exposed = copy_exposed(
        a_source(item_bytes), a_target(400_000), seconds=SECONDS, max_write_units=cap
    )
    assert exposed.target is not None
    used = {second.second: second.write_units for second in exposed.target.seconds}
    by_second = [used.get(second, 0.0) for second in range(int(SECONDS))]
    for start in range(len(by_second) - 4):
        assert sum(by_second[start : start + 5]) <= 5 * cap
    assert sum(by_second) >= 0.7 * cap * SECONDS, "and the cap is used"
