"""What a stored move lets go on, and begin anew."""

import itertools
from pathlib import Path

import anyio
import pytest

from dynaferry.errors import StateError
from dynaferry.follow.asking import MoveAsker, check_goes_on, end_alone
from dynaferry.follow.move_state import MoveCommand
from dynaferry.state.move_records import Stage, TransitionOutcome, TransitionRequest
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.stop import StopSignal
from tests.state.contract import CREATED_AT, IDENTITY, SETTINGS, VERSION


async def stored(state_dir: Path, *stages: Stage) -> None:
    store = await SqliteStore.create(state_dir, "orders", IDENTITY, SETTINGS, VERSION, CREATED_AT)
    await store.aclose()
    if stages:
        file = await MoveFile.open(state_dir, "orders")
        await file.begin_move(stages[0], CREATED_AT, has_way_back=False)
        for before, stage in itertools.pairwise(stages):
            assert await file.enter(stage, before, CREATED_AT)
        await file.aclose()


@pytest.mark.parametrize(
    ("stages", "restart", "told"),
    [
        ((), False, None),
        ((), True, None),
        (("following",), False, None),
        (("following",), True, None),
        (("cutting-over", "switched"), False, None),
        (("cutting-over", "switched"), True, "in use"),
        (("cutting-over", "switched", "finished"), False, "is finished"),
        (("cutting-over", "switched", "finished"), True, "in use"),
        (("following", "aborted"), False, "is aborted"),
        (("following", "aborted"), True, None),
    ],
)
async def test_a_move_goes_on_or_begins_anew_unless_its_target_is_in_use_or_it_is_over(
    tmp_path: Path, stages: tuple[Stage, ...], restart: bool, told: str | None
) -> None:
    await stored(tmp_path, *stages)
    if told is None:
        await check_goes_on(tmp_path, "orders", restart=restart)
    else:
        with pytest.raises(StateError, match=told):
            await check_goes_on(tmp_path, "orders", restart=restart)


async def test_what_is_not_there_yet_goes_on(tmp_path: Path) -> None:
    await check_goes_on(tmp_path, "orders", restart=False)


@pytest.mark.parametrize(
    ("stages", "end", "is_ended"),
    [
        (("following",), "aborted", True),
        (("following", "aborted"), "aborted", True),
        (("following",), "finished", False),
        (("cutting-over", "switched"), "aborted", False),
        (("cutting-over", "switched"), "finished", True),
    ],
)
async def test_a_move_that_no_process_moves_is_ended_where_its_state_lets_it(
    tmp_path: Path, stages: tuple[Stage, ...], end: Stage, is_ended: bool
) -> None:
    await stored(tmp_path, *stages)
    file = await MoveFile.open(tmp_path, "orders")
    assert await end_alone(file, end) == is_ended
    move = await file.read_move()
    assert move is not None
    assert move.stage == (end if is_ended else stages[-1])
    await file.aclose()


@pytest.mark.parametrize(("stage", "outcome"), [("switched", "done"), ("re-syncing", "refused")])
async def test_what_is_refused_because_it_was_done_meanwhile_was_done(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: Stage,
    outcome: TransitionOutcome,
) -> None:
    """Whoever asked before was killed, and its cut-over went on for a moment."""
    await stored(tmp_path, "following")
    moves = await MoveFile.open(tmp_path, "orders")
    asks = await MoveFile.open(tmp_path, "orders")

    async def is_running(_: MoveAsker) -> bool:
        return True

    async def goes_meanwhile() -> None:
        while True:
            await anyio.sleep(0.01)
            if found := await moves.read_open():
                await moves.enter("cutting-over", "following", CREATED_AT)
                await moves.enter(stage, "cutting-over", CREATED_AT)
                await moves.end(found[0].number, "refused", CREATED_AT)
                return

    monkeypatch.setattr(MoveAsker, "is_running", is_running)
    asker = MoveAsker(asks, tmp_path, "orders", StopSignal(), lambda _: None)
    async with anyio.create_task_group() as group:
        group.start_soon(goes_meanwhile)
        answer = await asker.ask("cut-over", TransitionRequest(what="cut-over"))
    assert answer.outcome == outcome
    assert answer.is_done_already is (outcome == "done")
    await asks.aclose()
    await moves.aclose()


@pytest.mark.parametrize(
    ("command", "stages", "outcome", "told"),
    [
        ("cut-back", ("following",), "refused", "nothing was switched"),
        ("cut-back", ("cutting-over",), "not ready", "nothing was switched"),
        ("cut-back", ("cutting-over", "switched"), "refused", "--way-back none"),
        ("cut-over", ("cutting-over", "switched", "going-back"), "not ready", "on its way back"),
        ("cut-over", ("cutting-over", "switched", "finished"), "refused", "is finished"),
        ("cut-over", ("following", "aborted"), "refused", "is aborted"),
        # Whoever answers is not there: these are asked.
        ("cut-over", ("following",), "withdrawn", "does not respond"),
        ("cut-over", ("cutting-over",), "withdrawn", "does not respond"),
        ("cut-over", ("copying",), "withdrawn", "does not respond"),
        ("cut-back", ("cutting-over", "switched", "going-back"), "withdrawn", "does not respond"),
    ],
)
async def test_a_check_is_of_the_way_that_it_is_asked_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: MoveCommand,
    stages: tuple[Stage, ...],
    outcome: str,
    told: str,
) -> None:
    for name in ("CHECK_SECONDS", "GRACE_SECONDS"):
        monkeypatch.setattr(f"dynaferry.follow.asking.{name}", 0.1)
    await stored(tmp_path, *stages)

    async def is_running(_: MoveAsker) -> bool:
        return True

    monkeypatch.setattr(MoveAsker, "is_running", is_running)
    file = await MoveFile.open(tmp_path, "orders")
    asker = MoveAsker(file, tmp_path, "orders", StopSignal(), lambda _: None)
    answer = await asker.ask(command, TransitionRequest(what="check"))
    await file.aclose()
    assert answer.outcome == outcome
    assert told in answer.reply.reasons[0]
