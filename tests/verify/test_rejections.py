"""Which dead letters explain a difference: those of the tables that are compared, and no others."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dynaferry.plan.settings import TablePlan
from dynaferry.state.records import (
    RunIdentity,
    TableCounters,
)
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.verify.preflight import TablePair
from dynaferry.verify.rejections import rejected_keys
from tests.state.contract import (
    CREATED_AT,
    SETTINGS,
    VERSION,
    dead_letter,
    segment_record,
    table_identity,
)
from tests.verify.small_verify import plan_of
from tests.worlds.described import described


@pytest.mark.parametrize(
    ("settings", "explains"),
    [({}, True), ({"table_id": "another"}, False), ({"table_id": None}, True)],
)
async def test_letters_of_a_table_that_was_made_anew_explain_nothing(
    tmp_path: Path, settings: dict[str, Any], explains: bool
) -> None:
    copied, plan = table_identity(), plan_of(tmp_path)
    one_table = replace(SETTINGS, tables=SETTINGS.tables[:1])
    store = await SqliteStore.create(
        tmp_path, plan.copy.run_name, RunIdentity(tables=(copied,)), one_table, VERSION, CREATED_AT
    )
    await store.begin_attempt(VERSION, CREATED_AT)
    await store.add_dead_letters([dead_letter("a")])
    await store.checkpoint(0, [segment_record(1, rejected=1)], TableCounters())
    await store.aclose()
    pair = TablePair(
        table=TablePlan("orders", "orders-2"),
        source=described(
            **{"arn": copied.source_arn, "table_id": copied.source_table_id} | settings
        ),
        target=described(arn=copied.target_arn),
        total_segments=1,
    )
    (keys,) = await rejected_keys(plan, [pair])
    assert bool(keys) == explains
