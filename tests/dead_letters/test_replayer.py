"""Dead letters against a target in memory, with a real state file."""

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from msgspec import Raw

from dynaferry.dead_letters.replayer import LETTERS_AT_ONCE, PRESENT_CODE, Replayer
from dynaferry.errors import (
    AccessDeniedError,
    ItemRefusedError,
    StateWriteError,
    ThrottledError,
    UnavailableError,
)
from dynaferry.observe.stats import TableStats
from dynaferry.plan.recorded import recorded_settings
from dynaferry.plan.settings import IfPresent
from dynaferry.ports import PutResult
from dynaferry.state.records import (
    DeadLetter,
    SegmentRecord,
    TableCounters,
)
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.stop import StopSignal
from dynaferry.throttle.limiter import CapLimiter
from dynaferry.throttle.pause import PauseGate
from dynaferry.throttle.retry import Patience, RetryPolicy
from tests.copy.small_copy import RUN, small_identity, small_plan
from tests.state.stored_letters import stored_letters
from tests.worlds.fakes import key_in, wire_item

NOW = 1_700_000_000.0


@dataclass
class OneByOne:
    """Keeps what it is given. `before_put` may raise or wait."""

    items: dict[str, bytes] = field(default_factory=dict)
    puts: list[str] = field(default_factory=list)
    before_put: Callable[[str], Awaitable[None]] | None = None
    open_puts: int = 0
    most_open_puts: int = 0

    async def put_item(self, item: Raw, *, overwrite: bool) -> PutResult:
        key = key_in(item)
        self.puts.append(key)
        self.open_puts += 1
        self.most_open_puts = max(self.most_open_puts, self.open_puts)
        try:
            await anyio.lowlevel.checkpoint()
            if self.before_put is not None:
                await self.before_put(key)
        finally:
            self.open_puts -= 1
        there = self.items.get(key)
        if there is not None and not overwrite:
            return PutResult("same" if there == bytes(item) else "other")
        self.items[key] = bytes(item)
        return PutResult(None, 1.0)

    def units_of(self, items: Sequence[Raw]) -> float:
        return float(len(items))


def letter(number: int, segment: int = 0) -> DeadLetter:
    item = bytes(wire_item(f"k{number:05}"))
    return DeadLetter(
        table=0,
        segment=segment,
        page=0,
        key=item,
        item=item,
        error_code="ValidationException",
        error_message="at the time of the copy",
        time=1.0,
    )


def record(segment: int, rejected: int) -> SegmentRecord:
    return SegmentRecord(
        segment=segment,
        pages=1,
        last_evaluated_key=None,
        complete=True,
        items_read=rejected + 100,
        items_written=100,
        items_rejected=rejected,
        items_filtered=0,
        bytes_read=1,
    )


@dataclass
class Replay:
    """A run with letters, and a replayer of them."""

    store: SqliteStore
    target: OneByOne
    stats: TableStats
    replayer: Replayer
    gate: PauseGate
    settled: list[tuple[int, int]] = field(default_factory=list)

    async def make(self, stop: StopSignal | None = None) -> None:
        await self.replayer.replay(
            stop or StopSignal(), lambda written, refused: self.settled.append((written, refused))
        )

    async def counts(self) -> tuple[int, int, int]:
        """Read, written, rejected, as stored."""
        totals = await self.store.read_totals(0)
        return totals.items_read, totals.items_written, totals.items_rejected


@asynccontextmanager
async def replay_of(
    state_dir: Path,
    letters: int,
    *,
    if_present: IfPresent = "keep",
    store_type: type[SqliteStore] = SqliteStore,
) -> AsyncIterator[Replay]:
    plan = small_plan(state_dir)
    identity, settings = small_identity(1), recorded_settings(plan)
    store = await store_type.create(state_dir, RUN, identity, settings, "0", 0.0)
    try:
        await store.begin_attempt("0", 0.0)
        await store.add_dead_letters([letter(n) for n in range(letters)])
        await store.checkpoint(0, [record(0, letters)], TableCounters(write_units=100.0))
        await store.end_attempt("rejected", 1.0)
        target, gate = OneByOne(), PauseGate()
        stats = TableStats(source="orders", target="orders", segments_total=1, write_units=100.0)
        replayer = Replayer(
            target,
            stats,
            table=0,
            store=store,
            limiter=CapLimiter([], gate),
            retry=RetryPolicy("target", Patience(5.0), sleep=_no_wait),
            if_present=if_present,
            writers=8,
            clock=lambda: NOW,
        )
        yield Replay(store, target, stats, replayer, gate)
    finally:
        await store.aclose()


async def _no_wait(_: float) -> None:
    await anyio.lowlevel.checkpoint()


def refusing(*numbers: int) -> Callable[[str], Awaitable[None]]:
    async def refuse(key: str) -> None:
        if key in {f"k{number:05}" for number in numbers}:
            raise ItemRefusedError("still no", code="StillWrong")

    return refuse


async def test_every_letter_is_written_once_and_the_run_is_complete(tmp_path: Path) -> None:
    async with replay_of(tmp_path, 60) as replay:
        await replay.make()
        assert sorted(replay.target.puts) == sorted(replay.target.items)
        assert len(replay.target.items) == 60
        assert await replay.counts() == (160, 160, 0)
        assert await stored_letters(replay.store) == []
        assert (await replay.store.read_run()).status == "complete"
        assert (await replay.store.read_counters(0)).write_units == 160.0
        assert sum(written for written, _ in replay.settled) == 60
        assert 1 < replay.target.most_open_puts <= 8


