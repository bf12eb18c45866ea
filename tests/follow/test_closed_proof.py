"""A stream that is disabled for a proof is read to its end, and is there again where nothing was
switched (simulator).
"""

import json
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from anyio import to_thread
from msgspec.structs import replace

from benchmarks.simulator import (
    NO_LATENCY,
    RunningSimulator,
    Settings,
    Stream,
    StreamEvent,
    Table,
    simulator,
)
from benchmarks.simulator.report import StreamReport
from dynaferry.dynamodb.environment.settings import whose_endpoint
from dynaferry.dynamodb.items.canonical import canonical
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.dynamodb.tables.enable_stream import disable_stream
from dynaferry.errors import AccessDeniedError
from dynaferry.follow import (
    capture,
    move_tables,
    quiet,
    resync,
    shard_reader,
    stream_closing,
    table_capture,
)
from dynaferry.follow.enabled_streams import (
    EnabledStream,
    closed_streams,
    enabled_streams,
    note_enabling,
)
from dynaferry.follow.late_writes import late_writes_of
from dynaferry.follow.stream_closing import (
    NO_LONGER_THERE,
    NOT_OURS,
    OF_A_GLOBAL_TABLE,
    StreamClosing,
    why_not_closed,
)
from dynaferry.follow.switched_table import CLOSED
from dynaferry.follow.table_capture import TableCapture
from dynaferry.plan.settings import Account, CopyPlan, TablePlan
from dynaferry.state.facts_file import CLOSED_SHARDS, Fact, ServiceFacts, write_facts
from dynaferry.state.move_records import Stage
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.stop import StopSignal
from tests.follow.moves import Moving
from tests.follow.test_after_go import switched
from tests.worlds.described import described

