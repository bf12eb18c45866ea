"""One switch with the processes that people have, each of which is killed in some state of it.

At a go the writers are still, so the target has to be the source, byte for byte; and from then on
nobody but its application writes to it. Of each process only its exit code is believed.
"""

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

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
from tests.moves.switch_case import BEFORE, BEHIND, DURING, LATE_SECONDS, SwitchCase, Victim
from tests.moves.warm import ForkedMove
from tests.moves.writer import Writer, name_of

GO, DIFFERENT, NOT_READY = 0, 6, 7
MOST_ASKED = 6
ASKED_SECONDS = 40.0
_LOOK_SECONDS = 0.05


@dataclass(slots=True)
class Switched:
    """What became of a switch: who was killed, and what is wrong, if anything."""

    killed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    asked: int = 0
    not_ready: int = 0
    seconds: float = 0.0


class _Switch:
    """One switch, step by step."""

    def __init__(self, case: SwitchCase, simulated: RunningSimulator, state_dir: Path) -> None:
        self.found = Switched()
        self._case = case
        self._simulated = simulated
        self._state_dir = state_dir
        self._log = state_dir.with_suffix(".log")
        self._after = dict(zip(case.victims, case.after_seconds, strict=True))
        self._move = Move(case.setup, simulated, state_dir, is_forked=True)
        self._asks: ForkedMove | None = None
        self._writer = self._writing(SOURCE, "writes")

    def make(self) -> None:
        """Goes all the way, and notes what is wrong on it."""
        try:
            self._writer.start()
            for phase in BEFORE:
                if phase in self._case.victims:
                    self._move.start()
                    self._move.wait_for(phase)
                    time.sleep(self._after[phase])
                    self._kill_move(phase)
            self._go()
            self._use_the_target()
        finally:
            self._move.kill_if_there()
            if self._asks is not None:
                self._asks.kill()
                self._asks.wait()
            self._writer.stop()

    # To the go ----------------------------------------------------------------------------------

    def _go(self) -> None:
        victims = [each for each in DURING if each in self._case.victims]
        while self.found.asked < MOST_ASKED and self._asked(victims) != GO:
            pass
        self._check_the_go()

    def _asked(self, victims: list[Victim]) -> int | None:
        """Asks once, and kills whose turn it is; gives the exit code, None for a killed one."""
        # Where whoever asked was killed it may have gone meanwhile: then nobody is left to kill.
        victim = victims.pop(0) if victims and self._stage() != "switched" else None
        is_at_go = victim is not None and victim.endswith("a go")
        if self._move.is_running and is_at_go:
            self._kill_move("following")
        if not self._move.is_running:
            self._move.start(dies_at=victim if is_at_go else None)
        self._wait(self._is_ready_to_be_asked, "it does not follow")
        self.found.asked += 1
        self._asks = self._command("cut-over", "--timeout", f"{ASKED_SECONDS:g}")
        self._stop_writers()
        if victim == "asks":
            time.sleep(self._after[victim])
            self._asks.send_signal(signal.SIGKILL)
            self.found.killed.append(victim)
        elif victim == "cutting-over":
            time.sleep(self._after[victim])
            self._kill_move(victim)
        code = self._asks.wait(ASKED_SECONDS + 60)
        if victim is not None and is_at_go:
            if code != (GO if victim == "after a go" else NOT_READY) or self._move.is_running:
                self.found.wrong.append(f"not killed {victim}: exit code {code}: {self._told()}")
            self._kill_move(victim)
        return self._judged(code)

    def _judged(self, code: int) -> int | None:
        if code == -signal.SIGKILL:
            return None
        if code not in (GO, NOT_READY):
            self.found.wrong.append(f"exit code {code} of a cut-over: {self._told()}")
        if code == NOT_READY:
            self.found.not_ready += 1
            if self._stage() == "switched":
                self.found.wrong.append("not ready was said of what is switched")
        return code

    def _stop_writers(self) -> None:
        """A moment after it was asked for; what they write last may show late."""
        if not self._writer.is_running:
            return
        time.sleep(self._case.stop_after_seconds)
        if self._case.shows_late:
            late = StreamEvent(do="delay", delay_seconds=(LATE_SECONDS / 2, LATE_SECONDS))
            self._simulated.stream(SOURCE, late)
            time.sleep(0.1)
        self._writer.stop()
        if self._case.splits:
            self._simulated.stream(SOURCE, StreamEvent(do="split", shards=0))

    def _check_the_go(self) -> None:
        if self._stage() != "switched":
            self.found.wrong.append(f"no go: it is {self._stage()}: {self._told()}")
        different = self._items(SOURCE) ^ self._items(TARGET)
        if different:
            self.found.wrong.append(f"a go with {len(different)} different: {self._told()}")

    # Behind it ----------------------------------------------------------------------------------

    def _use_the_target(self) -> None:
        """The application writes to the target, somebody else still to the source; nothing of the
        move's comes between, whatever is killed.
        """
        if not self._move.is_running:
            self._move.start()
        application = self._writing(TARGET, "uses")
        application.start()
        was_written = self._write_late()
        time.sleep(self._after[BEHIND])
        self._kill_move(BEHIND)
        self._move.start()
        time.sleep(0.5)
        application.stop()
        self._wait(self._is_switched, "it does not say that it is switched")
        # For as long as anything of its own could be on its way.
        time.sleep(self._case.setup.late_write_seconds + 0.5)
        if wrong := self._not_as_written(application):
            self.found.wrong.append(f"the target was written behind the go: {wrong[:3]}")
        status = self._move.status()
        if status is None or bool(status.late_writes) != was_written:
            self.found.wrong.append(f"late writes: {status}")
        self._finish(has_late_writes=was_written)

    def _write_late(self) -> bool:
        """Whether it changed anything."""
        before = self._items(SOURCE)
        if self._case.late_writes:
            late = self._writing(SOURCE, "late")
            late.start()
            time.sleep(0.5)
            late.stop()
        return self._items(SOURCE) != before

    def _not_as_written(self, application: Writer) -> list[str]:
        items = self._simulated.items(TARGET)
        there = {name_of(msgspec.json.decode(item)): canonical(item) for item in items}
        if self._case.settings.tables[1].lost_answers is not None:
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

    def _finish(self, *, has_late_writes: bool) -> None:
        code = self._command("finish").wait(60)
        if code != (DIFFERENT if has_late_writes else 0):
            self.found.wrong.append(f"exit code {code} of a finish: {self._told()}")
        if self._stage() != "finished":
            self.found.wrong.append(f"it is {self._stage()} behind a finish")

    # Within -------------------------------------------------------------------------------------

    def _writing(self, table: str, what: str) -> Writer:
        return Writer(
            self._simulated.url,
            self._simulated.items(table),
            chance=random.Random(f"{what} {self._case.seed}"),
            changes_per_second=self._case.changes_per_second,
            bad_share=0.0,
            table=table,
        )

    def _command(self, what: str, *more: str) -> ForkedMove:
        typed = [what, RUN, "--state-dir", str(self._state_dir), *more]
        return ForkedMove(self._case.setup, typed, self._log)

    def _kill_move(self, victim: Victim) -> None:
        self._move.end(signal.SIGKILL)
        self.found.killed.append(victim)

    def _is_switched(self) -> bool:
        status = self._move.status()
        return status is not None and status.state == "switched"

    def _is_ready_to_be_asked(self) -> bool:
        if not self._move.is_running:
            raise NotSettledError(f"it ended: {self._move.told()}")
        status = self._move.status()
        return status is not None and status.state in ("following", "switched")

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
        return self._log.read_text(errors="replace")[-1500:] + self._move.told()[-1500:]


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
        made.make()
    made.found.seconds = time.monotonic() - began
    return made.found
