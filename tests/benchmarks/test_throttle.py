"""How the pace is shown: judged once, kept, and drawn."""

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from benchmarks.throttle import plot, table
from benchmarks.throttle.__main__ import main
from benchmarks.throttle.cases import CASES, Case
from benchmarks.throttle.judge import Finding
from benchmarks.throttle.peer import SECONDS, STEADY, aioboto3_adaptive, cases
from benchmarks.throttle.trial import run_trial
from benchmarks.throttle.tried import PEER_RESULTS, Moment, Tried, keep_peer, read_peer, tried
from benchmarks.throttle.virtual import run_virtual


def named(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def made_up(case: str = "flat", *, value: str = "99.0%", reached: bool | None = True) -> Tried:
    found = Finding(what="share of capacity", value=value, asked="≥ 97%", reached=reached)
    moments = [Moment(0, 100.0, 5000.0, 1000.0), Moment(1, 4900.0, 5000.0, None)]
    return Tried(case=case, seconds=2.0, findings=[found], moments=moments)


def test_each_second_is_shown_with_what_limits_it() -> None:
    by_index = tried(named("index"), run_virtual(replace(named("index"), seconds=13.0)))
    assert {moment.offered for moment in by_index.moments} == {1500.0}
    by_production = tried(
        named("production"), run_virtual(replace(named("production"), seconds=5.0))
    )
    offered = [moment.offered for moment in by_production.moments[1:-1]]
    assert sum(offered) / len(offered) == pytest.approx(2000.0 - 1200.0, rel=0.2)


def test_the_table_has_both_side_by_side_and_says_what_was_missed() -> None:
    ours = [made_up(), made_up("steps", value="90.0%", reached=False)]
    heading, flat, steps = table.lines(ours, {"flat": made_up(value="41.0%")})
    assert "dynaferry" in heading
    assert re.search(r"≥ 97% +99\.0% +41\.0%$", flat)
    assert re.search(r"≥ 97% +90\.0% MISSED +-$", steps)


def test_the_page_has_a_plot_for_each_case_and_fetches_nothing() -> None:
    page = plot.page([made_up(), made_up("steps")], {"flat": made_up()})
    assert page.count("<svg") == 2
    assert not re.search(r'(src|href)="(?!#)', page)
    assert "url(http" not in page


def test_a_peers_run_takes_the_place_of_its_earlier_one(tmp_path: Path) -> None:
    kept = tmp_path / "peer.json"
    keep_peer([made_up(value="1%"), made_up("index")], kept)
    keep_peer([made_up(value="2%")], kept)
    assert read_peer(kept)["flat"].findings[0].value == "2%"
    assert set(read_peer(kept)) == {"flat", "index"}
    assert read_peer(tmp_path / "none.json") == {}


def test_what_is_kept_of_the_peer_can_be_shown_beside_every_case_it_was_tried_in() -> None:
    kept = read_peer(PEER_RESULTS)
    assert set(kept) <= {case.name for case in CASES}
    assert len(list(table.rows([made_up(name) for name in kept], kept))) == len(kept)


def test_the_peer_tries_the_steady_cases_for_a_short_time() -> None:
    assert {case.name: case.seconds for case in cases([])} == dict.fromkeys(STEADY, SECONDS)
    (brown_out,) = cases(["brown-out"])
    assert brown_out.seconds == named("brown-out").seconds


def test_the_peer_copies_a_whole_table() -> None:
    flat = named("flat")
    small = replace(flat, source=replace(flat.source, items=1500), seconds=20.0)
    report = run_trial(small, aioboto3_adaptive).report.tables["target"]
    assert report.total(lambda second: second.items_written) == 1500


def test_the_command_prints_and_draws_what_was_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "throttle.html"
    monkeypatch.setattr("sys.argv", ["throttle", "index", "--out", str(page)])
    assert main() == 0
    assert "an index at 1,500 WCU" in capsys.readouterr().out
    assert "rate allowed" in page.read_text()


def test_over_seeds_the_worst_and_the_median_are_reported() -> None:
    tries = [
        [Finding(what="share", value="", asked="≥ 90%", reached=n >= 0.9, number=n)]
        for n in (0.95, 0.85, 0.99)
    ]
    (line,) = table.spread(tries)
    assert "worst 0.850, median 0.950, missed by 1 of 3" in line
