"""Every fault alone, with what must come of it: both tables equal, or an error that says it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dynaferry.cli import exit_codes
from dynaferry.errors import (
    AccessDeniedError,
    DynaferryError,
    PreflightError,
    ServiceGoneError,
    StateError,
    TableNotFoundError,
)
from dynaferry.run.copy_tables import execute
from dynaferry.run.outcome import Outcome
from dynaferry.stop import StopSignal
from tests.faults.judge import judge_finished, judge_state
from tests.faults.service import POISON, TWICE
from tests.faults.weather import FAULTS, Fault
from tests.faults.world import ROLE, RUN, TARGET, World, faulty_world, some_items
from tests.worlds.endpoint import Request

ITEMS = 300
SHORT_PATIENCE_SECONDS = 0.3


def at_request(world: World, operation: str, number: int, action: Callable[[], object]) -> None:
    """Does something when the data path asks for this the so-manieth time."""
    seen = 0

    def count(request: Request) -> None:
        nonlocal seen
        if request.operation == operation and "dynaferry" in request.headers["user-agent"]:
            seen += 1
            if seen == number:
                action()

    world.weather.before_request = count


def exit_code(outcome: Outcome) -> int:
    return exit_codes.of_outcome(outcome.summary.status, outcome.error)


async def assert_equal(world: World, outcome: Outcome, state_dir: Path) -> None:
    verdict = await judge_finished(
        world.service, world.source, world.target, outcome.summary, state_dir
    )
    assert verdict.is_good, str(verdict)


async def assert_copied(world: World, outcome: Outcome, state_dir: Path) -> None:
    assert outcome.error is None
    assert exit_code(outcome) == exit_codes.COMPLETE
    await assert_equal(world, outcome, state_dir)


async def assert_stopped(
    world: World,
    outcome: Outcome,
    state_dir: Path,
    kind: type[DynaferryError],
    code: int,
    *words: str,
) -> None:
    """With this error, and with a state that is true of what is on the target."""
    error = outcome.error
    assert isinstance(error, kind), repr(error)
    assert exit_code(outcome) == code
    said = f"{error.message} / {error.hint}"
    for word in words:
        assert word in said
    verdict = await judge_state(world.source, world.target, state_dir, RUN)
    assert verdict.is_good, str(verdict)


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_that_passes_costs_requests_and_no_item(tmp_path: Path, fault: Fault) -> None:
    async with faulty_world(some_items(ITEMS), shares={fault: 0.25}) as world:
        outcome = await execute(world.plan(tmp_path))
        assert world.weather.met[fault] > 0
        await assert_copied(world, outcome, tmp_path)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("throttled", "hroughput"),
        ("503", "ServiceUnavailable"),
        ("all unprocessed", "unprocessed"),
        ("no answer before", "timed out"),
        ("connection dropped after", "closed the connection"),
        ("answer corrupt", "checksum"),
        ("answer of somebody else", "not one"),
    ],
)
async def test_a_fault_that_stays_ends_the_run_resumably_once_patience_is_out(
    tmp_path: Path, fault: Fault, words: str
) -> None:
    async with faulty_world(some_items(ITEMS)) as world:
        at_request(world, "BatchWriteItem", 2, lambda: world.weather.set_shares({fault: 1.0}))
        plan = world.plan(tmp_path, patience_seconds=SHORT_PATIENCE_SECONDS)
        outcome = await execute(plan)
        gone = "accepted nothing for"
        await assert_stopped(
            world, outcome, tmp_path, ServiceGoneError, 5, gone, words, "same command"
        )
        assert world.weather.met[fault] >= 5
        world.weather.clear_up()
        # On a busy machine a request may take longer than that short patience.
        await assert_copied(world, await execute(world.plan(tmp_path)), tmp_path)


async def test_throttles_for_minutes_are_waited_out(tmp_path: Path) -> None:
    async with faulty_world(some_items(ITEMS)) as world:
        refused = 0

        def end_it(request: Request) -> None:
            nonlocal refused
            refused += "dynaferry" in request.headers["user-agent"]
            world.service.brown_out = 0 < refused < 12

        world.weather.before_request = end_it
        outcome = await execute(world.plan(tmp_path))
        await assert_copied(world, outcome, tmp_path)
        assert outcome.summary.tables[0].throttled_requests >= 8


@pytest.mark.parametrize("operation", ["Scan", "BatchWriteItem"])
async def test_a_policy_changed_mid_way_stops_at_once_and_names_the_action(
    tmp_path: Path, operation: str
) -> None:
    async with faulty_world(some_items(ITEMS)) as world:
        at_request(world, operation, 4, lambda: world.service.denied.add(operation))
        plan = world.plan(tmp_path, role=True)
        outcome = await execute(plan)
        await assert_stopped(
            world, outcome, tmp_path, AccessDeniedError, 5, operation, f"dynamodb:{operation}"
        )
        if operation == "BatchWriteItem":
            assert ROLE in str(outcome.error)
        world.service.mend()
        await assert_copied(world, await execute(plan), tmp_path)


async def test_a_session_that_expires_mid_way_is_renewed(tmp_path: Path) -> None:
    async with faulty_world(some_items(ITEMS)) as world:
        at_request(world, "BatchWriteItem", 4, world.service.end_sessions)
        outcome = await execute(world.plan(tmp_path, role=True))
        await assert_copied(world, outcome, tmp_path)
        assert world.service.oldest_session > 1
        assert world.service.sessions_given >= world.service.oldest_session


@pytest.mark.parametrize("offset_seconds", [-7200.0, 400.0, 86_400.0])
async def test_a_clock_that_jumps_mid_way_is_made_up_for(
    tmp_path: Path, offset_seconds: float
) -> None:
    async with faulty_world(some_items(ITEMS)) as world:

        def jump() -> None:
            world.service.clock_offset_seconds = offset_seconds

        at_request(world, "Scan", 4, jump)
        await assert_copied(world, await execute(world.plan(tmp_path)), tmp_path)
        assert world.service.clock_offset_seconds == offset_seconds


@pytest.mark.parametrize("jump_seconds", [-7200.0, 7200.0, 86_400.0])
@pytest.mark.parametrize("role", [False, True])
async def test_a_wrong_clock_at_the_start_is_made_up_for(
    tmp_path: Path, jump_seconds: float, role: bool
) -> None:
    async with faulty_world(some_items(3)) as world:
        world.service.clock_offset_seconds = jump_seconds
        await assert_copied(world, await execute(world.plan(tmp_path, role=role)), tmp_path)


async def test_a_target_that_is_updated_mid_way_is_written_on_and_resumed(tmp_path: Path) -> None:
    async with faulty_world(some_items(ITEMS)) as world:
        stop = StopSignal()

        def update() -> None:
            world.target.status = "UPDATING"
            stop.ask()

        at_request(world, "BatchWriteItem", 4, update)
        plan = world.plan(tmp_path)
        outcome = await execute(plan, stop=stop)
        assert exit_code(outcome) == exit_codes.INTERRUPTED
        assert world.target.status == "UPDATING"
        await assert_copied(world, await execute(plan), tmp_path)


async def test_a_target_dropped_mid_way_stops_and_only_a_restart_goes_on(tmp_path: Path) -> None:
    async with faulty_world(some_items(ITEMS)) as world:
        at_request(world, "BatchWriteItem", 4, lambda: world.service.drop(TARGET))
        plan = world.plan(tmp_path)
        outcome = await execute(plan)
        await assert_stopped(world, outcome, tmp_path, TableNotFoundError, 5, TARGET)
        # Without the table, and with another of its name, going on would lose what was written.
        gone = await execute(plan)
        assert isinstance(gone.error, PreflightError)
        assert exit_code(gone) == exit_codes.REFUSED
        world.create_target_again()
        another = await execute(plan)
        assert isinstance(another.error, StateError)
        assert exit_code(another) == exit_codes.REFUSED
        assert "--restart" in (another.error.hint or "")
        assert world.target.items == {}
        await assert_copied(world, await execute(world.plan(tmp_path, restart=True)), tmp_path)


async def test_a_source_dropped_mid_way_stops_and_is_never_taken_for_its_end(
    tmp_path: Path,
) -> None:
    async with faulty_world(some_items(ITEMS)) as world:
        source = world.source
        at_request(world, "Scan", 6, lambda: world.service.drop(source.name))
        outcome = await execute(world.plan(tmp_path))
        await assert_stopped(world, outcome, tmp_path, TableNotFoundError, 5, source.name)
        assert len(world.target.items) < ITEMS


@pytest.mark.parametrize("page_items", [ITEMS, ITEMS // 4, 1])
async def test_a_last_key_that_is_followed_by_nothing_ends_the_segment(
    tmp_path: Path, page_items: int
) -> None:
    async with faulty_world(some_items(ITEMS), page_items=page_items) as world:
        outcome = await execute(world.plan(tmp_path, segments=1))
        scans = world.service.operations[world.source.name, "Scan"]
        assert scans == ITEMS // page_items + 1
        await assert_copied(world, outcome, tmp_path)


async def test_a_poisoned_item_and_one_too_large_are_set_aside_and_the_rest_is_written(
    tmp_path: Path,
) -> None:
    bad = [
        b'{"pk":{"S":"bad"},"v":{"S":"%b"}}' % POISON,
        b'{"pk":{"S":"large"},"v":{"S":"%b"}}' % (b"x" * 400 * 1024),
    ]
    async with faulty_world([*some_items(ITEMS), *bad]) as world:
        outcome = await execute(world.plan(tmp_path))
        assert exit_code(outcome) == exit_codes.REJECTED
        assert outcome.summary.tables[0].items_rejected == 2
        await assert_equal(world, outcome, tmp_path)


async def test_an_item_that_comes_twice_in_a_page_is_no_bad_item(tmp_path: Path) -> None:
    twice = [b'{"pk":{"S":"twice %d"},"v":{"S":"%b"}}' % (n, TWICE) for n in range(5)]
    async with faulty_world([*some_items(40), *twice]) as world:
        outcome = await execute(world.plan(tmp_path))
        await assert_copied(world, outcome, tmp_path)
        assert outcome.summary.tables[0].items_read == 50
