"""Pause and limits of a run from code, whichever process copies: see the state file's `Controls`.

The same as `dynaferry pause`, `resume` and `set`; a copy under way follows within two seconds.
"""

import math
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from dynaferry.control.effective import EffectiveControls, effective_controls
from dynaferry.errors import PlanError
from dynaferry.limits import LEAST_CAP_UNITS
from dynaferry.plan.settings import DEFAULT_STATE_DIR
from dynaferry.state.records import ControlsChange
from dynaferry.state.sqlite.store import SqliteStore

Limit = float | Literal["none", "plan"] | None
"""Units a second; "none" lifts a cap, "plan" takes back what was set, None leaves it as it is."""


async def pause(run: str, *, state_dir: Path | str = DEFAULT_STATE_DIR) -> EffectiveControls:
    """Holds a run until `resume`: what is in flight is finished. Returns what holds from now on.

    :raises StateError: there is no such run, or its state file cannot be written
    """
    return await _change(run, state_dir, ControlsChange(paused=True))


async def resume(run: str, *, state_dir: Path | str = DEFAULT_STATE_DIR) -> EffectiveControls:
    """Lets a paused run go on. One that has stopped goes on by the call that began it.

    :raises StateError: there is no such run, or its state file cannot be written
    """
    return await _change(run, state_dir, ControlsChange(paused=False))


async def set_limits(
    run: str,
    *,
    max_read_units: Limit = None,
    max_write_units: Limit = None,
    state_dir: Path | str = DEFAULT_STATE_DIR,
) -> EffectiveControls:
    """Sets the caps of a run, in capacity units a second. Returns what holds from now on.

    :raises PlanError: a cap makes no sense
    :raises StateError: there is no such run, or its state file cannot be written
    """
    change = ControlsChange(
        max_read_units=_checked("max_read_units", max_read_units),
        max_write_units=_checked("max_write_units", max_write_units),
    )
    return await _change(run, state_dir, change)


def _checked(name: str, limit: Limit) -> Limit:
    if limit is None or limit == "none" or limit == "plan":
        return limit
    is_number = isinstance(limit, int | float) and not isinstance(limit, bool)
    if not (is_number and math.isfinite(limit) and limit >= LEAST_CAP_UNITS):
        raise PlanError(
            f"{name} cannot be {limit!r}",
            hint=f"it is a number of units a second, {LEAST_CAP_UNITS:g} at least,"
            ' "none", or "plan"',
        )
    return limit


async def _change(run: str, state_dir: Path | str, change: ControlsChange) -> EffectiveControls:
    store = await SqliteStore.open_to_control(Path(state_dir), run)
    try:
        now = time.time()
        controls = await store.change_controls(change, now)
        planned = (await store.read_run()).settings
        return effective_controls(planned, controls, datetime.fromtimestamp(now, UTC))
    finally:
        await store.aclose()
