"""`dynaferry dead-letters`: which items the target refused, out of the state file, and again.

`list` and `export` read what the run's counts count, also while it runs; a few letters at a time,
since there may be any number of them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from dynaferry.cli import exit_codes, failure, screen
from dynaferry.cli.commands.copy_text import equation, way_of
from dynaferry.cli.commands.move_letters import letters_of
from dynaferry.cli.interrupts import run_async, run_until_stopped
from dynaferry.dead_letters.export import export_line, list_line, listed
from dynaferry.state.directory import overwritten_path, sole_run
from dynaferry.state.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from dynaferry.cli.commands.move_letters import Letters
    from dynaferry.cli.flags import ReplayFlags
    from dynaferry.dead_letters.replay import ReplayOutcome, ReplayRequest
    from dynaferry.observe.summary import ReplaySummary
    from dynaferry.stop import StopSignal

    Use = Callable[[str, Letters], Awaitable[int]]  # is given the run, gives how many there were

NOTHING = "no dead letters in the run {run}"


def run_list(run: str | None, state_dir: Path, *, as_json: bool) -> int:
    """Prints the letters without their items and returns the exit code."""
    return _read(run, state_dir, _print_json if as_json else _print_lines, as_json=as_json)


def run_export(run: str | None, state_dir: Path, output: Path | None) -> int:
    """Writes the letters with their items, as JSON lines; returns the exit code."""
    use = _export_to_stdout if output is None else partial(_export_to_file, output)
    return _read(run, state_dir, use)


def run_replay(flags: ReplayFlags) -> int:
    """Replays, prints the outcome and returns the exit code; every error is reported."""
    from dynaferry.cli.commands.move_letters import (
        check_before_the_switch,
        is_move,
        replay_moved,
    )
    from dynaferry.dead_letters.replay import replay

    try:
        request = request_from(flags)

        async def body(stop: StopSignal) -> ReplayOutcome:
            if await is_move(request.state_dir, request.run):
                return await replay_moved(request, stop=stop, say=screen.say)
            await check_before_the_switch(request.state_dir, request.run)
            return await replay(request, stop=stop, say=screen.say)

        outcome = run_async(
            partial(run_until_stopped, body),
            last_words=partial(failure.report, as_json=flags.json, run=request.run),
        )
    except KeyboardInterrupt:
        return failure.report_interrupt(as_json=flags.json, run=flags.run)
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return failure.report(error, as_json=flags.json, run=flags.run)
    return _print_outcome(outcome, as_json=flags.json)


def request_from(flags: ReplayFlags) -> ReplayRequest:
    """The replay that was asked for.

    :raises PlanError: there is no such run, or more than one to choose from
    """
    from dynaferry.dead_letters.replay import ReplayRequest
    from dynaferry.plan.settings import Account

    return ReplayRequest(
        run=sole_run(flags.state_dir, flags.run),
        state_dir=flags.state_dir,
        target=Account(
            region=flags.target_region,
            profile=flags.target_profile,
            role_arn=flags.target_role_arn,
            external_id=flags.target_external_id,
        ),
        sts_endpoint_url=flags.sts_endpoint_url,
        max_write_units=flags.max_write_units,
        if_present=flags.if_present.value,
    )


def _print_outcome(outcome: ReplayOutcome, *, as_json: bool) -> int:
    if outcome.error is not None:
        failure.print_error(outcome.error)
    for line in replay_lines(outcome.summary):
        screen.say(line)
    if as_json:
        screen.print_document(msgspec.json.encode(outcome.summary).decode())
    return exit_codes.of_outcome(outcome.summary.status, outcome.error)


def _read(
    run: str | None,
    state_dir: Path,
    use: Use,
    *,
    as_json: bool = False,
) -> int:
    try:
        name = sole_run(state_dir, run)
        number = run_async(partial(_read_run, state_dir, name, use))
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return failure.report(error, as_json=as_json, run=run)
    screen.say(f"{number:,} dead letters" if number else NOTHING.format(run=name))
    kept = overwritten_path(state_dir, name)
    if kept.exists():
        screen.say(f"what a repair of {name} overwrote is in {kept}, in the form of an export")
    return exit_codes.COMPLETE


async def _read_run(
    state_dir: Path,
    run: str,
    use: Use,
) -> int:
    store = await SqliteStore.open_for_reading(state_dir, run)
    try:
        return await use(run, letters_of(store, state_dir, run))
    finally:
        await store.aclose()


async def _print_lines(_: str, pages: Letters) -> int:
    number = 0
    async for table, letters in pages:
        screen.print_lines(list_line(letter, table) for letter in letters)
        number += len(letters)
    return number


async def _print_json(run: str, pages: Letters) -> int:
    """One document, though it is printed as it is read."""
    number = 0
    head = msgspec.json.encode(run).decode()
    screen.print_document(f'{{"run":{head},"dead_letters":[')
    async for table, letters in pages:
        rows = [msgspec.json.encode(listed(letter, table)).decode() for letter in letters]
        screen.print_document(("," if number else "") + ",\n".join(rows))
        number += len(letters)
    screen.print_document("]}")
    return number


async def _export_to_stdout(_: str, pages: Letters) -> int:
    async def write(content: bytes) -> None:
        screen.print_bytes(content)

    return await _export(pages, write)


async def _export_to_file(path: Path, _: str, pages: Letters) -> int:
    from dynaferry.cli.commands.export_file import ExportFile

    async with ExportFile(path) as file:
        return await _export(pages, file.write)


async def _export(
    pages: Letters,
    write: Callable[[bytes], Awaitable[None]],
) -> int:
    number = 0
    async for table, letters in pages:
        await write(b"".join(export_line(letter, table) for letter in letters))
        number += len(letters)
    return number


def replay_lines(summary: ReplaySummary) -> list[str]:
    """The lines that end a replay, for people. Pure."""
    if not summary.tables:
        return []
    if not (summary.written or summary.refused or summary.left):
        return [NOTHING.format(run=summary.run)]
    lines = [
        f"{summary.run}: {summary.written:,} written, {summary.refused:,} refused again, "
        f"{summary.left:,} dead letters left"
    ]
    lines += [f"{way_of(t)}: {t.status}, {equation(t)}" for t in summary.tables]
    if summary.left:
        lines.append(f"dynaferry dead-letters list {summary.run} says why")
    if summary.run_status in ("interrupted", "failed"):
        lines.append("the copy itself is not finished: the command that began it resumes")
    return lines
