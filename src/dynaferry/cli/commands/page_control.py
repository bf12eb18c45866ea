"""The live page's controls: stored where `dynaferry set`, `pause` and `resume` store theirs."""

import secrets
import time

from msgspec import UnsetType

from dynaferry.errors import PlanError
from dynaferry.plan.schedule import Units
from dynaferry.plan.settings import CopyPlan
from dynaferry.state.records import ControlsChange
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.web.control import Change, ControlsView


def controls_of(plan: CopyPlan) -> ControlsView:
    """The controls of the run for the live page, with a new token."""

    async def control(change: Change) -> None:
        if change.table not in (None, *(table.target_name for table in plan.tables)):
            raise PlanError(f"the run {plan.run_name} has no target {change.table}")
        store = await SqliteStore.open_to_control(plan.state_dir, plan.run_name)
        try:
            await store.change_controls(asked_for(change), time.time(), "the live page")
        finally:
            await store.aclose()

    return ControlsView(secrets.token_urlsafe(32), control)


def asked_for(change: Change) -> ControlsChange:
    """The page's change as the state store takes it."""
    return ControlsChange(
        paused=None if isinstance(change.paused, UnsetType) else change.paused,
        max_read_units=_cap(change.max_read_units),
        max_write_units=_cap(change.max_write_units),
        table=change.table,
    )


def _cap(cap: float | UnsetType | None) -> Units | None:
    """There a cap that is lifted is a word, and None leaves it as it is."""
    if cap is None:
        return "none"
    return None if isinstance(cap, UnsetType) else cap
