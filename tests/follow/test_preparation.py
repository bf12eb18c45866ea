"""Before a move begins: a stream is enabled where it was asked for and agreed to, and not else."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread

from dynaferry.errors import PreflightError
from dynaferry.follow.enabled_streams import enabled_streams, note_enabling
from dynaferry.follow.preparation import Agree, prepare
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.run.sides import open_sides
from tests.worlds.moto import REGION, SOURCE_ACCOUNT_ID, MotoWorld

TABLE = f"arn:aws:dynamodb:{REGION}:{SOURCE_ACCOUNT_ID}:table"
STREAM = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}


async def prepared(
    world: MotoWorld,
    state_dir: Path,
    *tables: str,
    agree: Agree | None = None,
    enables: bool = True,
    creates: bool = True,
) -> list[str]:
    """What is said when these tables are made ready to be moved."""
    said: list[str] = []
    plan = CopyPlan(
        tables=tuple(TablePlan(table, table) for table in tables),
        source=world.source,
        target=world.target,
        sts_endpoint_url=world.sts_endpoint_url,
        create_target=creates,
        run="move",
        state_dir=state_dir,
        enable_stream=enables,
    )
    async with open_sides(plan) as sides:
        await prepare(plan, sides, said.append, agree)
    return said


async def stream_of(world: MotoWorld, table: str) -> dict[str, Any]:
    answer = await world.source_tables.call("DescribeTable", {"TableName": table})
    found: dict[str, Any] = answer["Table"].get("StreamSpecification", {})
    return found


async def test_those_without_a_stream_are_asked_for_at_once_and_get_one(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world = moto_world
    await world.source_tables.create_table("with", StreamSpecification=STREAM)
    for table in ("one", "other"):
        await world.source_tables.create_table(table)
    shown: list[Sequence[str]] = []

    async def agree(lines: Sequence[str]) -> bool:
        shown.append(lines)
        return True

    said = await prepared(world, tmp_path, "one", "with", "other", agree=agree)
    (lines,) = shown
    assert [line.split()[0] for line in lines[:2]] == ["one", "other"]
    assert lines[-1] == "enable it? [y/N]"
    assert (await stream_of(world, "one"))["StreamViewType"] == "NEW_IMAGE"
    assert await stream_of(world, "with") == STREAM  # what is there is never changed
    assert sum("enabling a stream" in line for line in said) == 2
    noted = await to_thread.run_sync(enabled_streams, tmp_path, "move")
    assert {each.table for each in noted} == {f"{TABLE}/one", f"{TABLE}/other"}


async def test_who_does_not_agree_changes_nothing(moto_world: MotoWorld, tmp_path: Path) -> None:
    await moto_world.source_tables.create_table("orders")

    async def agree(_: Sequence[str]) -> bool:
        return False

    with pytest.raises(PreflightError, match="nobody agreed") as caught:
        await prepared(moto_world, tmp_path, "orders", agree=agree)
    assert "aws dynamodb update-table" in (caught.value.hint or "")
    assert await stream_of(moto_world, "orders") == {}
    assert list(tmp_path.iterdir()) == []


async def test_what_is_refused_later_is_refused_before_a_stream_is_enabled(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    await moto_world.source_tables.create_table("orders")
    with pytest.raises(PreflightError, match="the target table orders does not exist"):
        await prepared(moto_world, tmp_path, "orders", creates=False)
    assert await stream_of(moto_world, "orders") == {}
    assert list(tmp_path.iterdir()) == []


async def test_nobody_is_asked_where_a_plan_enables_none(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    await moto_world.source_tables.create_table("orders")

    async def agree(_: Sequence[str]) -> bool:
        raise AssertionError("asked")

    with pytest.raises(PreflightError, match="has no stream"):
        await prepared(moto_world, tmp_path, "orders", agree=agree, enables=False)
    await moto_world.source_tables.create_table("with", StreamSpecification=STREAM)
    assert await prepared(moto_world, tmp_path, "with", agree=agree)


async def test_a_stream_whose_call_had_no_answer_is_found_by_the_next_attempt(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    await note_enabling(tmp_path, "move", f"{TABLE}/orders")  # and then the process was killed
    await moto_world.source_tables.create_table("orders", StreamSpecification=STREAM)
    await prepared(moto_world, tmp_path, "orders")
    (noted,) = await to_thread.run_sync(enabled_streams, tmp_path, "move")
    assert (noted.stream or "").startswith(f"{TABLE}/orders/stream/")


async def test_what_a_copy_would_be_refused_for_is_reported_with_the_streams(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    await moto_world.source_tables.create_table("one")
    with pytest.raises(PreflightError) as caught:
        await prepared(moto_world, tmp_path, "one", "gone", enables=False, creates=False)
    said = caught.value.message
    assert said.startswith("4 problems: (1) the source table one has no stream")
    assert said.count("the source table gone does not exist") == 1
    assert "the target table one does not exist" in said
    assert said.endswith("; the same for gone")
