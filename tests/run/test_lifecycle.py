"""The life of an attempt: what cancels it, what runs beside it, and what it ends with."""

import anyio
import pytest

from dynaferry.errors import (
    DynaferryError,
    ServiceGoneError,
    StateWriteError,
    UnavailableError,
)
from dynaferry.run import lifecycle
from dynaferry.run.lifecycle import (
    attempted,
    before_it_begins,
    beside,
    closing,
    end_stored,
    ended_by,
    error_record,
    error_summary,
    in_turn,
    watched,
)
from dynaferry.stop import StopSignal


async def test_a_stop_cancels_an_attempt_before_it_begins() -> None:
    stop = StopSignal()
    stop.ask()
    result = await attempted(anyio.sleep_forever, cancel_when=before_it_begins(stop, lambda: False))
    assert result == (None, None)


async def test_a_stop_leaves_an_attempt_that_has_begun_to_end_by_itself() -> None:
    stop = StopSignal()

    async def attempt() -> str:
        stop.ask()
        await anyio.wait_all_tasks_blocked()
        return "ended"

    result = await attempted(attempt, cancel_when=before_it_begins(stop, lambda: True))
    assert result == ("ended", None)


async def test_an_error_of_ours_is_what_an_attempt_comes_to_and_a_bug_is_raised() -> None:
    gone = ServiceGoneError("gone")

    async def fail(error: Exception) -> None:
        raise error

    result = await attempted(lambda: fail(gone), cancel_when=anyio.sleep_forever)
    assert result == (None, gone)
    with pytest.raises(BaseExceptionGroup):
        await attempted(lambda: fail(ValueError("a bug")), cancel_when=anyio.sleep_forever)


async def test_a_reason_to_stop_comes_before_what_came_of_it_and_has_the_bug_as_its_cause() -> None:
    reason, bug = ServiceGoneError("gone"), ValueError("a bug")

    async def work() -> None:
        raise BaseExceptionGroup(
            "", [UnavailableError("away"), BaseExceptionGroup("", [reason, bug])]
        )

    error = await ended_by(work)
    assert error is reason
    assert isinstance(error.__cause__, BaseExceptionGroup)


@pytest.mark.parametrize("bugs", [[ValueError("a bug")]])
async def test_what_is_only_a_bug_ends_nothing_quietly(bugs: list[Exception]) -> None:
    async def work() -> None:
        raise BaseExceptionGroup("", bugs)

    with pytest.raises(BaseExceptionGroup):
        await ended_by(work)


async def test_an_error_that_comes_alone_is_the_reason_as_well() -> None:
    gone = ServiceGoneError("gone")

    async def work() -> None:
        raise gone

    assert await ended_by(work) is gone


async def test_what_runs_beside_is_cancelled_at_the_end() -> None:
    shown: list[str] = []

    async def watch(stats: str) -> None:
        shown.append(stats)
        await anyio.sleep_forever()

    async def show() -> None:
        await watched(watch, "counters")

    async def show_nothing() -> None:
        await watched(None, "counters")

    async with beside(show, show_nothing):
        await anyio.wait_all_tasks_blocked()
    assert shown == ["counters"]


async def test_tables_take_turns_and_none_begins_after_a_stop() -> None:
    stop, begun, open_now, most = StopSignal(), list[int](), 0, 0

    async def work(table: int) -> None:
        nonlocal open_now, most
        begun.append(table)
        open_now += 1
        most = max(most, open_now)
        await anyio.lowlevel.checkpoint()
        open_now -= 1
        if len(begun) == 4:
            stop.ask()

    await in_turn(range(9), 2, stop, work)
    assert most == 2
    assert 4 <= len(begun) < 9


async def test_an_end_that_cannot_be_stored_is_the_error_unless_there_was_one_before() -> None:
    not_stored, before = StateWriteError("the disk is full"), ServiceGoneError("gone")

    async def store_end() -> None:
        raise not_stored

    assert await end_stored(store_end, None) is not_stored
    assert await end_stored(store_end, before) is before


async def test_an_end_is_stored_though_the_attempt_is_cancelled() -> None:
    stored: list[str] = []

    async def store_end() -> None:
        await anyio.lowlevel.checkpoint()
        stored.append("ended")

    with anyio.CancelScope() as scope:
        scope.cancel()
        await end_stored(store_end, None)
    assert stored == ["ended"]


async def test_a_store_that_does_not_close_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    class Store:
        async def aclose(self) -> None:
            await anyio.sleep_forever()

    monkeypatch.setattr(lifecycle, "CLOSE_STORE_SECONDS", 0.01)
    async with closing(Store()):
        pass


def test_an_error_is_shown_and_stored_in_the_same_words() -> None:
    error: DynaferryError = ServiceGoneError("gone", hint="wait")
    told = error_summary(error)
    assert told is not None
    assert (told.type, told.message, told.hint) == error_record(error)
    assert (error_summary(None), error_record(None)) == (None, None)
