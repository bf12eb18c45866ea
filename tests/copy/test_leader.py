"""Whoever waits holds the turn; nobody queues for what is there already."""

import anyio
import pytest

from dynaferry.copy.leader import LeaderLock


async def come_and_tell(turn: LeaderLock, name: str, came: list[str]) -> None:
    await turn.come()
    came.append(name)


async def test_a_turn_that_nobody_holds_is_come_by_at_once() -> None:
    turn = LeaderLock()
    await turn.come()
    assert not turn.is_locked


async def test_the_others_come_one_by_one_as_each_passes_it_on() -> None:
    turn, came = LeaderLock(), list[str]()
    async with anyio.create_task_group() as tasks:
        with turn:
            for name in ("first", "second", "third"):
                tasks.start_soon(come_and_tell, turn, name, came)
            await anyio.wait_all_tasks_blocked()
            assert came == []
        await anyio.wait_all_tasks_blocked()
        assert came == ["first"]
        turn.pass_on()
        await anyio.wait_all_tasks_blocked()
        assert came == ["first", "second"]
        turn.pass_on()
    assert came == ["first", "second", "third"]


async def test_who_is_let_in_waits_on_when_another_was_quicker_to_hold_it() -> None:
    turn, came = LeaderLock(), list[str]()
    async with anyio.create_task_group() as tasks:
        with turn:
            tasks.start_soon(come_and_tell, turn, "slow", came)
            await anyio.wait_all_tasks_blocked()
        with turn:
            await anyio.wait_all_tasks_blocked()
            assert came == []
    assert came == ["slow"]


@pytest.mark.parametrize("is_let_in", [True, False])
async def test_a_task_that_is_cancelled_in_the_queue_holds_up_nobody(is_let_in: bool) -> None:
    turn, came = LeaderLock(), list[str]()
    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as scope:
            with turn:
                async with anyio.create_task_group() as doomed:
                    doomed.start_soon(come_and_tell, turn, "doomed", came)
                    await anyio.wait_all_tasks_blocked()
                    tasks.start_soon(come_and_tell, turn, "next", came)
                    await anyio.wait_all_tasks_blocked()
                    if is_let_in:
                        turn.pass_on()
                    doomed.cancel_scope.cancel()
        assert not scope.cancelled_caught
    assert came == ["next"]
    assert not turn.is_locked
