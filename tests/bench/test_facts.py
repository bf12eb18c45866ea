"""What a move assumes of the service, measured: on the simulator with assumptions that hold and
that fail, and on moto, where some of them do not.
"""

import io
import json
import os
import re
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from moto.core.responses import BaseResponse

from benchmarks.simulator import (
    NO_LATENCY,
    NewTables,
    RunningSimulator,
    Settings,
    Stream,
    Table,
    simulator,
)
from dynaferry.bench import scratch
from dynaferry.bench.facts import record_delay, shard_reads, verdicts
from dynaferry.bench.facts.closing import Closing
from dynaferry.bench.facts.new_table import NewTableFound
from dynaferry.bench.facts.record_delay import RecordDelays
from dynaferry.bench.facts.refused_batch import RefusedBatches
from dynaferry.bench.facts.run import FactsBench
from dynaferry.bench.facts.settings import FactsPlan, FactsSummary, facts_plan
from dynaferry.cli.commands.bench_facts import summary_lines
from dynaferry.cli.main import run_command
from dynaferry.dynamodb.environment.settings import whose_endpoint
from dynaferry.errors import DynaferryError, PlanError
from dynaferry.follow.quiet import LEAST_SECONDS
from dynaferry.follow.shard_reader import POLL_SECONDS
from dynaferry.plan.settings import Account
from dynaferry.state.facts_file import CLOSED_SHARDS, ClosedProof, closed_proof
from dynaferry.stop import StopSignal
from tests.worlds.moto import REGION, MotoWorld
from tests.worlds.terminal import terminal

ROOT = Path(__file__).parents[2]
STREAM = Stream(enabled=False, shards=2, delay_seconds=(0.05, 0.2), enabling_seconds=0.2)
LIKE = Table(name="new", latency=NO_LATENCY, stream=STREAM)
GOOD = Settings(new_tables=NewTables(like=LIKE, absent_seconds=0.2), packed_from_bytes=3000)


def _plan(url: str, tmp_path: Path, **settings: Any) -> FactsPlan:
    account = Account(region=REGION, endpoint_url=url)
    given = {"seconds": 0.4, "state_dir": tmp_path, "patience_seconds": 5.0} | settings
    return facts_plan(account, **given)


async def _measured(
    plan: FactsPlan, stop: StopSignal | None = None
) -> tuple[FactsSummary, DynaferryError | None, list[str]]:
    said: list[str] = []
    bench = FactsBench(plan, stop=stop or StopSignal(), say=said.append)
    summary, error = await bench.run()
    return summary, error, said


def _verdicts(summary: FactsSummary) -> dict[str, str]:
    assert summary.facts is not None
    return {fact.name: fact.verdict for fact in summary.facts.facts}


def _figures(summary: FactsSummary, name: str) -> dict[str, Any]:
    assert summary.facts is not None
    fact = summary.facts.fact(name)
    assert fact is not None
    return fact.measured


async def _proof(state_dir: Path, service: str) -> ClosedProof:
    arn = f"arn:aws:dynamodb:{REGION}:123456789012:table/orders"
    return await anyio.to_thread.run_sync(closed_proof, state_dir, arn, service)


