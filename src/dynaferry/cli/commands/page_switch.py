"""The switch of a move on the live page: asked for where `dynaferry cut-over` asks, in its file.

What another process asks of the move is shown as well. Whoever asks shows to be there: for a page
that is done here, as long as any page is open; once none is, what was asked for is withdrawn, as it
is when a terminal goes away.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
from msgspec.structs import replace

from dynaferry.cli.commands.cut_over import CUT_BACK, CUT_OVER, answer_lines, is_ready
from dynaferry.errors import DynaferryError, StateError
from dynaferry.follow.asking import Answer, MoveAsker
from dynaferry.run.lifecycle import beside, first_reason, say_nothing
from dynaferry.state.move_records import (
    MoveRecord,
    TransitionRecord,
    TransitionReply,
    TransitionRequest,
)
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.stop import StopSignal
from dynaferry.web.switch import SwitchNews, SwitchWord

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

LOOK_SECONDS: Final = 0.5
# A page that is loaded anew is closed for a moment.
ALONE_SECONDS: Final = 3.0
# A page cannot say how long a switch may take.
LEAST_TIMEOUT_SECONDS: Final = 120.0
MOST_TIMEOUT_SECONDS: Final = 86_400.0 * 7
_SHOWN: Final = ("check", "cut-over", "cut-back")


class PageSwitch:
    """The desk of one move's pages. A `SwitchDesk`; nothing happens but while `run` runs.

    `is_followed` says whether the move is answering by now: before, its file may be made anew.
    `outage_seconds` is for how long nobody might write if it were switched now, where that is told
    beforehand.
    """

    def __init__(
        self,
        state_dir: Path,
        run: str,
        is_followed: Callable[[], bool],
        outage_seconds: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.news: SwitchNews | None = None
        self._state_dir = state_dir
        self._run = run
        self._is_followed = is_followed
        self._outage_seconds = outage_seconds
        self._pages = 0
        self._pages_changed = anyio.Event()
        self._tasks: TaskGroup | None = None
        self._file: MoveFile | None = None
        self._opening = anyio.Lock()
        self._stop: StopSignal | None = None
        self._last = self._passed = 0

    @property
    def timeout_seconds(self) -> float:
        """How long a switch that is asked for now may take: the outage that is told, with room."""
        told = self._outage_seconds()
        room = 0.0 if told is None else 2 * told + 60
        return min(max(room, LEAST_TIMEOUT_SECONDS), MOST_TIMEOUT_SECONDS)

    def note_pages(self, pages: int) -> None:
        """So many pages are open now."""
        self._pages = pages
        self._pages_changed.set()
        self._pages_changed = anyio.Event()

    async def ask(self, what: SwitchWord) -> None:
        """Asks for it; returns before it is done.

        :raises StateError: something is under way, or nothing is that could be withdrawn
        """
        if what == "withdraw":
            if self._stop is None:
                raise StateError("nothing that was asked for here is under way")
            self._stop.ask()
            return
        if self._stop is not None:
            raise StateError("something else that was asked for here is under way")
        if self._tasks is None or not self._is_followed():
            raise StateError("the tables are being copied: ask again once they are followed")
        self._stop = StopSignal()
        request = TransitionRequest(what=what, timeout_seconds=self.timeout_seconds)
        self._tasks.start_soon(self._ask, request, self._stop)

    async def run(self) -> None:
        """Shows what is asked of the move, and asks, until it is cancelled."""
        try:
            async with anyio.create_task_group() as self._tasks:
                while True:
                    if self._pages and self._is_followed():
                        await self._look()
                    await anyio.sleep(LOOK_SECONDS)
        finally:
            self._tasks = None
            if self._file is not None:
                with anyio.CancelScope(shield=True):
                    await self._file.aclose()

    async def _opened(self) -> MoveFile:
        async with self._opening:
            if self._file is None:
                self._file = await MoveFile.open(self._state_dir, self._run)
            return self._file

    async def _look(self) -> None:
        """Shows the last transition as the file has it, if it came since a page asked last."""
        with suppress(DynaferryError):  # the move itself tells what is wrong with its file
            file = await self._opened()
            move = await file.read_move()
            last = None if move is None else await file.read_last(_SHOWN)
            if last is not None:
                self._last = last.number
                # Who asked here is to hear of the end first: before, nothing else may be asked.
                is_heard = self._stop is None or last.outcome is None
                if last.number > self._passed and is_heard:
                    self.news = _news(last, move, may_withdraw=self._stop is not None)

    async def _ask(self, request: TransitionRequest, stop: StopSignal) -> None:
        """Asks, and shows what has come of it."""
        await self._look()
        self._passed = self._last
        news = SwitchNews(what=request.what, lines=(), may_withdraw=True)
        self.news = news
        try:
            asker = MoveAsker(await self._opened(), self._state_dir, self._run, stop, say_nothing)
            async with beside(partial(self._withdraw_if_alone, stop)):
                answer = await asker.ask("cut-over", request)
        except* DynaferryError as group:
            told = (first_reason(group).message,)
            news = replace(news, outcome="refused", told=told, may_withdraw=False)
        else:
            news = _ended(news, answer)
        finally:
            self._stop = None
        self.news = news
        await self._look()  # its steps as well

    async def _withdraw_if_alone(self, stop: StopSignal) -> None:
        """Asks to stop once no page has been open for a while."""
        while True:
            changed = self._pages_changed
            if not self._pages:
                with anyio.move_on_after(ALONE_SECONDS):
                    await changed.wait()
                    continue
                stop.ask()
                return
            await changed.wait()


def _news(last: TransitionRecord, move: MoveRecord | None, *, may_withdraw: bool) -> SwitchNews:
    """What the file has of a transition."""
    reply = last.reply or TransitionReply(step="", since=last.asked_at)
    news = SwitchNews(what=last.request.what, lines=reply.lines, may_withdraw=may_withdraw)
    if last.outcome is None:
        return news
    return _ended(news, Answer(outcome=last.outcome, reply=reply, move=move))


def _ended(news: SwitchNews, answer: Answer) -> SwitchNews:
    """The same, with what it came to."""
    is_check = news.what == "check"
    told = answer.reply.reasons
    if answer.outcome != "refused":
        way = CUT_BACK if news.what == "cut-back" else CUT_OVER
        told = tuple(answer_lines(answer, is_check=is_check, way=way))
    return replace(
        news, outcome=answer.outcome, told=told, is_good=is_ready(answer), may_withdraw=False
    )
