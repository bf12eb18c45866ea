"""One switch with the processes that people have, each of which is killed in some state of it.

At a go the writers are still, so the target has to be the source, byte for byte; and from then on
nobody but its application writes to it. The same holds of the way back, with the sides exchanged.
Of each process only its exit code is believed.
"""

import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import anyio
import msgspec

from benchmarks.simulator import RunningSimulator, StreamEvent, simulator
from dynaferry.dynamodb.items.canonical import canonical
from dynaferry.run.lifecycle import closing
from dynaferry.state.directory import has_state
from dynaferry.state.move_records import Stage
from dynaferry.state.sqlite.move_file import MoveFile
from tests.moves.case import RUN, SOURCE, TARGET
from tests.moves.moved import Move, NotSettledError
from tests.moves.switch_case import BACK, BEFORE, DURING, LATE_SECONDS, SwitchCase, Victim
from tests.moves.warm import ForkedMove
from tests.moves.writer import Writer, name_of

GO, DIFFERENT, NOT_READY = 0, 6, 7
MOST_ASKED: Final = 7
ASKED_SECONDS: Final = 40.0
# Who may write to the source: a profile of the file that AWS_CONFIG_FILE names.
PROFILE: Final = "way-back"
CONFIG: Final = f"""[profile {PROFILE}]
region = us-east-1
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = secret
"""
_LOOK_SECONDS: Final = 0.05


@dataclass(slots=True)
class Switched:
    """What became of a switch: who was killed, and what is wrong, if anything."""

    killed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    asked: int = 0
    not_ready: int = 0
    gone: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Way:
    """There, or back: the command, the state that it is asked in and that it leads to, whose
    writers stop, and who is killed.
    """

    command: tuple[str, ...]
    begins: Stage
    ends: Stage
    written: str
    victims: Sequence[Victim]


_THERE: Final = _Way(("cut-over",), "following", "switched", SOURCE, DURING)
_BACK: Final = _Way(
    ("cut-back", "--source-write-profile", PROFILE), "switched", "returned", TARGET, BACK
)


