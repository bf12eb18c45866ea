"""What a move and those who ask something of it say to each other, in the run's state file.

Each opens it beside whoever holds the run's lock, and SQLite has one write at a time. What decides
is a transaction that changes a transition only while it has no end: so a go and a withdrawal at the
same moment are one of both, for either process, also where one is killed before it hears of it.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

import msgspec

from dynaferry.state.move_records import (
    MoveRecord,
    Stage,
    TransitionKind,
    TransitionOutcome,
    TransitionRecord,
    TransitionReply,
    TransitionRequest,
)
from dynaferry.state.sqlite import move_schema as schema
from dynaferry.state.sqlite.run_file import RunFile
from dynaferry.state.sqlite.thread import FileThread

MoveMoment = Literal["before a go", "inside a go", "after a go"]


class _AnotherStageError(Exception):
    """The move is in another state by now: all of the transaction is rolled back."""


class MoveFile(FileThread):
    """The move of one run. All but `read_move` and `begin_move` need one that has begun."""

    @classmethod
    async def open(cls, state_dir: Path, run: str) -> Self:
        """Opens it, whoever works on the run.

        :raises StateError: there is no such run, or its file is foreign or cannot be written
        """
        return await cls._opened_by(lambda: RunFile.open_to_control(state_dir, run))

    @classmethod
    async def open_for_reading(cls, state_dir: Path, run: str) -> Self:
        """Opens it to look at it alone, whoever works on the run.

        :raises StateError: there is no such run, or its file is foreign or cannot be read
        """
        return await cls._opened_by(lambda: RunFile.open_for_reading(state_dir, run))

    async def read_move(self) -> MoveRecord | None:
        """The move; None where the run is none, or has not begun to capture."""
        found: list[MoveRecord] = []

        def read() -> None:
            with self._file.reading() as connection:
                if schema.has_move(connection):
                    found.extend(map(schema.move_of, connection.execute(schema.SELECT_MOVE)))

        await self._on_thread(read)
        return found[0] if found else None

    async def begin_move(self, stage: Stage, now: float, *, has_way_back: bool) -> MoveRecord:
        """Makes it a move that stands at `stage`; what stands there already stays."""
        row = {"stage": stage, "since": now, "has_way_back": int(has_way_back)}

        def store(connection: sqlite3.Connection) -> None:
            for statement in schema.MOVE_TABLES:
                connection.execute(statement)
            connection.execute(schema.BEGIN_MOVE, row)

        await self._write(store)
        return (await self._records(schema.move_of, schema.SELECT_MOVE))[0]

    async def enter(self, stage: Stage, before: Stage, now: float) -> bool:
        """Changes its state, where it is `before`; returns whether it did.

        :raises StateWriteError: it could not be stored
        """
        row = {"stage": stage, "before": before, "now": now}
        changed: list[int] = []
        await self._write(
            lambda connection: changed.append(connection.execute(schema.ENTER_STAGE, row).rowcount)
        )
        return changed[0] == 1

    async def ask(self, request: TransitionRequest, now: float) -> TransitionRecord:
        """Asks for a transition; gives the one that is open already, where it is no check.

        A check waits for nobody, so one may be asked beside anything.
        """
        found: list[TransitionRecord] = []

        def store(connection: sqlite3.Connection) -> None:
            if request.what != "check":
                opened = map(schema.transition_of, connection.execute(schema.SELECT_OPEN))
                found.extend(each for each in opened if each.request.what != "check")
            if not found:
                asked = (msgspec.json.encode(request), now)
                row = connection.execute(schema.INSERT_TRANSITION, asked).fetchone()
                found.append(schema.transition_of(row))

        await self._write(store)
        return found[0]

    async def read_open(self) -> list[TransitionRecord]:
        """The transitions that have no end yet, in the order in which they were asked for."""
        return await self._records(schema.transition_of, schema.SELECT_OPEN)

    async def read_transition(self, number: int) -> TransitionRecord:
        """The transition of this number."""
        return await self._record(schema.transition_of, schema.SELECT_TRANSITION, number)

    async def read_last(self, kinds: Sequence[TransitionKind]) -> TransitionRecord | None:
        """The transition that was asked for last of those of these kinds."""
        found: list[TransitionRecord] = []

        def read() -> None:
            with self._file.reading() as connection:
                for row in connection.execute(schema.SELECT_LATEST):
                    last = schema.transition_of(row)
                    if last.request.what in kinds:
                        found.append(last)
                        return

        await self._on_thread(read)
        return found[0] if found else None

    async def beat(self, number: int) -> TransitionRecord:
        """Whoever asked is there still; gives what became of it by now."""
        await self._write(lambda connection: connection.execute(schema.BEAT, (number,)))
        return await self.read_transition(number)

    async def reply(self, number: int, reply: TransitionReply) -> None:
        """Says how far it is, if it is open still."""
        row = (msgspec.json.encode(reply), number)
        await self._write(lambda connection: connection.execute(schema.REPLY, row))

    async def end(
        self,
        number: int,
        outcome: TransitionOutcome,
        now: float,
        *,
        reply: TransitionReply | None = None,
        stage: tuple[Stage, Stage] | None = None,
    ) -> bool:
        """Ends it, unless it has ended; `stage` is that of the move before and after, stored with
        it. Returns whether this was its end: where it was not, nothing is stored. Nor is it where
        the move is not in the state before any more.

        :raises StateWriteError: it could not be stored; nothing of it is
        """
        was_its_end: list[bool] = []
        told = None if reply is None else msgspec.json.encode(reply)
        row = {"number": number, "outcome": outcome, "now": now, "reply": told}

        def store(connection: sqlite3.Connection) -> None:
            self.reached("before a go")
            was_its_end.append(connection.execute(schema.END_TRANSITION, row).rowcount == 1)
            self.reached("inside a go")
            if was_its_end[0] and stage is not None:
                before, after = stage
                entering = {"stage": after, "before": before, "now": now}
                if connection.execute(schema.ENTER_STAGE, entering).rowcount != 1:
                    raise _AnotherStageError

        try:
            await self._write(store, lambda: self.reached("after a go"))
        except _AnotherStageError:
            return False
        return was_its_end[0]

    def reached(self, moment: MoveMoment) -> None:
        """Does nothing, on the file's thread: a test overrides it to die at this moment."""