async def test_where_every_assumption_holds_each_is_said_to_and_closed_is_proof(
    tmp_path: Path,
) -> None:
    with simulator(GOOD) as simulated:
        summary, error, said = await _measured(_plan(simulated.url, tmp_path))
        left = simulated.report().tables
        service = whose_endpoint(simulated.url)
    assert error is None
    assert (summary.status, summary.scratch_dropped) == ("complete", True)
    assert _verdicts(summary) == dict.fromkeys(verdicts.ASSUMPTIONS, "holds")
    assert left == {}
    assert list((tmp_path / scratch.NOTES).iterdir()) == []
    assert [line.split()[0] for line in said].count("dropped") == 3

    closed = _figures(summary, CLOSED_SHARDS)
    assert closed["rounds"] == 3
    assert closed["writes"] == 40 + 3 * 2 * 40  # those that delays were measured with as well
    assert closed["missing"] == 0
    delay = _figures(summary, verdicts.DELAY)
    assert 0.05 <= delay["p50_seconds"] <= delay["p99_9_seconds"] <= delay["max_seconds"] < 5
    packed = _figures(summary, verdicts.PACKING)
    assert packed["longest_plain_bytes"] < 3000 <= packed["shortest_packed_bytes"]
    assert packed["shortest_packed_bytes"] - packed["longest_plain_bytes"] <= 16
    found = _figures(summary, verdicts.NEW_TABLE)
    assert found["not_found"] > 0
    assert 0.1 < found["lost_seconds"] < 2.0
    refused = _figures(summary, verdicts.REFUSED)
    assert refused["with_reasons"] == refused["refused"] > 0
    assert set(refused["codes"]) == {"ProvisionedThroughputExceededException"}
    assert _figures(summary, verdicts.SHARD_READS)["refused_flat_out"] > 0
    assert 0 < summary.cost_dollars < 0.01

    proof = await _proof(tmp_path, service)
    assert proof.is_proof
    assert not (await _proof(tmp_path, "the service's own")).is_proof


BAD_STREAM = Stream(
    enabled=False,
    shards=1,
    delay_seconds=(0.0, 0.1),
    reads_per_second=2.0,
    disabling_seconds=0.2,
    lost_at_close_seconds=0.3,
)
BAD = Settings(
    new_tables=NewTables(
        like=Table(name="new", latency=NO_LATENCY, stream=BAD_STREAM, gives_reasons=False),
        own_hash=True,
    ),
    streams_have_checksums=False,
)


async def test_where_assumptions_fail_each_is_named_and_closed_is_no_proof(tmp_path: Path) -> None:
    with simulator(BAD) as simulated:
        summary, error, _ = await _measured(_plan(simulated.url, tmp_path))
        service = whose_endpoint(simulated.url)
    assert error is None
    assert summary.status == "complete"
    failing = {name for name, verdict in _verdicts(summary).items() if verdict == "fails"}
    assert failing == {
        CLOSED_SHARDS,
        verdicts.SHARD_READS,
        verdicts.CHECKSUMS,
        verdicts.ORDER,
        verdicts.PACKING,
        verdicts.REFUSED,
    }
    closed = _figures(summary, CLOSED_SHARDS)
    assert 0 < closed["missing"] < closed["writes"]
    assert min(closed["closed_seconds"]) >= 0.2
    proof = await _proof(tmp_path, service)
    assert not proof.is_proof
    assert "in no closed shard" in proof.why


