"""A copy that is killed with SIGKILL at named points and at random times, and resumed."""

import random
from pathlib import Path

import pytest

from tests.faults.service import POISON
from tests.faults.world import faulty_world, some_items
from tests.kills.copy_child import POINTS, POINTS_PASSED_ONCE
from tests.kills.killed import Kill, KilledCopy, random_kill
from tests.worlds.quick_time import run_quickly

ITEMS = 800
BAD_ITEMS = 24
CHECKPOINT_SECONDS = 0.05  # the table is small


def items_with_bad_ones(count: int) -> list[bytes]:
    bad = [b'{"pk":{"S":"bad %d"},"v":{"S":"%b"}}' % (n, POISON) for n in range(count)]
    return [*some_items(ITEMS), *bad]


async def copy_killed(
    state_dir: Path,
    kills: list[Kill],
    max_write_units: float | None = None,
    bad_items: int = BAD_ITEMS,
) -> tuple[KilledCopy, int]:
    """A copy through these kills, and how many of them struck."""
    async with faulty_world(items_with_bad_ones(bad_items), shares={"answer slow": 0.2}) as world:
        copy = KilledCopy(
            world,
            state_dir,
            checkpoint_seconds=CHECKPOINT_SECONDS,
            max_write_units=max_write_units,
        )
        struck = sum([await copy.killed_attempt(kill) for kill in kills])
        summary = await copy.last_attempt()
        assert summary.tables[0].items_rejected == bad_items
        # What was shown is among the faults where it fell.
        assert copy.shares_shown[0] < copy.shares_shown[-1] == 1.0
    return copy, struck


@pytest.mark.parametrize("point", [*POINTS, *POINTS_PASSED_ONCE])
def test_a_copy_killed_at_a_point_and_resumed_leaves_equal_tables_and_true_sums(
    tmp_path: Path, point: str
) -> None:
    spared = (0, 0) if point in POINTS_PASSED_ONCE else (2, 0)
    kills = [Kill(point=point, spared=number) for number in spared]
    copy, struck = run_quickly(copy_killed(tmp_path, kills))
    assert struck == len(kills)
    assert copy.verdict.is_good, str(copy.verdict)
    assert copy.faults == []


# At the lowest cap, finding a bad item takes what would have written a second of good ones.
@pytest.mark.parametrize(
    ("max_write_units", "bad_items"), [(200.0, 0), (2000.0, BAD_ITEMS), (None, BAD_ITEMS)]
)
def test_a_copy_killed_at_random_times_leaves_equal_tables_and_true_sums(
    tmp_path: Path, max_write_units: float | None, bad_items: int
) -> None:
    chance = random.Random(5)
    kills = [random_kill(chance, 60) for _ in range(3)]
    copy, struck = run_quickly(copy_killed(tmp_path, kills, max_write_units, bad_items))
    assert struck > 0
    assert copy.verdict.is_good, str(copy.verdict)
    assert copy.faults == []
