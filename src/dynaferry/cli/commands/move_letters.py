"""The dead letters of a run that may be a move: listed with the copy's, and read again.

What a letter holds may be old by the time it is replayed, and the source is followed: so of a move
no letter is written. Its key is read again from the source, by the process that follows.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
from anyio import to_thread
from msgspec import Raw

from dynaferry.dead_letters.export import LETTERS_A_PAGE, pages_of_letters
from dynaferry.dead_letters.replay import ReplayOutcome, summaries_of
from dynaferry.dead_letters.request import ReplayRequest
from dynaferry.dynamodb.items.canonical import canonical
from dynaferry.errors import DynaferryError, StateError
from dynaferry.follow.letters import (
    ask_again,
    keys_of_letters,
    page_of_move_letters,
    still_asked,
)
from dynaferry.follow.stored_move import is_followed, is_moved, read_move
from dynaferry.observe.summary import ReplaySummary, RunStatus
from dynaferry.run.lifecycle import Say, closing, error_summary
from dynaferry.shared.arn import resource_name
from dynaferry.state.records import DeadLetter
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.stop import StopSignal

if TYPE_CHECKING:
    from dynaferry.state.move_records import MoveRecord

POLL_SECONDS: Final = 0.5
# What the source holds is what counts. A cut-over that is asked for waits for what is read again.
STAGES_OF_FOLLOWING: Final = (
    *("capturing", "copying", "replaying", "following", "re-syncing"),
    "cutting-over",
)
Result = TypeVar("Result")

Letters = AsyncIterator[tuple[str, list[DeadLetter]]]  # the source's name, some of its letters


async def letters_of(store: SqliteStore, state_dir: Path, run: str) -> Letters:
    """The dead letters of a run, of its copy and of its move; of each key the newest."""
    moved = await to_thread.run_sync(is_moved, state_dir, run)
    for table, names in enumerate((await store.read_run()).identity.tables):
        name, newer = resource_name(names.source_arn), set[bytes]()
        if moved:
            newer = await to_thread.run_sync(keys_of_letters, state_dir, run, table)
        async for letters in pages_of_letters(store, table):
            copied = [each for each in letters if not newer or _key_of(each) not in newer]
            if copied:
                yield name, copied
        after = b""
        while newer and (letters := await _page(state_dir, run, table, after)):
            yield name, letters
            after = letters[-1].key


async def _page(state_dir: Path, run: str, table: int, after: bytes) -> list[DeadLetter]:
    reading = partial(page_of_move_letters, state_dir, run, table, after, LETTERS_A_PAGE)
    return await to_thread.run_sync(reading)


def _key_of(letter: DeadLetter) -> bytes:
    return canonical(Raw(letter.key))


async def is_move(state_dir: Path, run: str) -> bool:
    """Whether the run is a move, though its spools be lost.

    :raises StateError: the run cannot be read
    """
    store = await SqliteStore.open_for_reading(state_dir, run)
    async with closing(store):
        return (await store.read_run()).identity.move is not None


async def check_before_the_switch(state_dir: Path, run: str) -> None:
    """Returns unless a move of the run was switched, with a stream or without: behind it the
    application writes the target, and the source's items are old.

    :raises StateError: it was
    """
    move: MoveRecord | None = None
    with suppress(StateError):  # whoever reads its letters says what is wrong with the run
        file = await MoveFile.open(state_dir, run)
        async with closing(file):
            move = await file.read_move()
    if move is not None and move.stage not in STAGES_OF_FOLLOWING:
        raise StateError(
            f"the run {run} is {move.stage}: of its dead letters none is written any more",
            hint="the target does not follow the source any more: dynaferry dead-letters export"
            " has the dead letters, and what is right is the application's to say",
        )


async def replay_moved(request: ReplayRequest, *, stop: StopSignal, say: Say) -> ReplayOutcome:
    """Has the source read again under the keys of all letters, and waits for what comes of it.

    Errors of ours are returned in the outcome. Asked to stop, it waits no longer; the keys are read
    again all the same.
    """
    replay, error = _MoveReplay(request, stop, say), None
    try:
        await replay.make()
    except DynaferryError as failed:
        error = failed
    return ReplayOutcome(await replay.summary(error), error)


class _MoveReplay:
    """One replay of a move's letters."""

    def __init__(self, request: ReplayRequest, stop: StopSignal, say: Say) -> None:
        self._run, self._state_dir = request.run, request.state_dir
        self._stop = stop
        self._say = say
        self._begun_at = time.monotonic()
        self._asked: list[list[bytes]] = []

    async def make(self) -> None:
        """Asks, and waits.

        :raises StateError: no process follows the run, or none does any more
        """
        await check_before_the_switch(self._state_dir, self._run)
        await self._check_followed("nothing was asked for")
        keys = await self._keys()
        tables = await self._in_thread(read_move, len(keys))
        if not all(table.is_applying for table in tables):
            raise StateError(
                f"the run {self._run} is being copied: its dead letters are not read again yet",
                hint="once it follows (dynaferry status), replay again",
            )
        if any(table.paused for table in tables):
            self._say(f"it is paused, and waits for: dynaferry resume {self._run}")
        count = sum(map(len, keys))
        if not count:
            return
        self._say(f"{count:,} items are read again from the source by the process that follows")
        for table, asked in enumerate(keys):
            await self._in_thread(ask_again, table, asked)
        self._asked = keys
        while await self._waiting() and not self._stop.asked:
            await self._check_followed("the next one reads them again")
            with anyio.move_on_after(POLL_SECONDS):
                await self._stop.finish.wait()

    async def _check_followed(self, then: str) -> None:
        if not await to_thread.run_sync(is_followed, self._state_dir, self._run):
            raise StateError(
                f"the run {self._run} is a move, and no process follows it now: {then}",
                hint="what a dead letter holds may be old: of a move it is never written, but read"
                " again from the source. The same move command as before resumes it; then replay"
                " again",
            )

    async def _keys(self) -> list[list[bytes]]:
        """By table, the keys of the letters of both."""
        store = await SqliteStore.open_for_reading(self._state_dir, self._run)
        async with closing(store):
            found = [set[bytes]() for _ in (await store.read_run()).identity.tables]
            for table, keys in enumerate(found):
                async for letters in pages_of_letters(store, table):
                    keys.update(map(_key_of, letters))
        for table, keys in enumerate(found):
            keys |= await self._in_thread(keys_of_letters, table)
        return [sorted(keys) for keys in found]

    async def _waiting(self) -> int:
        waiting = [
            await self._in_thread(still_asked, table, keys)
            for table, keys in enumerate(self._asked)
        ]
        return sum(waiting)

    async def _in_thread(self, step: Callable[..., Result], *more: object) -> Result:
        return await to_thread.run_sync(partial(step, self._state_dir, self._run, *more))

    async def summary(self, error: DynaferryError | None) -> ReplaySummary:
        """How it ended; `error` is what ended it before its time."""
        asked = sum(map(len, self._asked))
        left = sum(map(len, await self._keys()))
        waiting = await self._waiting()
        store = await SqliteStore.open_for_reading(self._state_dir, self._run)
        async with closing(store):
            record = await store.read_run()
            tables = await summaries_of(record, store, time.monotonic() - self._begun_at)
        return ReplaySummary(
            run=self._run,
            status=_status(error, asked=asked, left=left, waiting=waiting),
            run_status=record.status,
            error=error_summary(error),
            written=max(0, asked - left),
            refused=max(0, left - waiting) if asked else 0,
            left=left,
            tables=tables,
        )


def _status(error: DynaferryError | None, *, asked: int, left: int, waiting: int) -> RunStatus:
    if error is not None:
        return "failed" if asked else "refused"
    if waiting:
        return "interrupted"
    return "rejected" if left else "complete"
