"""One move: a process that is ended again and again while the source is written, and judged."""

import asyncio
import math
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec.structs import replace

from benchmarks.simulator import BrownOut, RunningSimulator, StreamEvent, simulator
from dynaferry.follow.stored_move import read_move
from dynaferry.observe.move_status import MOVE_STATES, MoveStatus
from dynaferry.state.directory import log_paths, spool_path
from tests.moves.case import RUN, SHORT_RETENTION_SECONDS, SOURCE, TARGET, Case, Phase, Stop
from tests.moves.judge import Verdict, counts_of, judge, judge_counts, letters_of
from tests.moves.move_child import Setup
from tests.moves.warm import ForkedMove
from tests.moves.writer import Writer

ROOT = Path(__file__).parents[2]
LOOK_SECONDS = 0.1
# A phase that takes no time is not seen; the process is ended all the same.
MOST_PHASE_SECONDS = 12.0
# Standing still takes longer than this only where it never will.
MOST_SECONDS = 150.0


class NotSettledError(AssertionError):
    """The move did not come to stand still."""


@dataclass(slots=True)
class Moved:
    """What became of a move."""

    verdict: Verdict = field(default_factory=Verdict)
    kills: int = 0
    interrupts: int = 0
    phases: list[str] = field(default_factory=list)
    changes: int = 0
    captured: int = 0
    letters: int = 0
    items: int = 0
    lost_answers: int = 0
    expired: int = 0
    trimmed: int = 0
    throttled: int = 0
    shards: int = 0
    had_gap: bool = False
    seconds: float = 0.0