class _Switch:
    """One switch, step by step."""

    def __init__(self, case: SwitchCase, simulated: RunningSimulator, state_dir: Path) -> None:
        self.found = Switched()
        self._case = case
        self._simulated = simulated
        self._state_dir = state_dir
        self._log = state_dir.with_suffix(".log")
        options = ("--way-back", "keep") if case.goes_back else ()
        self._move = Move(case.setup, simulated, state_dir, options=options, is_forked=True)
        self._asks: ForkedMove | None = None
        self._writers: list[Writer] = []

    def make(self) -> None:
        """Goes all the way, and notes what is wrong on it."""
        try:
            writer = self._writing(SOURCE, "writes")
            for phase in BEFORE:
                if phase in self._case.victims:
                    self._move.start()
                    self._move.wait_for(phase)
                    self._kill_after(phase)
            self._go(_THERE, writer)
            if self._case.goes_back:
                self._go(_BACK, self._use(TARGET, "switched"))
                self._check_untouched(SOURCE, self._use(SOURCE, "returned"))
            else:
                application = self._use(TARGET, "switched")
                self._check_untouched(TARGET, application)
            self._finish()
        finally:
            self._move.kill_if_there()
            if self._asks is not None:
                self._asks.kill()
                self._asks.wait()
            for writer in self._writers:
                writer.stop()

    # To the go ----------------------------------------------------------------------------------

    def _go(self, way: _Way, writer: Writer) -> None:
        asked_before = self.found.asked
        victims = [each for each in way.victims if each in self._case.victims]
        while self.found.asked - asked_before < MOST_ASKED:
            if self._asked(way, victims, writer) == GO:
                break
        if self._stage() != way.ends:
            raise NotSettledError(f"no go: it is {self._stage()}: {self._told()}")
        self.found.gone += 1
        different = self._items(SOURCE) ^ self._items(TARGET)
        if different:
            told = f"{way.ends} with {len(different)} different"
            self.found.wrong.append(f"{told}: {self._told()}")

    def _asked(self, way: _Way, victims: list[Victim], writer: Writer) -> int | None:
        """Asks once, and kills whose turn it is; gives the exit code, None for a killed one."""
        # Where whoever asked was killed it may have gone meanwhile: then nobody is left to kill.
        victim = victims.pop(0) if victims and self._stage() != way.ends else None
        moment = _moment(victim)
        if self._move.is_running and moment is not None:
            self._kill(way.begins)
        if not self._move.is_running:
            self._move.start(dies_at=moment)
        self._wait(lambda: self._stands((way.begins, way.ends)), f"it is not {way.begins}")
        self.found.asked += 1
        command, *options = way.command
        self._asks = self._command(command, *options, "--timeout", f"{ASKED_SECONDS:g}")
        self._stop(writer, way.written)
        if victim is not None and moment is None:
            time.sleep(self._case.victims[victim])
            if victim.startswith("asks"):
                self._asks.send_signal(signal.SIGKILL)
                self.found.killed.append(victim)
            else:
                self._kill(victim)
        code = self._asks.wait(ASKED_SECONDS + 60)
        if victim is not None and moment is not None:
            if code != (GO if moment == "after a go" else NOT_READY) or self._move.is_running:
                self.found.wrong.append(f"not killed {victim}: exit code {code}: {self._told()}")
            self._kill(victim)
        return self._judged(way, code)

    def _judged(self, way: _Way, code: int) -> int | None:
        if code == -signal.SIGKILL:
            return None
        if code not in (GO, NOT_READY):
            self.found.wrong.append(f"exit code {code}: {self._told()}")
        if code == NOT_READY:
            self.found.not_ready += 1
            if self._stage() == way.ends:
                self.found.wrong.append(f"not ready was said of what is {way.ends}")
        return code

    def _stop(self, writer: Writer, table: str) -> None:
        """A moment after it was asked for; what is written last may show late."""
        if not writer.is_running:
            return
        time.sleep(self._case.stop_after_seconds)
        if self._case.shows_late:
            late = StreamEvent(do="delay", delay_seconds=(LATE_SECONDS / 2, LATE_SECONDS))
            self._simulated.stream(table, late)
            time.sleep(0.1)
        writer.stop()
        if self._case.loses_answers and table == TARGET:
            time.sleep(self._case.setup.late_write_seconds)  # its own writes may be late
        if self._case.splits:
            self._simulated.stream(table, StreamEvent(do="split", shards=0))

    # Behind it ----------------------------------------------------------------------------------

    def _use(self, table: str, stage: Victim) -> Writer:
        """The application writes to the table that is in use, while the move is killed."""
        if not self._move.is_running:
            self._move.start()
        application = self._writing(table, f"uses {table}")
        time.sleep(0.5)
        self._kill_after(stage)
        time.sleep(0.5)
        self._move.start()
        return application

    def _check_untouched(self, table: str, application: Writer) -> None:
        """Nothing of the move's comes between what its application writes."""
        was_written = self._write_late()
        application.stop()
        stage: Stage = "returned" if table == SOURCE else "switched"
        self._wait(lambda: self._stands((stage,)), f"it does not say that it is {stage}")
        # For as long as anything of its own could be on its way.
        time.sleep(self._case.setup.late_write_seconds + 0.5)
        if wrong := self._not_as_written(table, application):
            self.found.wrong.append(f"{table} was written behind the go: {wrong[:3]}")
        status = self._move.status()
        if status is None or bool(status.late_writes) != was_written:
            self.found.wrong.append(f"late writes: {status}")

    def _write_late(self) -> bool:
        """Whether it changed anything."""
        before = self._items(SOURCE)
        if self._case.late_writes:
            late = self._writing(SOURCE, "late")
            time.sleep(0.5)
            late.stop()
        return self._case.late_writes and self._items(SOURCE) != before

    def _not_as_written(self, table: str, application: Writer) -> list[str]:
        items = self._simulated.items(table)
        there = {name_of(msgspec.json.decode(item)): canonical(item) for item in items}
        if self._case.loses_answers and table == TARGET:
            # Its own writes may take effect late as well, so it may be any that it has made.
            states = application.states
            return [
                f"{name}: {body!r}"
                for name, body in there.items()
                if body not in {canonical(state) for state in states[name]}
            ]
        latest = application.latest.items()
        wanted = {name: body if body is None else canonical(body) for name, body in latest}
        return [f"{name}" for name, body in wanted.items() if there.get(name) != body]

    def _finish(self) -> None:
        status = self._move.status()
        has_late_writes = status is not None and bool(status.late_writes)
        # The comparison behind the go may have had no time to end.
        code = self._command("finish", "--without-comparison").wait(60)
        if code != (DIFFERENT if has_late_writes else GO):
            self.found.wrong.append(f"exit code {code} of a finish: {self._told()}")
        if self._stage() != "finished":
            self.found.wrong.append(f"it is {self._stage()} behind a finish")

    # Within -------------------------------------------------------------------------------------

    def _writing(self, table: str, what: str) -> Writer:
        """Writes to a table from now on."""
        writer = Writer(
            self._simulated.url,
            self._simulated.items(table),
            chance=random.Random(f"{what} {self._case.seed}"),
            changes_per_second=self._case.changes_per_second,
            bad_share=0.0,
            table=table,
        )
        self._writers.append(writer)
        writer.start()
        return writer

    def _command(self, what: str, *more: str) -> ForkedMove:
        typed = [what, RUN, "--state-dir", str(self._state_dir), *more]
        return ForkedMove(self._case.setup, typed, self._log)

    def _kill_after(self, victim: Victim) -> None:
        time.sleep(self._case.victims[victim])
        self._kill(victim)

    def _kill(self, victim: str) -> None:
        self._move.end(signal.SIGKILL)
        self.found.killed.append(victim)

    def _stands(self, stages: Sequence[Stage]) -> bool:
        if not self._move.is_running:
            raise NotSettledError(f"it ended: {self._move.told()}")
        status = self._move.status()
        return status is not None and status.state in stages

    def _wait(self, holds: Callable[[], bool], else_told: str) -> None:
        until = time.monotonic() + 60.0
        while not holds():
            if time.monotonic() > until:
                raise NotSettledError(f"{else_told}: {self._told()}")
            time.sleep(_LOOK_SECONDS)

    def _items(self, table: str) -> set[bytes]:
        return {canonical(item) for item in self._simulated.items(table)}

    def _stage(self) -> Stage | None:
        if not has_state(self._state_dir, RUN):
            return None
        return anyio.run(_stage_of, self._state_dir)

    def _told(self) -> str:
        return self._log.read_text(errors="replace")[-2500:]


def _moment(victim: Victim | None) -> str | None:
    """The moment of a go at which this one dies; None where it is killed from outside."""
    if victim is None or not victim.endswith((" a go", " a return")):
        return None
    return victim.replace("return", "go")


async def _stage_of(state_dir: Path) -> Stage | None:
    file = await MoveFile.open(state_dir, RUN)
    async with closing(file):
        move = await file.read_move()
    return None if move is None else move.stage


def switch(case: SwitchCase, directory: Path) -> Switched:
    """Switches a move through all that its case has for it. It blocks."""
    directory.mkdir(parents=True)
    began = time.monotonic()
    with simulator(case.settings) as simulated:
        made = _Switch(case, simulated, directory / "state")
        try:
            made.make()
        except NotSettledError as error:
            made.found.wrong.append(str(error))
    made.found.seconds = time.monotonic() - began
    return made.found
