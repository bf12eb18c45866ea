"""A copy inside an asyncio service: begun, watched, slowed down, paused and ended by requests.

What a request handler calls are the methods of `CopyJob`. One job is one run: begun again after it
was ended, or after the service died, it resumes.
"""

import asyncio
from contextlib import suppress

from dynaferry import (
    CopyPlan,
    DynaferryError,
    RunProgress,
    RunSummary,
    StopSignal,
    copy_tables,
    pause,
    resume,
    set_limits,
)


class CopyJob:
    """One copy, in a task of the service's own event loop."""

    def __init__(self, plan: CopyPlan) -> None:
        self.plan = plan
        self.progress: RunProgress | None = None
        self.failure: DynaferryError | None = None
        self._stop = StopSignal()
        self._task: asyncio.Task[RunSummary] | None = None

    def begin(self) -> None:
        """Begins the copy, or resumes it."""
        self._stop = StopSignal()
        self._task = asyncio.create_task(
            copy_tables(self.plan, stop=self._stop, on_progress=self._note)
        )

    def _note(self, progress: RunProgress) -> None:
        self.progress = progress  # about once a second, in the loop: do little here

    def status(self) -> str:
        """One line for whoever asks."""
        if self.progress is None:
            return "checking both tables"
        total = self.progress.total
        left = "unknown" if total.eta_seconds is None else f"{total.eta_seconds:.0f} s"
        return f"{total.progress_ratio:.0%}, {total.items_done:,} items, ETA {left}"

    async def slow_down(self, write_units: float) -> None:
        """At most so many write units a second from now on; it follows within two seconds."""
        await set_limits(
            self.plan.run_name, max_write_units=write_units, state_dir=self.plan.state_dir
        )

    async def hold(self) -> None:
        """Reads and writes nothing more until it is let go."""
        await pause(self.plan.run_name, state_dir=self.plan.state_dir)

    async def let_go(self) -> None:
        """Ends the pause."""
        await resume(self.plan.run_name, state_dir=self.plan.state_dir)

    async def end(self) -> RunSummary | None:
        """Waits for the end; None where the copy has failed, with `failure` saying why."""
        if self._task is not None:
            try:
                return await self._task
            except DynaferryError as error:
                self.failure = error  # error.message, and error.hint: what to do now
        return None

    async def stop(self) -> None:
        """Finishes what is in flight and stores it, as a service does that is shut down."""
        self._stop.ask()
        with suppress(asyncio.CancelledError):
            await self.end()
