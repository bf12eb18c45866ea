"""A copy that is killed with SIGKILL at named points, again and again, and resumed."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from dynaferry.observe.summary import RunSummary
from dynaferry.plan import CopyPlan, TablePlan
from dynaferry.run import copy_table
from dynaferry.state.sqlite import SqliteStore
from tests.kills.copy_child import POINTS, REFUSED, refuse_marked_items
from tests.worlds.moto import MotoWorld
from tests.worlds.wire import WireItem

ITEMS = 900
BAD_ITEMS = 5


def an_item(number: int) -> WireItem:
    """Every so often one that the target refuses."""
    is_bad = number % (ITEMS // BAD_ITEMS) == 3
    note = REFUSED.decode() if is_bad else "fine"
    return {"pk": {"S": f"k{number}"}, "note": {"S": note}, "filler": {"S": "x" * 3000}}


async def seed(world: MotoWorld) -> None:
    await world.source_tables.create_table("orders")
    await world.source_tables.put_items("orders", [an_item(n) for n in range(ITEMS)])
    await world.target_tables.create_table("orders")


def plan_for(world: MotoWorld, state_dir: Path) -> CopyPlan:
    return CopyPlan(
        tables=(TablePlan("orders", "orders"),),
        source=world.source,
        target=world.target,
        sts_endpoint_url=world.sts_endpoint_url,
        state_dir=state_dir,
        segments=6,
        writers=2,
        readers=2,
    )


async def killed_attempt(plan: CopyPlan, point: str, spared: int) -> None:
    """One attempt in a process of its own, which must end by its own SIGKILL."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.kills.copy_child",
        msgspec.json.encode(plan, enc_hook=str).decode(),
        point,
        str(spared),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    output, _ = await child.communicate()
    assert child.returncode == -signal.SIGKILL, output.decode()


def check_sums(summary: RunSummary) -> None:
    (table,) = summary.tables
    assert table.items_read == ITEMS
    assert table.items_rejected == BAD_ITEMS
    assert table.items_read == table.items_written + table.items_rejected + table.items_filtered
    assert table.segments_complete == table.segments_total == 6


@pytest.fixture
def refusals() -> Iterator[None]:
    """The last attempt, in this process, meets the same target as those before it."""
    undo = refuse_marked_items()
    yield
    undo()


@pytest.mark.usefixtures("refusals")
@pytest.mark.parametrize("point", POINTS)
async def test_a_copy_killed_three_times_and_resumed_leaves_equal_tables_and_true_sums(
    moto_world: MotoWorld, tmp_path: Path, point: str
) -> None:
    await seed(moto_world)
    plan = plan_for(moto_world, tmp_path / "state")
    for spared in (1, 2, 0):
        await killed_attempt(plan, point, spared)
    summary = await copy_table(plan)
    assert summary.status == "rejected"
    check_sums(summary)
    store = await SqliteStore.open_for_reading(plan.state_dir, plan.run_name)
    assert len(await store.read_dead_letters()) == BAD_ITEMS
    await store.aclose()
    source = await moto_world.source_tables.read_table("orders")
    target = await moto_world.target_tables.read_table("orders")
    missing = {key for key in source if key not in target}
    assert len(missing) == BAD_ITEMS
    assert target == {key: item for key, item in source.items() if key not in missing}
