"""The monitoring of a run as the metrics flags ask for it, around `execute`.

What cannot be served or written is refused here, before anything is copied. To be imported
before the event loop runs, and only by a run that is watched: it brings a web server along.
"""

import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from functools import partial

import anyio

from dynaferry.cli import screen
from dynaferry.cli.commands.page_control import controls_of
from dynaferry.cli.commands.page_switch import PageSwitch
from dynaferry.cli.flags import CopyFlags
from dynaferry.errors import PlanError
from dynaferry.observe.metrics_export import FAILURES, Export, reason_of, to_gateway, to_textfile
from dynaferry.observe.monitor import RunMonitor
from dynaferry.observe.stats import RunStats
from dynaferry.plan.resume_command import RecordedCommand, resume_line, what_to_add
from dynaferry.plan.settings import DEFAULT_STATE_DIR, CopyPlan
from dynaferry.run.lifecycle import beside
from dynaferry.stop import StopSignal
from dynaferry.web import address
from dynaferry.web.server import Site, serving

Watch = Callable[[RunStats], Awaitable[None]]


def moment_of(text: str) -> float:
    """A date and time as seconds since 1970; in the zone of this machine unless it names one.

    :raises PlanError: it is none
    """
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise PlanError(
            f"--finish-by {text!r} is not a date and time",
            hint="it looks like 2026-03-01T06:00, or 2026-03-01T06:00+01:00",
        ) from None


@asynccontextmanager
async def observed(
    flags: CopyFlags,
    plan: CopyPlan,
    stop: StopSignal,
    *,
    is_moved: bool = False,
    command: RecordedCommand | None = None,
) -> AsyncIterator[RunMonitor]:
    """The monitor of the run that is made within; what it samples is served, pushed and written.
    Where tables are moved, their page shows the switch as well. `command` is what began the run.

    :raises PlanError: it cannot be served or written there
    """
    monitor = RunMonitor(plan.run_name, readers=plan.readers)
    monitor.finish_by = None if flags.finish_by is None else moment_of(flags.finish_by)
    async with AsyncExitStack() as stack:
        if flags.metrics_listen is not None:
            switch = switch_of(plan, monitor) if is_moved else None
            await _serve(stack, monitor, flags, plan, switch, command)
            if switch is not None:
                await stack.enter_async_context(beside(switch.run))
        exports = await _exports(monitor, flags)
        async with beside(*(export.regularly for export in exports)):
            yield monitor
        for export in exports:
            await export.last()
        await _linger(flags, stop)


@asynccontextmanager
async def still_served(
    flags: CopyFlags, plan: CopyPlan, monitor: RunMonitor
) -> AsyncIterator[None]:
    """Serves what was seen of a copy for as long as its verification takes, within.

    The liveness probe is answered still, and the numbers stay as they ended.

    :raises PlanError: it cannot be served there any more
    """
    async with AsyncExitStack() as stack:
        if flags.metrics_listen is not None:
            place = address.parse(flags.metrics_listen)
            site = Site(monitor=monitor, address=place, settings=settings_shown(plan))
            await stack.enter_async_context(serving(site, address.bind(place)))
        yield


def switch_of(plan: CopyPlan, monitor: RunMonitor) -> PageSwitch:
    """The desk of the pages of a move that is monitored."""

    def is_followed() -> bool:
        return any(table.state not in ("capturing", "copying") for table in monitor.move)

    def outage_seconds() -> float | None:
        told = (table.passes.outage_seconds for table in monitor.move if table.passes is not None)
        return max((seconds for seconds in told if seconds is not None), default=None)

    return PageSwitch(plan.state_dir, plan.run_name, is_followed, outage_seconds)


async def _serve(
    stack: AsyncExitStack,
    monitor: RunMonitor,
    flags: CopyFlags,
    plan: CopyPlan,
    switch: PageSwitch | None,
    command: RecordedCommand | None,
) -> None:
    place = address.parse(flags.metrics_listen or "")
    listener = address.bind(place)
    controls = controls_of(plan) if flags.allow_control else None
    site = Site(
        monitor=monitor,
        address=place,
        settings=settings_shown(plan),
        controls=controls,
        switch=switch,
        resume_command=None if command is None else resume_line(command),
        resume_note=None if command is None else what_to_add(command),
        dead_letters_command=_dead_letters_command(plan),
    )
    await stack.enter_async_context(serving(site, listener))
    url = place.url(listener.getsockname()[1])
    screen.say(f"watch it at {url} (metrics at {url}metrics)")
    if controls is not None:
        screen.say(f"control it, on this machine, at {url}#token={controls.token}")


def _dead_letters_command(plan: CopyPlan) -> str:
    words = ["dynaferry", "dead-letters", "list", plan.run_name]
    if plan.state_dir != DEFAULT_STATE_DIR:
        words += ["--state-dir", str(plan.state_dir)]
    return shlex.join(words)


def settings_shown(plan: CopyPlan) -> list[tuple[str, str]]:
    """What the page says of the plan: no secret, and no path of this machine."""
    settings = []
    for side, account in (("source", plan.source), ("target", plan.target)):
        for name in ("region", "role_arn", "endpoint_url"):
            value = getattr(account, name)
            if value is not None:
                settings.append((f"{side} {name.removesuffix('_arn').replace('_url', '')}", value))
    settings += [("readers", str(plan.readers)), ("writers", str(plan.writers))]
    for name, cap in (("read", plan.max_read_units), ("write", plan.max_write_units)):
        given = "no limit given" if cap is None else f"{cap:,g} a second"
        settings.append((f"most {name} units", given))
    settings.append(
        ("rejected items", "kept as dead letters" if plan.on_reject != "stop" else "stop the run")
    )
    settings.append(("consistent reads", "yes" if plan.consistent_read else "no"))
    return settings


async def _exports(monitor: RunMonitor, flags: CopyFlags) -> list[Export]:
    exports = []
    if flags.metrics_push is not None:
        exports.append(to_gateway(monitor, flags.metrics_push, screen.say))
    if flags.metrics_textfile is not None:
        textfile = to_textfile(monitor, flags.metrics_textfile, screen.say)
        try:
            await textfile.attempt()
        except FAILURES as error:
            raise PlanError(
                f"--metrics-textfile {flags.metrics_textfile} cannot be written: "
                f"{reason_of(error)}",
                hint="its directory must be there, and writable",
            ) from error
        exports.append(textfile)
    return exports


async def _linger(flags: CopyFlags, stop: StopSignal) -> None:
    """Stays for those who come by now and then; a signal ends it."""
    if flags.metrics_listen is not None and flags.metrics_linger > 0 and not stop.asked:
        screen.say(f"serving for {flags.metrics_linger:g} s more; Ctrl-C ends it")
        with anyio.move_on_after(flags.metrics_linger):
            await stop.finish.wait()


def together(*watches: Watch | None) -> Watch:
    """Several watches as one, which is over when it is cancelled; None stands for no watch."""
    return partial(_watch_all, [watch for watch in watches if watch is not None])


async def _watch_all(watches: Sequence[Watch], stats: RunStats) -> None:
    async def be_watched(watch: Watch) -> None:
        await watch(stats)

    async with anyio.create_task_group() as group:
        for watch in watches:
            group.start_soon(be_watched, watch)