class Move:
    """The process of a move, as often as it is started."""

    def __init__(
        self,
        setup: Setup,
        simulated: RunningSimulator,
        state_dir: Path,
        *,
        options: Sequence[str] = (),
        is_forked: bool,
    ) -> None:
        self._setup = setup
        self._options = options
        self._is_forked = is_forked
        self._simulated = simulated
        self._state_dir = state_dir
        self._log = state_dir.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | ForkedMove | None = None
        self._started_at = 0.0

    def start(self, *, dies_at: str | None = None) -> None:
        """Begins, or goes on; may be told to die at a moment of a switch."""
        setup = replace(self._setup, dies_at=dies_at)
        side = "--{0}-region us-east-1 --{0}-endpoint-url {1}"
        url = self._simulated.url
        options = [
            *side.format("source", url).split(),
            *side.format("target", url).split(),
            *("--state-dir", str(self._state_dir), "--run", RUN, "--progress", "plain"),
            *("--readers", "2", "--writers", "4", "--segments", "4", "--max-rejected", "1000000"),
            *self._options,
        ]
        command = ["move", SOURCE, TARGET, *options]
        if self._is_forked:
            self._process = ForkedMove(setup, command, self._log)
        else:
            self._process = _started(setup, command, self._log)
        self._started_at = time.time()

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def status(self) -> MoveStatus | None:
        """How it stands, as the process that runs now has said; None before it has."""
        for status in read_move(self._state_dir, RUN, 1):
            if status.at > self._started_at:
                return status
        return None

    def wait_for(self, phase: Phase) -> str:
        """Waits until it has come so far, and returns how far it is."""
        until = time.monotonic() + MOST_PHASE_SECONDS
        while phase != "starting" and time.monotonic() < until and self._running().poll() is None:
            status = self.status()
            if status is not None and MOVE_STATES.index(status.state) >= MOVE_STATES.index(phase):
                return status.state
            time.sleep(LOOK_SECONDS)
        status = self.status()
        return "starting" if status is None else status.state

    def end(self, number: int) -> int:
        """Ends it by a signal; returns the exit code."""
        process = self._running()
        if process.poll() is None:
            process.send_signal(number)
        try:
            code = process.wait(60)
        except (subprocess.TimeoutExpired, TimeoutError):
            process.kill()
            process.wait()
            raise NotSettledError(f"it does not end: {self.told()}") from None
        self._process = None
        return code

    def wait_until_all_is_there(self) -> None:
        """Waits until the stream has given everything, and the move says that it is in the target.

        A page that is empty proves nothing, so that only who gives it knows.

        :raises NotSettledError: it does not
        """
        until = time.monotonic() + MOST_SECONDS
        given_at = math.inf
        while time.monotonic() < until:
            if self._running().poll() is not None:
                raise NotSettledError(f"it ended: {self.told()}")
            if given_at == math.inf and self._is_all_given():
                given_at = time.time()
            status = self.status()
            if status is not None and _says_all_is_there(status, given_at):
                return
            time.sleep(LOOK_SECONDS)
        raise NotSettledError(f"{self.status()}: {self.told()}")

    def _is_all_given(self) -> bool:
        stream = self._simulated.report().tables[SOURCE].stream
        assert stream is not None
        return stream.unread == 0

    def told(self) -> str:
        """The last of what it said."""
        return self._log.read_text(errors="replace")[-3000:]

    def kill_if_there(self) -> None:
        """Leaves no process behind."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _running(self) -> subprocess.Popen[bytes] | ForkedMove:
        assert self._process is not None
        return self._process


def _started(setup: Setup, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    encoded = msgspec.json.encode(setup).decode()
    with log.open("ab") as told:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.moves.move_child", encoded, *command],
            stdout=subprocess.DEVNULL,
            stderr=told,
            cwd=ROOT,
        )


def _says_all_is_there(status: MoveStatus, given_at: float) -> bool:
    """By its own words: it follows, nothing waits or is in doubt, and every shard was read since
    everything had been given.
    """
    if status.state != "following" or status.lag_seconds is None:
        return False
    is_clear = not (status.spool_rows or status.doubts or status.gaps)
    return is_clear and status.at - status.lag_seconds > given_at


def move(case: Case, directory: Path, *, is_forked: bool = False) -> Moved:
    """Makes a move through all that its case has for it, and judges it. It blocks."""
    directory.mkdir(parents=True)
    state_dir = directory / "state"
    moved, began = Moved(), time.monotonic()
    with simulator(case.settings) as simulated:
        seeded = simulated.items(SOURCE)
        writer = Writer(
            simulated.url,
            seeded,
            chance=random.Random(f"writes {case.seed}"),
            changes_per_second=case.changes_per_second,
            bad_share=case.bad_share,
        )
        options = ("--consistent-read",) if case.consistent_read else ()
        process = Move(case.setup, simulated, state_dir, options=options, is_forked=is_forked)
        writer.start()
        try:
            _endure(case, simulated, process, state_dir, moved)
            process.start()
            process.wait_for("following")
            writer.stop()
            process.wait_until_all_is_there()
            code = process.end(signal.SIGINT)
        finally:
            process.kill_if_there()
            writer.stop()
        moved.changes = writer.changes
        _judge(case, simulated, state_dir, writer, moved)
        if code != 130:
            moved.verdict.miscounted.append(f"exit code {code}: {process.told()}")
    moved.seconds = time.monotonic() - began
    return moved


def _endure(
    case: Case, simulated: RunningSimulator, process: Move, state_dir: Path, moved: Moved
) -> None:
    """Starts and ends it; records are lost after the last stop but for the first."""
    for number, stop in enumerate(case.stops):
        process.start()
        if case.gap == "unreadable" and number == len(case.stops) - 1:
            process.wait_for("following")
            _make_unreadable(simulated)
            moved.had_gap = True
        moved.phases.append(process.wait_for(stop.phase))
        time.sleep(stop.after_seconds)
        if simulated.report().tables[SOURCE].items:
            simulated.expire(SOURCE, 1)
        _end(process, stop, moved)
        counts = counts_of(state_dir)
        if counts is not None:
            moved.verdict.miscounted += judge_counts(counts)
        is_last = number == len(case.stops) - 1
        if is_last and case.gap in ("down", "another stream", "lost spool"):
            _lose(case, simulated, state_dir)
            moved.had_gap = True
        else:
            time.sleep(stop.down_seconds)


def _end(process: Move, stop: Stop, moved: Moved) -> None:
    code = process.end(stop.signal)
    if stop.signal == signal.SIGKILL:
        moved.kills += 1
        good = -signal.SIGKILL
    else:
        moved.interrupts += 1
        good = 130
    if code != good:
        moved.verdict.miscounted.append(f"exit code {code} and not {good}: {process.told()}")


def _lose(case: Case, simulated: RunningSimulator, state_dir: Path) -> None:
    """While nobody follows, records are trimmed, or go with their stream or with the spool."""
    if case.gap == "lost spool":
        spool = spool_path(state_dir, RUN, 0)
        for path in (spool, *log_paths(spool)):
            path.unlink(missing_ok=True)
        return
    if case.gap == "another stream":
        simulated.stream(SOURCE, StreamEvent(do="disable"))
        time.sleep(0.5)
        simulated.stream(SOURCE, StreamEvent(do="enable"))
        return
    time.sleep(SHORT_RETENTION_SECONDS + 1.5)
    simulated.stream(
        SOURCE, StreamEvent(do="trim", older_than_seconds=SHORT_RETENTION_SECONDS + 0.1)
    )


def _make_unreadable(simulated: RunningSimulator) -> None:
    """For longer than records are kept nobody can read them."""
    seconds = SHORT_RETENTION_SECONDS + 2.0
    simulated.stream_brown_out(SOURCE, BrownOut(seconds=seconds, answer="500"))
    time.sleep(seconds - 0.1)
    simulated.stream(
        SOURCE, StreamEvent(do="trim", older_than_seconds=SHORT_RETENTION_SECONDS + 0.1)
    )


def _judge(
    case: Case, simulated: RunningSimulator, state_dir: Path, writer: Writer, moved: Moved
) -> None:
    report = simulated.report()
    source, target = report.tables[SOURCE], report.tables[TARGET]
    stream = source.stream
    assert stream is not None
    letters = asyncio.run(letters_of(state_dir))
    found = judge(simulated.items(SOURCE), simulated.items(TARGET), letters, writer.states)
    counts = counts_of(state_dir)
    assert counts is not None
    found.miscounted += judge_counts(counts, records=stream.records if case.is_exact else None)
    moved.verdict.lost += found.lost
    moved.verdict.invented += found.invented
    moved.verdict.miscounted += found.miscounted
    moved.captured, moved.letters, moved.items = counts.captured, len(letters), source.items or 0
    moved.lost_answers = target.lost_answers
    moved.expired = stream.counts.get("expired", 0)
    moved.trimmed = stream.counts.get("trimmed", 0)
    moved.shards = stream.shards
    moved.throttled = sum(
        stream.counts.get(code, 0) for code in ("LimitExceededException", "ThrottlingException")
    )
    moved.throttled += int(target.total(lambda second: second.throttled_writes))
    moved.throttled += int(source.total(lambda second: second.throttled_reads))