async def test_what_is_refused_again_is_tried_once_and_kept_with_the_new_reason(
    tmp_path: Path,
) -> None:
    async with replay_of(tmp_path, 60) as replay:
        replay.target.before_put = refusing(3, 59)
        await replay.make()
        assert await replay.counts() == (160, 158, 2)
        kept = await stored_letters(replay.store)
        assert [(k.item, k.error_code, k.error_message, k.time) for k in kept] == [
            (letter(n).item, "StillWrong", "still no", NOW) for n in (3, 59)
        ]
        assert (await replay.store.read_run()).status == "rejected"
        assert replay.target.puts.count("k00003") == 1


async def test_an_item_that_is_there_as_it_should_be_is_counted_as_written(tmp_path: Path) -> None:
    async with replay_of(tmp_path, 2) as replay:
        replay.target.items["k00000"] = letter(0).item
        await replay.make()
        assert await replay.counts() == (102, 102, 0)


@pytest.mark.parametrize(
    ("if_present", "counts", "there"),
    [
        ("keep", (102, 101, 1), b"changed since"),
        ("overwrite", (102, 102, 0), letter(0).item),
        ("accept", (102, 102, 0), b"changed since"),
    ],
)
async def test_another_item_under_the_key_is_overwritten_only_when_asked_for(
    tmp_path: Path, if_present: IfPresent, counts: tuple[int, int, int], there: bytes
) -> None:
    async with replay_of(tmp_path, 2, if_present=if_present) as replay:
        replay.target.items["k00000"] = b"changed since"
        await replay.make()
        assert await replay.counts() == counts
        assert replay.target.items["k00000"] == there
        for kept in await stored_letters(replay.store):
            assert kept.error_code == PRESENT_CODE
            assert "--if-present" in kept.error_message


async def test_throttles_and_passing_failures_are_tried_again_and_counted(tmp_path: Path) -> None:
    async with replay_of(tmp_path, 3) as replay:
        failures = [
            ThrottledError("slow down", code="ThrottlingException"),
            UnavailableError("gone for a moment"),
        ]

        async def fail_twice(_: str) -> None:
            if failures:
                raise failures.pop()

        replay.target.before_put = fail_twice
        await replay.make()
        assert await replay.counts() == (103, 103, 0)
        counters = await replay.store.read_counters(0)
        assert (counters.throttled_requests, counters.retried_requests) == (1, 2)


async def test_a_denied_put_ends_it_and_what_was_settled_stays_so(tmp_path: Path) -> None:
    async with replay_of(tmp_path, LETTERS_AT_ONCE + 5) as replay:

        async def deny_later(key: str) -> None:
            if key == f"k{LETTERS_AT_ONCE + 1:05}":
                raise AccessDeniedError("no dynamodb:PutItem")

        replay.target.before_put = deny_later
        with pytest.raises(ExceptionGroup) as raised:
            await replay.make()
        assert raised.value.subgroup(AccessDeniedError) is not None
        assert await replay.counts() == (130, 125, 5)
        assert len(await stored_letters(replay.store)) == 5


async def test_a_stop_settles_what_is_in_flight_and_takes_no_more(tmp_path: Path) -> None:
    async with replay_of(tmp_path, 3 * LETTERS_AT_ONCE) as replay:
        stop = StopSignal()

        async def ask_to_stop(key: str) -> None:
            if key == "k00030" and not stop.asked:
                stop.ask()

        replay.target.before_put = ask_to_stop
        await replay.make(stop)
        assert await replay.counts() == (175, 150, 25)
        assert len(replay.target.puts) == 2 * LETTERS_AT_ONCE


async def test_letters_that_wait_for_a_pause_do_not_keep_a_stop_waiting_and_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dynaferry.dead_letters.replayer.IN_FLIGHT_GRACE_SECONDS", math.inf)
    async with replay_of(tmp_path, LETTERS_AT_ONCE) as replay:
        stop, paused = StopSignal(), anyio.Event()

        async def pause_at_the_tenth(_: str) -> None:
            if len(replay.target.puts) >= 10:
                replay.gate.close()
                paused.set()

        async def stop_in_the_pause() -> None:
            await paused.wait()
            stop.ask()

        replay.target.before_put = pause_at_the_tenth
        with anyio.fail_after(30):
            async with anyio.create_task_group() as beside:
                beside.start_soon(stop_in_the_pause)
                await replay.make(stop)
        puts = len(replay.target.puts)
        assert 10 <= puts < LETTERS_AT_ONCE
        assert await replay.counts() == (125, 100 + puts, LETTERS_AT_ONCE - puts)
        assert len(await stored_letters(replay.store)) == LETTERS_AT_ONCE - puts


async def test_nothing_is_counted_that_could_not_be_stored_and_the_next_replay_finds_it_there(
    tmp_path: Path,
) -> None:
    class FailingOnce(SqliteStore):
        failed = False

        async def settle_dead_letters(
            self,
            table: int,
            *,
            written: Sequence[DeadLetter],
            refused: Sequence[DeadLetter],
            counters: TableCounters,
        ) -> None:
            if not self.failed:
                self.failed = True
                raise StateWriteError("the disk is full")
            await super().settle_dead_letters(
                table, written=written, refused=refused, counters=counters
            )

    async with replay_of(tmp_path, 4, store_type=FailingOnce) as replay:
        with pytest.raises(StateWriteError):
            await replay.make()
        assert await replay.counts() == (104, 100, 4)
        assert len(replay.target.items) == 4
        await replay.make()
        assert await replay.counts() == (104, 104, 0)
