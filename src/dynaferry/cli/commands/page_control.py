"""What the live page asks of a run goes where `dynaferry set`, `pause` and `resume` put it."""

import secrets
import time

from msgspec import UnsetType

from dynaferry.plan.schedule import Units
from dynaferry.plan.settings import CopyPlan
from dynaferry.state.records import ControlsChange
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.web.control import Change, ControlsView


def controls_of(plan: CopyPlan) -> ControlsView:
    """Lets who has the token, a new one each time, ask something of the run."""

    async def control(change: Change) -> None:
        store = await SqliteStore.open_to_control(plan.state_dir, plan.run_name)
        try:
            await store.change_controls(asked_for(change), time.time())
        finally:
            await store.aclose()

    return ControlsView(secrets.token_urlsafe(32), control)


def asked_for(change: Change) -> ControlsChange:
    """The change as the state takes it."""
    return ControlsChange(
        paused=None if isinstance(change.paused, UnsetType) else change.paused,
        max_read_units=_cap(change.max_read_units),
        max_write_units=_cap(change.max_write_units),
    )


def _cap(cap: float | UnsetType | None) -> Units | None:
    """There a cap that is lifted is a word, and None leaves it as it is."""
    if cap is None:
        return "none"
    return None if isinstance(cap, UnsetType) else cap
