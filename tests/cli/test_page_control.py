"""What the live page asks for is stored where the command line stores it."""

from pathlib import Path

import pytest

from dynaferry.cli.commands.page_control import asked_for, controls_of
from dynaferry.errors import PlanError
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.state.records import ControlsChange
from dynaferry.web.control import Change

PLAN = CopyPlan(tables=(TablePlan(source="orders", target="new-orders"),))


def test_a_change_of_one_table_is_of_its_target() -> None:
    change = Change(table="new-orders", paused=True, max_write_units=None)
    assert asked_for(change) == ControlsChange(
        table="new-orders", paused=True, max_write_units="none"
    )


async def test_a_table_that_is_not_in_the_run_is_refused_before_anything_is_opened(
    tmp_path: Path,
) -> None:
    with pytest.raises(PlanError, match="no target orders"):
        await controls_of(PLAN).control(Change(table="orders", paused=True))
