"""Benchmarks of people's tables: on moto for the scratch table, on the simulator for the rest."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from benchmarks.simulator import NO_LATENCY, OnDemand, Provisioned, Settings, Table, simulator
from dynaferry.bench import scratch
from dynaferry.bench.run import Bench
from dynaferry.bench.settings import BenchPlan, BenchSummary, read_plan, write_plan
from dynaferry.bench.work import Measured
from dynaferry.cli.commands.bench import summary_lines
from dynaferry.cli.main import run_command
from dynaferry.errors import DynaferryError, PlanError, StateError
from dynaferry.plan.settings import Account
from dynaferry.stop import StopSignal
from tests.worlds.moto import REGION, SOURCE_ACCOUNT_ID, MotoWorld
from tests.worlds.terminal import END_OF_INPUT, terminal

ORDERS = Table(name="orders", items=3000, latency=NO_LATENCY, capacity=OnDemand())


async def _bench(
    plan: BenchPlan, stop: StopSignal | None = None, **settings: Any
) -> tuple[BenchSummary, DynaferryError | None, list[str]]:
    said: list[str] = []
    bench = Bench(plan, stop=stop or StopSignal(), say=said.append, **settings)
    summary, error = await bench.run()
    return summary, error, said


async def _stop_soon(stop: StopSignal, measured: Measured) -> None:
    while measured.items == 0:  # noqa: ASYNC110  # it is a plain counter
        await anyio.sleep(0.01)
    stop.ask()


async def _tables(world: MotoWorld) -> list[str]:
    return list((await world.source_tables.call("ListTables", {}))["TableNames"])


# The scratch table -----------------------------------------------------------------------------


async def test_a_scratch_table_is_written_measured_and_dropped(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    plan = write_plan(moto_world.source, seconds=0.5, workers=4, sort_key=True, state_dir=tmp_path)
    summary, error, said = await _bench(plan)
    assert error is None
    assert summary.status == "complete"
    assert summary.items > 0
    assert summary.scratch_dropped is True
    assert summary.latency_milliseconds is not None
    assert summary.latency_milliseconds.p50 > 0
    assert summary.forecast is not None
    assert (summary.table or "").startswith("dynaferry-bench-")
    assert await _tables(moto_world) == []
    assert list((tmp_path / scratch.NOTES).iterdir()) == []
    assert [line.split()[0] for line in said] == ["created", "dropped"]


async def test_a_stop_ends_it_and_still_drops_the_table(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    stop = StopSignal()

    async def watch(measured: Measured) -> None:
        await _stop_soon(stop, measured)

    plan = write_plan(moto_world.source, seconds=60.0, workers=2, state_dir=tmp_path)
    summary, error, _ = await _bench(plan, stop, watch=watch)
    assert error is None
    assert (summary.status, summary.scratch_dropped) == ("interrupted", True)
    assert await _tables(moto_world) == []


async def test_a_second_stop_cancels_and_still_drops_the_table(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    stop = StopSignal()

    async def watch(measured: Measured) -> None:
        await _stop_soon(stop, measured)
        stop.ask()

    plan = write_plan(moto_world.source, seconds=60.0, workers=2, state_dir=tmp_path)
    summary, _, _ = await _bench(plan, stop, watch=watch)
    assert (summary.status, summary.scratch_dropped) == ("interrupted", True)
    assert await _tables(moto_world) == []
    assert list((tmp_path / scratch.NOTES).iterdir()) == []


def _start_writing(world: MotoWorld, state_dir: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "dynaferry", "bench", "write", "--yes", "--seconds", "60"]
    command += ["--writers", "2", "--target-region", REGION, "--state-dir", str(state_dir)]
    command += ["--target-endpoint-url", world.url]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    assert child.stderr is not None
    assert child.stderr.readline().startswith("created")
    return child


async def test_after_a_kill_the_next_run_names_the_table_that_was_left(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    with _start_writing(moto_world, tmp_path) as child:
        child.kill()
    (left,) = await _tables(moto_world)
    plan = write_plan(moto_world.source, seconds=0.1, workers=1, state_dir=tmp_path)
    for _ in range(2):
        _, _, said = await _bench(plan)
        assert f"an earlier run has left the scratch table {left}" in said[0]
        arn = f"arn:aws:dynamodb:{REGION}:{SOURCE_ACCOUNT_ID}:table/{left}"
        assert f"aws dynamodb delete-table --table-name {arn} --region {REGION}" in said[0]
    await moto_world.source_tables.call("DeleteTable", {"TableName": left})
    _, _, said = await _bench(plan)
    assert not any(left in line for line in said)
    assert list((tmp_path / scratch.NOTES).iterdir()) == []


async def test_ctrl_c_drops_the_table_before_the_process_ends(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    with _start_writing(moto_world, tmp_path) as child:
        child.send_signal(signal.SIGINT)
        assert await anyio.to_thread.run_sync(child.wait) == 130
    assert await _tables(moto_world) == []


def test_a_note_that_cannot_be_read_is_reported_and_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "dynaferry-bench-1.json").write_text("{")
    with pytest.raises(StateError, match="dynaferry-bench-1"):
        scratch.notes(tmp_path)


# Cost, throttles and forecasts, on the simulator -----------------------------------------------


def _account(url: str) -> Account:
    return Account(region=REGION, endpoint_url=url)


async def test_writing_stops_under_its_cost_ceiling_as_the_service_counts(tmp_path: Path) -> None:
    target = Table(name="orders", latency=NO_LATENCY, capacity=OnDemand(write_units=40_000))
    with simulator(Settings(tables=(target,))) as simulated:
        plan = write_plan(
            _account(simulated.url),
            table="orders",
            seconds=30.0,
            max_cost=0.001,
            workers=8,
            state_dir=tmp_path,
        )
        summary, error, _ = await _bench(plan)
        seen = simulated.report().tables["orders"]
    assert error is None
    assert summary.status == "cost_ceiling"
    assert 0 < summary.cost_dollars <= 0.001
    assert summary.cost_dollars == pytest.approx(summary.units * 0.625 / 1e6, abs=1e-6)
    assert summary.items == seen.total(lambda second: second.items_written)
    assert summary.scratch_dropped is None


async def test_throttles_are_counted_and_what_is_provisioned_costs_nothing(tmp_path: Path) -> None:
    slow = Table(
        name="orders",
        latency=NO_LATENCY,
        capacity=Provisioned(write_units=50, read_units=50, burst_seconds=1),
    )
    with simulator(Settings(tables=(slow,))) as simulated:
        plan = write_plan(
            _account(simulated.url), table="orders", seconds=1.0, workers=8, state_dir=tmp_path
        )
        summary, _, _ = await _bench(plan)
    assert summary.throttled_requests + summary.unprocessed_items > 0
    assert summary.cost_dollars == 0.0
    assert summary.status == "complete"


async def test_a_read_ends_with_the_table_and_forecasts_the_whole_of_it(tmp_path: Path) -> None:
    with simulator(Settings(tables=(ORDERS,))) as simulated:
        plan = read_plan(_account(simulated.url), "orders", seconds=30.0, state_dir=tmp_path)
        summary, error, _ = await _bench(plan)
    assert error is None
    assert summary.status == "complete"
    assert summary.items == 3000
    assert summary.forecast is not None
    assert summary.forecast.items == 3000
    assert summary.forecast.units == pytest.approx(summary.units, rel=0.01)


async def test_a_table_that_is_not_there_is_an_error_and_costs_nothing(tmp_path: Path) -> None:
    with simulator(Settings(tables=(ORDERS,))) as simulated:
        plan = read_plan(_account(simulated.url), "nothing", state_dir=tmp_path)
        summary, error, _ = await _bench(plan)
    assert error is not None
    assert "nothing" in error.message
    assert (summary.status, summary.requests) == ("refused", 0)


# What is typed and what is told ----------------------------------------------------------------


def test_nothing_is_spent_where_nobody_can_be_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert run_command(["bench", "write", "--target-region", REGION]) == 2
    assert "add --yes" in capsys.readouterr().err


@pytest.mark.parametrize("answer", [b"n\n", b"\n", END_OF_INPUT])
@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (
            ("read", "orders", "--max-cost", "0.5"),
            "reads the table orders (123456789012, us-east-1) for up to 20 s and $0.5",
        ),
        (
            ("write", "--table", "orders"),
            "writes synthetic items to the table orders (123456789012, us-east-1)",
        ),
        (
            ("write",),
            "creates a scratch table in us-east-1, as the credentials of the environment, writes",
        ),
    ],
)
def test_nothing_is_spent_without_a_yes_to_what_is_done_to_which_table_of_which_account(
    answer: bytes,
    words: tuple[str, ...],
    asked: str,
    moto_world: MotoWorld,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    anyio.run(moto_world.source_tables.create_table, "orders")
    side = "--source" if words[0] == "read" else "--target"
    flags = [f"{side}-region", REGION, f"{side}-endpoint-url", moto_world.url]
    with terminal() as (person, stdin):
        monkeypatch.setattr("sys.stdin", stdin)
        os.write(person, answer)
        assert run_command(["bench", *words, *flags, "--state-dir", str(tmp_path), "--json"]) == 3
    shown = capsys.readouterr()
    assert asked in shown.err
    document = json.loads(shown.out)
    assert (document["status"], document["requests"]) == ("refused", 0)
    assert anyio.run(_tables, moto_world) == ["orders"]
    assert anyio.run(moto_world.source_tables.read_items, "orders") == []


def test_a_read_as_it_is_typed_prints_one_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with simulator(Settings(tables=(ORDERS,))) as simulated:
        words = ["bench", "read", "orders", "--yes", "--json", "--source-region", REGION]
        words += ["--source-endpoint-url", simulated.url, "--state-dir", str(tmp_path)]
        assert run_command(words) == 0
    shown = capsys.readouterr()
    document = msgspec.json.decode(shown.out, type=BenchSummary)
    assert (document.bench, document.items) == ("read", 3000)
    assert "forecast  3,000 items" in shown.err


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: write_plan(Account(), seconds=0.0), "--seconds"),
        (lambda: write_plan(Account(), max_cost=0.0), "--max-cost"),
        (lambda: write_plan(Account(), item_bytes=50), "--item-bytes"),
        (lambda: write_plan(Account(), item_bytes=500_000), "--item-bytes"),
        (lambda: read_plan(Account(), "orders", workers=0), "in flight"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make: Callable[[], BenchPlan], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        make()


def test_a_summary_for_eyes_shows_rate_latency_throttles_cost_and_forecast() -> None:
    text = "\n".join(
        summary_lines(
            msgspec.convert(
                {
                    "bench": "write",
                    "status": "cost_ceiling",
                    "table": "scratch",
                    "seconds": 10.0,
                    "items": 40_000,
                    "requests": 1600,
                    "throttled_requests": 7,
                    "items_per_second": 4000.0,
                    "units_per_second": 4000.0,
                    "latency_milliseconds": {"p50": 5.0, "p90": 8.0, "p99": 20.0, "max": 31.0},
                    "cost_dollars": 0.025,
                    "max_cost_dollars": 0.5,
                    "forecast": {
                        "items": 10_000_000,
                        "seconds": 9000.0,
                        "units": 1e7,
                        "cost_dollars": 6.25,
                    },
                },
                BenchSummary,
            )
        )
    )
    for words in (
        "stopped at the cost ceiling",
        "4,000 items/s",
        "p99 20.0 ms",
        "7 of 1,600 requests",
        "$0.0250 of at most $0.5",
        "10,000,000 items: 2.5 h",
        "$6.25",
    ):
        assert words in text
