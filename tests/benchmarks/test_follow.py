"""What `benchmarks.follow` measures with: its stream, its clock, its table; and that it runs."""

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from benchmarks.follow import plot, results
from benchmarks.follow.arrivals import Arrivals, LagOfSecond
from benchmarks.follow.endpoint import RECORDS_A_PAGE, FollowTables
from benchmarks.follow.results import Figure, FollowResults, Moment
from benchmarks.follow.stream import VISIBLE_AFTER, ShardOfWrites, Write
from benchmarks.null_endpoint import BATCH_WRITE
from dynaferry.dynamodb.items.streams import _decode_records

KEPT = results.read()


def shard(keys: int = 1_000) -> ShardOfWrites:
    return ShardOfWrites(number=1, shards=4, keys=keys, seed=1)


def test_a_write_is_seen_within_the_delay_and_never_before_the_one_ahead_of_it() -> None:
    writes = shard()
    writes.write(100.0, now=10.0, until=20.0)
    seen: dict[int, float] = {}
    for tick in range(1_000, 2_200):
        now = tick / 100
        for write in writes.visible(len(seen), 1_000, now):
            seen[write.number] = now - write.written_at
    assert len(seen) == len(writes) == pytest.approx(1_000, rel=0.2)
    assert list(seen) == sorted(seen)
    least, most = VISIBLE_AFTER
    assert least <= min(seen.values()) < most - 0.1 < max(seen.values()) <= most + 0.011


def test_a_flood_is_seen_at_once_each_of_its_keys_once() -> None:
    writes = shard()
    writes.flood(500, now=1.0)
    seen = writes.visible(0, 1_000, 1.0)
    assert len({write.key for write in seen}) == 500
    assert {write.key % 4 for write in seen} == {1}
    assert writes.visible(490, 3, 1.0) == seen[490:493]


def test_the_lag_of_each_write_is_that_of_the_first_arrival_that_covers_it() -> None:
    arrivals = Arrivals()
    arrivals.shown([Write(0, 7, 1.0), Write(1, 8, 1.5), Write(2, 7, 2.0)])
    arrivals.shown([Write(2, 7, 2.0)])  # read again
    assert arrivals.under_way == 3
    arrivals.came(7, 2, 3.0)
    arrivals.came(7, 2, 9.0)  # sent again: it was there
    arrivals.came(8, 1, 3.5)
    overall = arrivals.overall()
    assert overall is not None
    assert (overall.count, overall.median, overall.most) == (3, 2.0, 2.0)
    assert (arrivals.under_way, arrivals.seen.out_of_order, arrivals.seen.unknown) == (0, 0, 0)
    arrivals.came(7, 0, 4.0)
    arrivals.came(9, 0, 4.0)
    assert (arrivals.seen.out_of_order, arrivals.seen.unknown) == (1, 1)


def test_what_arrives_is_read_off_the_request_and_what_was_copied_is_told_apart() -> None:
    tables = FollowTables(1024, 1, shards=1, keys=1)
    tables.arrivals.shown([Write(0, 0, 0.0)])
    tables.is_timed = True
    put = b'{"PutRequest":{"Item":{"pk":{"S":"%b"},%b}}'
    changed = put % (b"change-000000000", b'"version":{"N":"0"}')
    body = bytearray(b'{"RequestItems":{"t":[%b,%b]}}' % (changed, put % (b"item-1", b"")))
    tables.answer(BATCH_WRITE, body, 0, len(body))
    seen = tables.arrivals.seen
    assert (seen.applied, seen.copied, seen.arrived, seen.unknown) == (1, 1, 1, 0)


def test_records_are_those_of_a_stream_and_items_are_as_large_as_was_asked() -> None:
    tables = FollowTables(1024, 1, shards=1, keys=1_000)
    tables.answer(b"benchwrite", *as_received(b'{"flood":1500}'))
    answer = tables.answer(b"getrecords", *as_received(b'{"ShardIterator":"0/0"}'))
    page = _decode_records(b"".join(answer).partition(b"\r\n\r\n")[2])
    assert len(page.Records) == RECORDS_A_PAGE
    assert page.NextShardIterator == f"0/{RECORDS_A_PAGE}"
    assert {len(record.dynamodb.NewImage) for record in page.Records} <= set(range(1010, 1025))


def as_received(body: bytes) -> tuple[bytearray, int, int]:
    return bytearray(body), 0, len(body)


def made_up(value: float = 0.5) -> FollowResults:
    figure = Figure(
        part="lag", what="median lag", value=value, unit="s", at_most=1.2, setting="made up"
    )
    return FollowResults(
        figures=[figure, replace(figure, what="most", at_most=None)],
        lags=[LagOfSecond(0, 10, 0.5, 0.9, 1.0), LagOfSecond(1, 10, 0.6, 1.0, 1.1)],
        moments=[Moment(1.0, 0.1, 60.0)],
        load={"lag": 1.5},
    )


def test_the_table_says_what_was_missed() -> None:
    _, _, reached, free = results.lines(made_up().figures)
    assert "| 0.50 s | ≤ 1.20 s |" in reached
    assert "| 0.50 s |  |" in free
    assert "≤ 1.20 s MISSED" in results.lines(made_up(1.3).figures)[2]
    assert made_up(-0.1).figures[0].is_reached
    drained = replace(made_up().figures[0], at_most=None, at_least=0.6)
    assert not drained.is_reached
    assert replace(drained, value=0.7).is_reached


def test_the_readmes_figures_are_the_kept_results() -> None:
    """Else write what `results.lines` says into it."""
    readme = (results.KEPT.parents[1] / "README.md").read_text()
    assert "\n".join(results.lines(KEPT.figures)) in readme


def test_a_part_that_is_measured_again_takes_the_place_of_what_was_kept(tmp_path: Path) -> None:
    kept = tmp_path / "follow.json"
    results.write(made_up(), kept)
    again = results.read(kept)
    assert again.figures == made_up().figures
    again.replace_part("lag", [])
    again.replace_part("drain", made_up().figures[:1])
    assert again.figures == made_up().figures[:1]


def test_the_page_has_both_plots_and_fetches_nothing() -> None:
    page = plot.page(made_up())
    assert page.count("<svg") == 2
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "load of the machine before each part: lag 1.5" in page


def test_every_part_runs(tmp_path: Path) -> None:
    """Real processes, tiny: whether it runs and adds up, not how fast."""
    out = tmp_path / "follow.html"
    command = [sys.executable, "-m", "benchmarks.follow", "--quick", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    parts = {line.split(" | ")[0].strip("| ") for line in done.stdout.splitlines()[2:]}
    assert parts == {"lag", "capture", "drain", "deep", "beside"}
    assert out.read_text().count("<svg") == 2
