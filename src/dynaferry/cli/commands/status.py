"""`dynaferry status` and `runs`: how far runs are, from their state files alone; while they run,
and after.
"""

import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import anyio
import msgspec
from anyio.to_thread import run_sync

from dynaferry.cli import exit_codes, failure, screen
from dynaferry.cli.commands.status_document import RunLine, RunsDocument, to_run_line, to_summary
from dynaferry.cli.commands.status_text import enabled_lines, move_lines, runs_lines, to_lines
from dynaferry.cli.interrupts import run_async
from dynaferry.errors import DynaferryError, PlanError
from dynaferry.follow.enabled_streams import enabled_streams
from dynaferry.follow.stored_move import read_move
from dynaferry.plan.resume_command import current_directory
from dynaferry.report.stored_run import StoredRun, read_stored_run
from dynaferry.state.directory import find_runs, sole_run

WATCH_SECONDS = 2.0


def run_status(run: str | None, state_dir: Path, *, as_json: bool, watch: bool = False) -> int:
    """Prints what is known of the run, or of all where there are several; returns the exit code.

    With `watch` it does so every other second, until nobody works on the run any more.
    """
    try:
        if run is None and len(find_runs(state_dir)) > 1:
            _check_one_is_watched(state_dir, watch=watch)
            return run_runs(state_dir, as_json=as_json)
        name = sole_run(state_dir, run)
        here = current_directory()
        run_async(partial(show, state_dir, name, as_json=as_json, watch=watch, here=here))
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return failure.report(error, as_json=as_json, run=run)
    return exit_codes.COMPLETE


def _check_one_is_watched(state_dir: Path, *, watch: bool) -> None:
    if watch:
        raise PlanError(
            f"there are several runs in {state_dir}",
            hint="name the one to watch: dynaferry status RUN --watch; dynaferry runs lists them",
        )


async def show(
    state_dir: Path,
    name: str,
    *,
    as_json: bool,
    watch: bool,
    here: str | None = None,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> None:
    """Prints what is known of a run; with `watch` until nobody works on it any more.

    :raises DynaferryError: it cannot be read
    """
    if watch and not as_json and sys.stdout.isatty():
        await _redrawn(state_dir, name, here)
        return
    while True:
        stored = await read_stored_run(state_dir, name)
        if as_json:
            screen.print_document(await run_sync(_document, stored, state_dir, here))
        else:
            screen.print_lines(await run_sync(_lines, stored, state_dir, here))
        if not watch or stored.under_way is None:
            return
        await sleep(WATCH_SECONDS)
        if not as_json:
            screen.print_lines([""])


def _document(stored: StoredRun, state_dir: Path, here: str | None) -> str:
    moved = read_move(state_dir, stored.record.run, len(stored.record.identity.tables))
    return msgspec.json.encode(to_summary(stored, moved, here=here)).decode()


def _lines(stored: StoredRun, state_dir: Path, here: str | None) -> list[str]:
    name = stored.record.run
    moved = read_move(state_dir, name, len(stored.record.identity.tables))
    enabled = enabled_streams(state_dir, name)
    return to_lines(stored, here) + move_lines(moved) + enabled_lines(enabled)


async def _redrawn(state_dir: Path, name: str, here: str | None) -> None:
    """Draws over what was there, for as long as somebody works on the run."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from dynaferry.shared.printable import printable

    console = Console(highlight=False)
    with Live(console=console, auto_refresh=False, redirect_stdout=False) as live:
        while True:
            stored = await read_stored_run(state_dir, name)
            lines = await run_sync(_lines, stored, state_dir, here)
            text = "\n".join(printable(line) for line in lines)
            live.update(Text(text, overflow="fold"), refresh=True)
            if stored.under_way is None:
                return
            await anyio.sleep(WATCH_SECONDS)


def run_runs(state_dir: Path, *, as_json: bool) -> int:
    """Prints a line for each run of the state directory, and returns the exit code."""
    try:
        names = find_runs(state_dir)
        if not names:
            sole_run(state_dir, None)  # which says so
        runs = run_async(partial(_read_all, state_dir, names, current_directory()))
        if as_json:
            document = RunsDocument(state_dir=str(state_dir), runs=runs)
            screen.print_document(msgspec.json.encode(document).decode())
        else:
            screen.print_lines(runs_lines(runs, time.time()))
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return failure.report(error, as_json=as_json)
    return exit_codes.COMPLETE


async def _read_all(state_dir: Path, names: list[str], here: str) -> tuple[RunLine, ...]:
    """Each run; one whose file is damaged hides none of the others."""
    lines = []
    for name in names:
        try:
            lines.append(to_run_line(await read_stored_run(state_dir, name), here))
        except DynaferryError as error:
            lines.append(RunLine(run=name, error=failure.summarize(error)))
    return tuple(lines)
