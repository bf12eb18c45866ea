"""A replay that is killed with SIGKILL at named points, again and again, and run again."""

import asyncio
import signal
import sys
from pathlib import Path

import msgspec
import pytest

from dynaferry import CopyPlan, copy_table
from dynaferry.dead_letters.replay import ReplayRequest, replay
from dynaferry.plan.settings import Account, TablePlan
from dynaferry.state.sqlite.store import SqliteStore
from tests.kills.replay_child import POINTS
from tests.state.stored_letters import stored_letters
from tests.worlds.moto import TARGET_EXTERNAL_ID, MotoWorld
from tests.worlds.refusals import REFUSED, refusing_marked_items

ITEMS = 130
BAD_ITEMS = 90  # they take more than one settlement


async def rejected_run(world: MotoWorld, state_dir: Path) -> ReplayRequest:
    """Copies a table to a target that refuses many items, and is mended afterwards."""
    items = [
        {"pk": {"S": f"k{n}"}, "note": {"S": REFUSED if n < BAD_ITEMS else "fine"}}
        for n in range(ITEMS)
    ]
    await world.source_tables.create_table("orders")
    await world.source_tables.put_items("orders", items)
    await world.target_tables.create_table("orders")
    plan = CopyPlan(
        tables=(TablePlan("orders", "orders"),),
        source=world.source,
        target=world.target,
        sts_endpoint_url=world.sts_endpoint_url,
        state_dir=state_dir,
        segments=3,
    )
    with refusing_marked_items():
        assert (await copy_table(plan)).tables[0].items_rejected == BAD_ITEMS
    account = Account(external_id=TARGET_EXTERNAL_ID)
    return ReplayRequest(run="orders", state_dir=state_dir, target=account)


async def killed_replay(request: ReplayRequest, point: str, spared: int) -> None:
    """One replay in a process of its own, which must end by its own SIGKILL."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.kills.replay_child",
        msgspec.json.encode(request, enc_hook=str).decode(),
        point,
        str(spared),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    output, _ = await child.communicate()
    assert child.returncode == -signal.SIGKILL, output.decode()


async def sums_hold(state_dir: Path) -> int:
    """How many are rejected, which are the letters there are, of items that were all read."""
    store = await SqliteStore.open_for_reading(state_dir, "orders")
    try:
        totals, letters = await store.read_totals(0), await stored_letters(store)
    finally:
        await store.aclose()
    assert totals.items_read == ITEMS == totals.items_written + totals.items_rejected
    assert len(letters) == totals.items_rejected
    return totals.items_rejected


@pytest.mark.parametrize("point", POINTS)
async def test_a_replay_killed_and_run_again_counts_every_letter_once(
    moto_world: MotoWorld, tmp_path: Path, point: str
) -> None:
    request = await rejected_run(moto_world, tmp_path)
    for spared in (0, 1):
        await killed_replay(request, point, spared)
        assert await sums_hold(tmp_path) > 0
    outcome = await replay(request)
    assert outcome.summary.run_status == "complete"
    assert await sums_hold(tmp_path) == 0
    source = await moto_world.source_tables.read_table("orders")
    assert await moto_world.target_tables.read_table("orders") == source
