"""Pause and limits of a run from code, whichever process copies: see the state file's `Controls`.

The same as `dynaferry pause`, `resume` and `set`; a copy under way follows within two seconds.
"""

import math
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from dynaferry.control.effective import (
    EffectiveControls,
    effective_controls,
    effective_for_table,
)
from dynaferry.control.named_tables import tables_named
from dynaferry.errors import PlanError
from dynaferry.limits import LEAST_CAP_UNITS
from dynaferry.plan.settings import DEFAULT_STATE_DIR
from dynaferry.state.records import ControlsChange
from dynaferry.state.sqlite.store import SqliteStore

Limit = float | Literal["none", "plan"] | None
"""Units a second; "none" lifts a cap, "plan" takes back what was set, None leaves it as it is."""


async def pause(
    run: str, *, table: str | None = None, state_dir: Path | str = DEFAULT_STATE_DIR
) -> EffectiveControls:
    """Holds a run, or one table of it, until `resume`: what is in flight is finished. Returns what
    holds from now on.

    :raises PlanError: the run has no such table
    :raises StateError: there is no such run, or its state file cannot be written
    """
    return await _change(run, table, state_dir, ControlsChange(paused=True))


async def resume(
    run: str, *, table: str | None = None, state_dir: Path | str = DEFAULT_STATE_DIR
) -> EffectiveControls:
    """Lets a paused run go on, or one table of it. A run that has stopped goes on by the call that
    began it.

    :raises PlanError: the run has no such table
    :raises StateError: there is no such run, or its state file cannot be written
    """
    return await _change(run, table, state_dir, ControlsChange(paused=False))


async def set_limits(
    run: str,
    *,
    max_read_units: Limit = None,
    max_write_units: Limit = None,
    table: str | None = None,
    state_dir: Path | str = DEFAULT_STATE_DIR,
) -> EffectiveControls:
    """Sets the caps of a run, or of one table of it, in capacity units a second. Returns what holds
    from now on: that of a table holds beside that of its run.

    :raises PlanError: a cap makes no sense, or the run has no such table
    :raises StateError: there is no such run, or its state file cannot be written
    """
    change = ControlsChange(
        max_read_units=_checked("max_read_units", max_read_units),
        max_write_units=_checked("max_write_units", max_write_units),
    )
    return await _change(run, table, state_dir, change)


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


async def _change(
    run: str, table: str | None, state_dir: Path | str, change: ControlsChange
) -> EffectiveControls:
    store = await SqliteStore.open_to_control(Path(state_dir), run)
    try:
        record, now = await store.read_run(), time.time()
        if table is None:
            controls = await store.change_controls(change, now)
            moment = datetime.fromtimestamp(now, UTC)
            return effective_controls(record.settings, controls, moment)
        number, *others = tables_named(record, [table])
        if others:
            raise PlanError(
                f"{table!r} names several tables of the run {run}", hint="name a target"
            )
        planned = record.settings.tables[number]
        change = replace(change, table=planned.target_name)
        controls = await store.change_controls(change, now)
        return effective_for_table(planned, controls.tables.get(planned.target_name))
    finally:
        await store.aclose()
