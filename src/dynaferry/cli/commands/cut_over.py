"""`dynaferry cut-over`: asks the running move for the switch, and shows each step of it."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dynaferry.cli import exit_codes, failure, screen
from dynaferry.cli.commands.hooks import hook_failed
from dynaferry.errors import DynaferryError, StateError

if TYPE_CHECKING:
    from pathlib import Path

    from dynaferry.follow.asking import Answer
    from dynaferry.state.move_records import TransitionRequest
    from dynaferry.stop import StopSignal

NOTHING_SWITCHED: Final = "nothing was switched: the writers may continue on the source"
NOTHING_SWITCHED_BACK: Final = "nothing was switched: the writers may continue on the target"


class AfterGoReport(Struct, frozen=True, kw_only=True):
    """What every key was compared to be behind the go, and the file that certifies it."""

    status: str
    certificate: str


class CutOverReport(Struct, frozen=True, kw_only=True):
    """What became of a cut-over or of a check, as `--json` prints it.

    `state` is that of the move; `ready` says that a check found nothing against it, or that it is a
    go. `seconds` are those from the last change that was seen to the go. Without a stream
    `outage_seconds` is what a check says beforehand, and what a go took since it was asked for.
    `proven` and `not_proven` say by name what `shown` and `not_shown` say in words. `after_go` is
    what the comparison behind the go has found, null until it has.
    """

    run: str
    state: str | None
    ready: bool
    outcome: str
    not_ready: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    not_shown: tuple[str, ...] = ()
    seconds: float | None = None
    outage_seconds: float | None = None
    switched_at: float | None = None
    proven: tuple[str, ...] = ()
    not_proven: tuple[str, ...] = ()
    after_go: AfterGoReport | None = None


class Way(Struct, frozen=True):
    """Which way is switched: the command, the side that is to be used, and what is said if not."""

    command: Literal["cut-over", "cut-back"]
    to: Literal["target", "source"]
    nothing_switched: str


CUT_OVER: Final = Way("cut-over", "target", NOTHING_SWITCHED)
CUT_BACK: Final = Way("cut-back", "source", NOTHING_SWITCHED_BACK)


def run_cut_over(
    run: str | None,
    state_dir: Path,
    request: TransitionRequest,
    *,
    check: bool,
    on_stop_writers: str | None,
    on_go: str | None,
    as_json: bool,
    way: Way = CUT_OVER,
) -> int:
    """Asks, and returns the exit code; every error is reported, none raised."""
    from dynaferry.state.directory import sole_run

    name: str | None = None
    try:
        name = sole_run(state_dir, run)
        if check or on_stop_writers is not None:
            # Who has writers stopped is told first what speaks against it.
            answer = _asked(state_dir, name, way, _check_of(request))
            if check or not is_ready(answer):
                return _report_check(state_dir, name, answer, way, as_json=as_json)
            if not answer.is_done_already and _hook(on_stop_writers, "--on-stop-writers"):
                why = replace(answer.reply, reasons=("the command of --on-stop-writers failed",))
                answer = replace(answer, outcome="not ready", reply=why)
                return _report(state_dir, name, answer, way, is_check=False, as_json=as_json)
        answer = _asked(state_dir, name, way, request, tells_how=on_stop_writers is None)
        code = _report(state_dir, name, answer, way, is_check=False, as_json=as_json)
    except KeyboardInterrupt:
        # It may have come behind a go: what is stored counts.
        if name is None or not _is_switched(state_dir, name, way):
            screen.say(way.nothing_switched)
            return exit_codes.NOT_READY
        screen.say(f"go: it was switched before the interrupt: start the writers on the {way.to}")
        code = exit_codes.COMPLETE
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return failure.report(error, as_json=as_json, run=run)
    if code == exit_codes.COMPLETE and on_go is not None and _hook(on_go, "--on-go"):
        screen.say("the switch stands: the same command runs that of --on-go again")
        return exit_codes.FAILED
    return code


def _is_switched(state_dir: Path, run: str, way: Way) -> bool:
    """Whether the switch of this way is stored; not where that cannot be read."""
    from dynaferry.cli.interrupts import run_async
    from dynaferry.run.lifecycle import closing
    from dynaferry.state.sqlite.move_file import MoveFile

    async def stage() -> str | None:
        file = await MoveFile.open(state_dir, run)
        async with closing(file):
            move = await file.read_move()
        return None if move is None else move.stage

    with suppress(DynaferryError):
        return run_async(stage) == ("switched" if way.to == "target" else "returned")
    return False


def _check_of(request: TransitionRequest) -> TransitionRequest:
    return msgspec.structs.replace(
        request, what="check", verify="recent", write_role_arn=None, write_profile=None
    )


def _asked(
    state_dir: Path, run: str, way: Way, request: TransitionRequest, *, tells_how: bool = False
) -> Answer:
    from dynaferry.cli.interrupts import run_async, run_until_stopped

    asking = partial(_ask, state_dir, run, way, request, tells_how)
    return run_async(partial(run_until_stopped, asking))


async def _ask(
    state_dir: Path,
    run: str,
    way: Way,
    request: TransitionRequest,
    tells_how: bool,
    stop: StopSignal,
) -> Answer:
    from dynaferry.follow.asking import MoveAsker
    from dynaferry.run.lifecycle import closing
    from dynaferry.state.sqlite.move_file import MoveFile

    how = await how_to_stop(state_dir, run, way) if tells_how else []

    def say(line: str) -> None:
        """The first line says that the writers are to be stopped now."""
        say_all([line, *how])
        how.clear()

    file = await MoveFile.open(state_dir, run)
    async with closing(file):
        return await MoveAsker(file, state_dir, run, stop, say).ask(way.command, request)


async def how_to_stop(state_dir: Path, run: str, way: Way = CUT_OVER) -> list[str]:
    """How writers are stopped by those who may: what is said of each table of a move."""
    from dynaferry.follow.deny_writes import call_that_allows, call_that_denies
    from dynaferry.run.lifecycle import closing
    from dynaferry.shared.arn import resource_name
    from dynaferry.state.sqlite.store import SqliteStore

    store = await SqliteStore.open_for_reading(state_dir, run)
    async with closing(store):
        tables = (await store.read_run()).identity.tables
    lines = []
    for table in tables:
        arn = table.source_arn if way.to == "target" else table.target_arn
        lines += [
            f"whoever may can deny writes to {resource_name(arn)}, which takes some seconds:",
            f"  {call_that_denies(arn)}",
            f"  and allow them again: {call_that_allows(arn)}",
        ]
    return lines


def say_all(lines: list[str]) -> None:
    """Says one line after the other."""
    for line in lines:
        screen.say(line)


def answer_lines(answer: Answer, *, is_check: bool, way: Way = CUT_OVER) -> list[str]:
    """What has come of it, in words for people; the last line is the outcome."""
    return _lines(answer, _outcome_of(answer, is_check=is_check), way, is_check=is_check)


def is_ready(answer: Answer) -> bool:
    """Whether it is a go, or nothing speaks against one."""
    return answer.outcome in ("go", "done")


def _report_check(state_dir: Path, run: str, answer: Answer, way: Way, *, as_json: bool) -> int:
    """The same of a check: where it is ready, also how the writers may be stopped."""
    from dynaferry.cli.interrupts import run_async

    code = _report(state_dir, run, answer, way, is_check=True, as_json=as_json)
    if code == exit_codes.COMPLETE and not answer.is_done_already:
        say_all(run_async(partial(how_to_stop, state_dir, run, way)))
    return code


def _report(
    state_dir: Path, run: str, answer: Answer, way: Way, *, is_check: bool, as_json: bool
) -> int:
    """Says what became of it, and returns the exit code."""
    reply, move = answer.reply, answer.move
    if answer.outcome == "refused":
        return failure.report(StateError("; ".join(reply.reasons)), as_json=as_json, run=run)
    outcome = _outcome_of(answer, is_check=is_check)
    say_all(_lines(answer, outcome, way, is_check=is_check))
    after_go = _after_go(state_dir, run, answer)
    if after_go is not None:
        screen.say(f"behind the go every key was compared: {after_go.status}")
        screen.say(f"certificate: {after_go.certificate}")
    if as_json:
        report = CutOverReport(
            run=run,
            state=None if move is None else move.stage,
            ready=is_ready(answer),
            outcome=outcome,
            not_ready=reply.reasons,
            shown=reply.shown,
            not_shown=reply.not_shown,
            seconds=reply.seconds,
            outage_seconds=reply.outage_seconds,
            switched_at=None if move is None else move.switched_at,
            proven=reply.proven,
            not_proven=reply.not_proven,
            after_go=after_go,
        )
        screen.print_document(msgspec.json.encode(report).decode())
    return exit_codes.COMPLETE if is_ready(answer) else exit_codes.NOT_READY


def _outcome_of(answer: Answer, *, is_check: bool) -> str:
    if not is_ready(answer):
        return answer.outcome
    return "ready" if is_check and not answer.is_done_already else "go"


def _after_go(state_dir: Path, run: str, answer: Answer) -> AfterGoReport | None:
    """What the comparison behind this very go has found, if it has come to its end."""
    from dynaferry.follow.after_go_certificate import read_after_go
    from dynaferry.state.directory import after_go_path

    found, move = read_after_go(state_dir, run), answer.move
    if found is None or move is None or found.go != move.switched_at:
        return None
    path = after_go_path(state_dir, run)
    return AfterGoReport(status=found.status, certificate=str(path))


def _lines(answer: Answer, outcome: str, way: Way, *, is_check: bool) -> list[str]:
    reply = answer.reply
    if outcome == "ready":
        return ["ready", *(f"without {told}" for told in reply.not_shown)]
    if outcome != "go":
        ends = [] if is_check else [way.nothing_switched]
        return [*(f"not ready: {reason}" for reason in reply.reasons), *ends]
    if answer.is_done_already:
        return ["go: it was switched already"]
    seconds = "" if reply.seconds is None else f", {reply.seconds:.1f} s after the last change"
    return [
        *(f"shown: {told}" for told in reply.shown),
        *(f"not shown: {told}" for told in reply.not_shown),
        f"go{seconds}: start the writers on the {way.to}",
    ]


def _hook(command: str | None, flag: str) -> bool:
    """Runs a command of the caller's, where there is one; returns whether it failed."""
    return command is not None and hook_failed(command, flag)