async def test_moto_shows_no_stream_that_is_disabled_and_the_rest_is_measured(
    moto_world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _actions_of_moto(monkeypatch)
    plan = _plan(moto_world.url, tmp_path, seconds=0.3, patience_seconds=2.0)
    summary, error, _ = await _measured(plan)
    assert error is None
    assert summary.status == "complete"
    found = _verdicts(summary)
    assert found[verdicts.CHECKSUMS] == "fails"
    assert found[verdicts.NEW_TABLE] == "holds"
    assert found[CLOSED_SHARDS] == found[verdicts.POSITIONS] == "not-measured"
    assert found[verdicts.REFUSED] == "not-measured"
    assert summary.facts is not None
    closed = summary.facts.fact(CLOSED_SHARDS)
    assert closed is not None
    assert "accepted nothing" in closed.line
    page = (ROOT / "docs" / "facts.md").read_text(encoding="utf-8")
    assert set(re.findall(r'"dynamodb:(\w+)"', page)) == asked
    tables = await moto_world.source_tables.call("ListTables", {})
    assert tables["TableNames"] == []


def _actions_of_moto(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What is asked of moto from now on."""
    asked: set[str] = set()
    answer = BaseResponse.call_action

    def noted(self: BaseResponse) -> Any:
        asked.add(self._get_action())
        return answer(self)

    monkeypatch.setattr(BaseResponse, "call_action", noted)
    return asked


async def test_a_stop_drops_the_tables_and_writes_nothing(tmp_path: Path) -> None:
    with simulator(GOOD) as simulated:
        stop = StopSignal()
        plan = _plan(simulated.url, tmp_path, seconds=60.0)
        async with anyio.create_task_group() as group:
            group.start_soon(_stop_in_the_middle, stop, simulated)
            summary, error, _ = await _measured(plan, stop)
        assert simulated.report().tables == {}
    assert error is None
    assert (summary.status, summary.scratch_dropped, summary.file) == ("interrupted", True, None)
    assert list((tmp_path / scratch.NOTES).iterdir()) == []
    assert not (tmp_path / "facts").exists()


async def _stop_in_the_middle(stop: StopSignal, simulated: RunningSimulator) -> None:
    while True:
        report = await anyio.to_thread.run_sync(simulated.report)
        if len(report.tables) >= 2:
            break
        await anyio.sleep(0.05)
    stop.ask()


async def test_it_stops_under_its_ceiling_and_what_it_did_not_come_to_is_no_proof(
    tmp_path: Path,
) -> None:
    with simulator(GOOD) as simulated:
        plan = _plan(simulated.url, tmp_path, max_cost=0.0011)
        summary, error, _ = await _measured(plan)
        service = whose_endpoint(simulated.url)
    assert error is None
    assert summary.status == "cost_ceiling"
    assert summary.cost_dollars <= 0.0011
    found = _verdicts(summary)
    assert found[verdicts.NEW_TABLE] == "holds"
    assert found[CLOSED_SHARDS] == "not-measured"
    assert not (await _proof(tmp_path, service)).is_proof


async def test_where_no_table_may_be_made_it_says_so_and_nothing_is_left(tmp_path: Path) -> None:
    with simulator(Settings()) as simulated:
        summary, error, _ = await _measured(_plan(simulated.url, tmp_path))
    assert error is not None
    assert "CreateTable" in error.message
    assert (summary.status, summary.file) == ("failed", None)


# What the figures mean --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("delays", "written", "verdict"),
    [
        ([0.3, 0.4, 4.9], 3, "holds"),
        ([0.3, 0.4, 5.1], 3, "fails"),
        ([0.3, 0.4], 3, "fails"),
        ([], 3, "not-measured"),
    ],
)
def test_a_record_that_shows_late_or_never_is_a_failure(
    delays: list[float], written: int, verdict: str
) -> None:
    fact = verdicts.of_record_delay(RecordDelays(written=written, delays=delays))
    assert fact.verdict == verdict


def _closing(**found: Any) -> Closing:
    plain = {"writes": 1000, "missing": 0, "shards": 4, "closed_seconds": 9.5, "records_lost": 0}
    return Closing(**(plain | found))


def test_one_write_that_is_missing_from_one_of_three_streams_is_a_failure() -> None:
    closed, positions = verdicts.of_closings([_closing(), _closing(missing=1), _closing()])
    assert (closed.verdict, positions.verdict) == ("fails", "holds")
    assert "of 3,000 writes" in closed.line
    assert "1 are in no closed shard" in closed.line


def test_a_record_behind_a_position_that_is_missing_is_a_failure() -> None:
    closed, positions = verdicts.of_closings([_closing(records_lost=2)])
    assert (closed.verdict, positions.verdict) == ("holds", "fails")


def test_of_streams_that_were_never_closed_nothing_is_known() -> None:
    assert {fact.verdict for fact in verdicts.of_closings([])} == {"not-measured"}


@pytest.mark.parametrize(
    ("lost_seconds", "verdict"), [(0.0, "holds"), (119.0, "holds"), (121.0, "fails")]
)
def test_a_table_that_is_not_found_for_two_minutes_is_a_failure(
    lost_seconds: float, verdict: str
) -> None:
    found = NewTableFound(active_seconds=9.0, requests=9, not_found=3, lost_seconds=lost_seconds)
    assert verdicts.of_new_tables([found]).verdict == verdict


@pytest.mark.parametrize(
    ("refused", "with_reasons", "all_unprocessed", "verdict"),
    [
        (5, 5, 0, "holds"),
        (5, 4, 0, "fails"),
        (5, 5, 1, "fails"),
        (0, 0, 2, "fails"),
        (0, 0, 0, "not-measured"),
    ],
)
def test_a_batch_that_comes_back_whole_or_without_reasons_is_a_failure(
    refused: int, with_reasons: int, all_unprocessed: int, verdict: str
) -> None:
    batches = RefusedBatches(
        batches=10,
        written=1,
        partly=1,
        all_unprocessed=all_unprocessed,
        refused=refused,
        with_reasons=with_reasons,
        codes={},
        reasons={},
    )
    assert verdicts.of_refused_batches(batches).verdict == verdict


# What is typed and what is told ----------------------------------------------------------------


def test_nothing_is_measured_where_nobody_can_be_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert run_command(["bench", "facts", "--source-region", REGION]) == 2
    assert "add --yes" in capsys.readouterr().err


def test_nothing_is_measured_without_a_yes_to_what_is_made_where(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with simulator(GOOD) as simulated, terminal() as (person, stdin):
        monkeypatch.setattr("sys.stdin", stdin)
        os.write(person, b"n\n")
        words = ["bench", "facts", "--source-region", REGION, "--state-dir", str(tmp_path)]
        words += ["--source-endpoint-url", simulated.url, "--json", "--max-cost", "0.1"]
        assert run_command(words) == 3
        assert simulated.report().tables == {}
    shown = capsys.readouterr()
    assert "creates three scratch tables in us-east-1, as the credentials of the env" in shown.err
    assert "up to $0.1" in shown.err
    document = json.loads(shown.out)
    assert (document["bench"], document["status"], document["facts"]) == ("facts", "refused", None)


def test_as_it_is_typed_it_prints_a_line_for_each_assumption_and_one_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with simulator(GOOD) as simulated:
        words = ["bench", "facts", "--source-region", REGION, "--state-dir", str(tmp_path)]
        words += ["--source-endpoint-url", simulated.url, "--json", "--yes", "--seconds", "0.3"]
        assert run_command(words) == 0
    shown = capsys.readouterr()
    for assumption in verdicts.ASSUMPTIONS.values():
        assert f"holds         {assumption}" in shown.err
    document = json.loads(shown.out)
    assert document["file"] == str(tmp_path / "facts" / f"123456789012.{REGION}.json")
    kept = json.loads(Path(document["file"]).read_text(encoding="utf-8"))
    assert kept == document["facts"]


@pytest.mark.parametrize(
    ("settings", "words"), [({"seconds": 0.0}, "--seconds"), ({"max_cost": 0.0}, "--max-cost")]
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        facts_plan(Account(), **settings)


def test_what_is_assumed_is_what_the_follower_does() -> None:
    assert verdicts.QUIET_SECONDS == LEAST_SECONDS
    assert pytest.approx(1 / POLL_SECONDS) == shard_reads.READS_PER_SECOND
    assert 1 / record_delay.WRITES_PER_SECOND < POLL_SECONDS


def test_the_page_of_facts_has_each_assumption_by_its_name_and_in_its_words() -> None:
    page = (ROOT / "docs" / "facts.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"(?m)^\| `([a-z-]+)` \| (.+?) \| ", page))
    plain = {name: words.replace("`", "") for name, words in told.items()}
    assert plain == verdicts.ASSUMPTIONS


def test_a_summary_that_came_to_nothing_is_one_line() -> None:
    assert summary_lines(FactsSummary(status="refused")) == ["bench facts: nothing was done"]
