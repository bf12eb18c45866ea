"""The controls of a verification: those of its run, which is the copy that it checks."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from anyio import to_thread

from dynaferry.control.follower import ControlSource
from dynaferry.errors import StateError
from dynaferry.plan.settings import CopyPlan
from dynaferry.state.directory import has_state
from dynaferry.state.records import Controls
from dynaferry.state.sqlite.store import SqliteStore


class NothingAsked:
    """The source of controls where there is no run: `set` and `pause` have nothing to write to."""

    async def read_controls(self) -> Controls:
        """No controls."""
        return Controls()


@asynccontextmanager
async def controls_of(plan: CopyPlan, say: Callable[[str], None]) -> AsyncIterator[ControlSource]:
    """The source of the run's controls; `say` gets a line if its state file cannot be read."""
    store = await _opened(plan, say)
    try:
        yield store or NothingAsked()
    finally:
        if store is not None:
            await store.aclose()


async def _opened(plan: CopyPlan, say: Callable[[str], None]) -> SqliteStore | None:
    try:
        if not await to_thread.run_sync(has_state, plan.state_dir, plan.run_name):
            return None
        store = await SqliteStore.open_for_reading(plan.state_dir, plan.run_name)
        try:
            await store.read_controls()
        except BaseException:
            await store.aclose()
            raise
    except StateError as error:
        say(f"set, pause and resume are not followed: {error.message}")
        return None
    return store