ITEMS = 150


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is on its way for longer."""
    monkeypatch.setattr(move_tables, "LATE_WRITE_SECONDS", 0.5)
    monkeypatch.setattr(resync, "SETTLE_SECONDS", 0.5)
    monkeypatch.setattr(quiet, "LEAST_SECONDS", 0.8)
    monkeypatch.setattr(quiet, "LEAST_POLLS", 2)
    monkeypatch.setattr(quiet, "_LIST_AFTER_SECONDS", 0.1)
    monkeypatch.setattr(shard_reader, "IDLE_POLL_SECONDS", 0.2)
    monkeypatch.setattr(capture, "HASTY_LISTING_SECONDS", 0.3)
    monkeypatch.setattr(table_capture, "LOOK_SECONDS", 0.5)


@asynccontextmanager
async def simulated(*, is_enabled: bool = False) -> AsyncIterator[RunningSimulator]:
    """A source with a stream, or without one yet, and an empty target."""
    stream = Stream(enabled=is_enabled, shards=3, delay_seconds=(0.05, 0.3))
    source = Table(name="source", items=ITEMS, latency=NO_LATENCY, stream=stream)
    target = Table(name="target", latency=NO_LATENCY, keeps_items=True)
    opening = simulator(Settings(tables=(source, target)))
    service = await to_thread.run_sync(opening.__enter__)
    try:
        yield service
    finally:
        await to_thread.run_sync(opening.__exit__, None, None, None)


def plan_of(service: RunningSimulator, state_dir: Path) -> CopyPlan:
    account = Account(region="us-east-1", endpoint_url=service.url)
    return CopyPlan(
        tables=(TablePlan("source", "target"),),
        source=account,
        target=account,
        state_dir=state_dir,
        run="orders",
        segments=4,
        readers=2,
        writers=2,
        enable_stream=True,
    )


@asynccontextmanager
async def following(plan: CopyPlan) -> AsyncIterator[Moving]:
    move = Moving(None, StopSignal())  # type: ignore[arg-type]

    async def run() -> None:
        move.outcome = await move_tables.execute(
            plan, stop=move.stop, show=move.show, say=move.said.append
        )

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        yield move
        move.stop.finish.set()


async def until_it_is(move: Moving, state_dir: Path, state: Stage) -> None:
    """By its table's word, and in the run's file."""
    await move.until(lambda: bool(move.tables) and move.tables[0].state == state)
    with anyio.fail_after(30):
        while True:
            if await stage(state_dir) == state:
                return
            await anyio.sleep(0.1)


async def write(service: RunningSimulator, *names: str) -> None:
    """Puts items into the source, past dynaferry."""
    for name in names:
        item = {"pk": {"S": name}, "version": {"N": str(time.monotonic_ns())}}
        await send(service, "PutItem", {"TableName": "source", "Item": item})


async def send(service: RunningSimulator, operation: str, body: dict[str, Any]) -> None:
    target = {"X-Amz-Target": f"DynamoDB_20120810.{operation}"}
    request = urllib.request.Request(service.url, json.dumps(body).encode(), target)  # noqa: S310
    await to_thread.run_sync(lambda: urllib.request.urlopen(request).read())  # noqa: S310


async def differing(service: RunningSimulator) -> set[bytes]:
    source, target = [
        {canonical(item) for item in await to_thread.run_sync(service.items, table)}
        for table in ("source", "target")
    ]
    return source ^ target


async def stage(state_dir: Path) -> Stage | None:
    file = await MoveFile.open(state_dir, "orders")
    move = await file.read_move()
    await file.aclose()
    return None if move is None else move.stage


def measured(service: RunningSimulator, state_dir: Path) -> None:
    """As if `bench facts` had found that it holds."""
    fact = Fact(name=CLOSED_SHARDS, verdict="holds", assumption="all", line="all were there")
    facts = ServiceFacts(
        account="123456789012",
        region="us-east-1",
        service=whose_endpoint(service.url),
        measured_at="2026-11-28T10:00:00+00:00",
        dynaferry="0",
        facts=[fact],
    )
    write_facts(state_dir, facts)


async def ours_of(state_dir: Path) -> list[EnabledStream]:
    return await to_thread.run_sync(enabled_streams, state_dir, "orders")


async def stream_of(service: RunningSimulator) -> StreamReport:
    report = await to_thread.run_sync(service.report)
    stream = report.tables["source"].stream
    assert stream is not None
    return stream


async def test_a_go_by_a_closed_stream_holds_everything_and_is_proof_where_that_was_measured(
    tmp_path: Path,
) -> None:
    async with simulated() as service:
        plan = plan_of(service, tmp_path)
        async with following(plan) as move:
            await until_it_is(move, tmp_path, "following")
            await to_thread.run_sync(measured, service, tmp_path)
            await write(service, *(f"new-{n}" for n in range(30)))
            answer = await switched(tmp_path, proof="closed")
            assert answer.outcome == "go", answer
            assert "drained" in answer.reply.proven
            assert any("proof, measured for account" in told for told in answer.reply.shown)
            assert await differing(service) == set()
            assert await ours_of(tmp_path) == []
            # What is written behind it leaves no record: the comparison behind the go finds it.
            await until_it_is(move, tmp_path, "switched")
            late = await to_thread.run_sync(late_writes_of, tmp_path, plan.run_name, 0)
            assert (late.keys, late.lost) == (0, (CLOSED,))
        ended = await stream_of(service)
        assert ended.open_shards == 0
        # Another process goes on behind the switch, though the source has no stream.
        async with following(plan) as move:
            await until_it_is(move, tmp_path, "switched")
            await anyio.sleep(1.5)
            assert move.outcome is None
        assert (await stream_of(service)).arn == ended.arn


async def test_a_stream_that_was_closed_for_nothing_is_there_again_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with simulated() as service, following(plan_of(service, tmp_path)) as move:
        await until_it_is(move, tmp_path, "following")
        first = (await ours_of(tmp_path))[0]
        with monkeypatch.context() as never:
            never.setattr(TableCapture, "is_drained", property(lambda _: False))
            answer = await switched(tmp_path, proof="closed", timeout_seconds=5.0)
        assert answer.outcome == "not ready"
        assert "5 s are over" in answer.reply.reasons[0]
        await write(service, "between")  # in neither stream, perhaps
        await move.until(lambda: move.has_said("every key was compared since"))
        await until_it_is(move, tmp_path, "following")
        assert await differing(service) == set()
        second = (await ours_of(tmp_path))[0]
        assert second.stream != first.stream
        # And it may be switched then, by what is observed: nobody has measured the other.
        await write(service, "another")
        answer = await switched(tmp_path, proof="closed")
        assert (answer.outcome, "drained" in answer.reply.proven) == ("go", False)
        assert any("has not measured it" in told for told in answer.reply.not_shown)
        assert await differing(service) == set()


async def test_a_stream_that_cannot_be_enabled_again_is_told_to_whoever_asks_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object, **__: object) -> None:
        raise AccessDeniedError("you may not", operation="UpdateTable")

    monkeypatch.setattr(stream_closing, "RETRY_SECONDS", 0.5)
    async with simulated() as service, following(plan_of(service, tmp_path)) as move:
        await until_it_is(move, tmp_path, "following")
        with monkeypatch.context() as never:
            never.setattr(TableCapture, "is_drained", property(lambda _: False))
            never.setattr(stream_closing, "enable_stream", refused)
            answer = await switched(tmp_path, proof="closed", timeout_seconds=4.0)
            assert answer.outcome == "not ready"
            await move.until(lambda: move.has_said("cannot be enabled again"))
            answer = await switched(tmp_path, timeout_seconds=5.0)
            assert answer.outcome == "not ready"
            assert answer.reply.reasons == (
                "source: its stream is disabled and cannot be enabled again: you may not",
            )
        await move.until(lambda: move.has_said("every key was compared since"))
        await until_it_is(move, tmp_path, "following")
        assert (await switched(tmp_path)).outcome == "go"


async def test_killed_behind_the_call_that_disables_it_another_process_enables_it_again(
    tmp_path: Path,
) -> None:
    async with simulated() as service:
        plan = plan_of(service, tmp_path)
        async with following(plan) as move:
            await until_it_is(move, tmp_path, "following")
        ours = (await ours_of(tmp_path))[0]
        await note_enabling(tmp_path, "orders", ours.table, ours.stream, closed_at=time.time())
        await to_thread.run_sync(service.stream, "source", StreamEvent(do="disable"))
        await write(service, "between")
        assert len(await to_thread.run_sync(closed_streams, tmp_path, "orders")) == 1
        # It was ours: nobody is asked, and no flag is needed.
        async with following(replace(plan, enable_stream=False)) as move:
            await move.until(lambda: move.has_said("every key was compared since"))
            await until_it_is(move, tmp_path, "following")
            assert await differing(service) == set()
        assert await to_thread.run_sync(closed_streams, tmp_path, "orders") == []


async def test_where_the_role_may_not_disable_it_nothing_has_changed_and_it_may_switch_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object, **__: object) -> None:
        raise AccessDeniedError("you may not", operation="UpdateTable")

    monkeypatch.setattr(stream_closing, "disable_stream", refused)
    monkeypatch.setattr(stream_closing, "enable_stream", refused)
    async with simulated() as service, following(plan_of(service, tmp_path)) as move:
        await until_it_is(move, tmp_path, "following")
        before = await ours_of(tmp_path)
        answer = await switched(tmp_path, proof="closed")
        assert (answer.outcome, answer.reply.reasons) == ("not ready", ("you may not",))
        await until_it_is(move, tmp_path, "following")
        assert [each.stream for each in await ours_of(tmp_path)] == [before[0].stream]
        assert (await switched(tmp_path)).outcome == "go"


async def test_interrupted_while_it_is_disabled_it_says_so_and_the_same_command_enables_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_off = anyio.Event()

    async def disabled(*args: Any, **more: Any) -> None:
        await disable_stream(*args, **more)
        is_off.set()

    async with simulated() as service:
        plan = plan_of(service, tmp_path)
        with monkeypatch.context() as never:
            never.setattr(TableCapture, "is_drained", property(lambda _: False))
            never.setattr(stream_closing, "disable_stream", disabled)
            async with anyio.create_task_group() as asking, following(plan) as move:
                await until_it_is(move, tmp_path, "following")
                asking.start_soon(partial(switched, tmp_path, proof="closed"))
                with anyio.fail_after(30):
                    await is_off.wait()
        assert not move.has_said("is being enabled again")
        assert move.has_said(
            "its stream is disabled; what is written as long as it is off is in none"
        )
        assert (await stream_of(service)).open_shards == 0
        async with following(plan) as move:
            await move.until(lambda: move.has_said("every key was compared since"))
            assert (await stream_of(service)).open_shards > 0


async def test_interrupted_while_it_is_enabled_again_it_does_not_say_how_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, said = described(stream_arn="arn:aws:dynamodb:r:1:table/t/stream/1"), list[str]()

    async def seen(*_: object) -> TableDescription:
        return table

    async def done(*_: object, **__: object) -> None:
        return None

    async def never_answered(*_: object, **__: object) -> None:
        await anyio.sleep_forever()

    for name, call in (("describe", seen), ("disable", done), ("enable", never_answered)):
        kind = "table" if name == "describe" else "stream"
        monkeypatch.setattr(stream_closing, f"{name}_{kind}", call)
    monkeypatch.setattr(stream_closing, "note_enabling", done)
    stats = SimpleNamespace(trouble=None)
    capture = SimpleNamespace(is_to_end=False, current=None, stats=stats)
    followed: Any = SimpleNamespace(number=0, source="source", capture=capture)
    plan = replace(CopyPlan(tables=(TablePlan("source", "target"),)), state_dir=tmp_path, run="r")
    nobody: Any = None
    closing = StreamClosing(plan, nobody, [followed], said.append)
    await closing.close()
    with anyio.move_on_after(0.2):
        await closing.reopen()
    assert "is being enabled again" in said[-2]
    assert said[-1].startswith("source: its stream may be disabled; what")


async def test_left_between_the_note_and_the_call_the_stream_is_noted_as_on_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def noted_slowly(*args: Any, closed_at: float | None = None, **more: Any) -> None:
        await note_enabling(*args, closed_at=closed_at, **more)
        if closed_at is not None:
            await anyio.sleep_forever()

    monkeypatch.setattr(stream_closing, "note_enabling", noted_slowly)
    async with simulated() as service, following(plan_of(service, tmp_path)) as move:
        await until_it_is(move, tmp_path, "following")
        (before,) = await ours_of(tmp_path)
        answer = await switched(tmp_path, proof="closed", timeout_seconds=4.0)
        assert answer.outcome == "not ready"
        with anyio.fail_after(20):
            while await to_thread.run_sync(closed_streams, tmp_path, "orders"):  # noqa: ASYNC110
                await anyio.sleep(0.1)
        # So whoever ends the move is told of it, and the next attempt may disable it.
        assert [each.stream for each in await ours_of(tmp_path)] == [before.stream]
        monkeypatch.setattr(stream_closing, "note_enabling", note_enabling)
        assert (await switched(tmp_path, proof="closed")).outcome == "go"


async def test_killed_before_that_call_it_goes_on_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with simulated() as service:
        plan = plan_of(service, tmp_path)
        async with following(plan) as move:
            await until_it_is(move, tmp_path, "following")
        (ours,) = await ours_of(tmp_path)
        await note_enabling(tmp_path, "orders", ours.table, ours.stream, closed_at=time.time())
        async with following(plan) as move:
            await until_it_is(move, tmp_path, "following")
            assert move.tables[0].gaps_ever == 0
        assert [each.stream for each in await ours_of(tmp_path)] == [ours.stream]


async def test_a_stream_that_others_may_read_is_never_disabled(tmp_path: Path) -> None:
    async with simulated(is_enabled=True) as service:
        async with following(plan_of(service, tmp_path)) as move:
            await until_it_is(move, tmp_path, "following")
            answer = await switched(tmp_path, proof="closed")
            assert answer.outcome == "refused"
            assert answer.reply.reasons == (f"source: {NOT_OURS}",)
            assert await stage(tmp_path) == "following"
        assert (await stream_of(service)).open_shards == 3


def test_only_ones_own_stream_may_be_closed_and_never_that_of_a_global_table() -> None:
    arn = "arn:aws:dynamodb:us-east-1:111111111111:table/orders/stream/1"
    table = described(stream_arn=arn)
    assert why_not_closed(table, {arn}) is None
    assert why_not_closed(table, {f"{arn}0"}) == NOT_OURS
    assert why_not_closed(replace(table, stream_arn=None), {arn}) == NO_LONGER_THERE
    assert why_not_closed(replace(table, replicas=("eu-west-1",)), {arn}) == OF_A_GLOBAL_TABLE
