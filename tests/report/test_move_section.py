"""A report's section on a move: what it says adds up, and no line is where nobody moved it."""

import math

from dynaferry.observe.move_history import MovePoint
from dynaferry.report.move_section import last_applied_at, move_section
from dynaferry.report.page import render
from dynaferry.report.stored_move import StoredGap, StoredMove
from tests.observe.moves import AT, a_move_status
from tests.report.recorded import stored_run
from tests.report.test_page import MARKUP, Read


def samples(*seconds: float) -> list[MovePoint]:
    """At these seconds: 100 changes a second come in and go out."""
    return [MovePoint(AT + s, 1.0 + s / 1000, int(100 * s), int(100 * s), 7, 4096) for s in seconds]


def a_move(**other: object) -> StoredMove:
    settings: dict[str, object] = {
        "status": a_move_status(
            at=AT + 600, ready=False, not_ready=("the target is 12 s behind",), gaps=1, gaps_ever=2
        ),
        "states": [(AT, "capturing"), (AT + 30, "copying"), (AT + 300, "following")],
        "samples": samples(*range(0, 600, 10)),
        "shards": {"unread": 16, "done": 3},
        "gaps": [StoredGap(AT + 60, "trimmed", AT + 90), StoredGap(AT + 400, "lost", None)],
    }
    return StoredMove(**settings | other)  # type: ignore[arg-type]


def facts(move: StoredMove) -> dict[str, str]:
    return dict(move_section(move).facts)


def test_changes_add_up() -> None:
    told = facts(a_move())
    names = ("= applied", "+ replaced while they waited", "+ rejected", "+ waiting")
    assert sum(int(told[name].replace(",", "")) for name in names) == 1000
    assert told["changes captured"] == "1,000"
    assert told["behind now"] == "0.8 s"
    assert told["behind at most"] == "1.6 s"
    assert told["losses of records"] == "2, 1 not repaired"


def test_states_have_when_they_began_and_for_how_long() -> None:
    assert [row[1:] for row in move_section(a_move()).states] == [
        ("capturing", "30s"),
        ("copying", "4m 30s"),
        ("following", "5m 00s"),
    ]


def test_the_page_has_the_move_with_its_losses_its_shards_and_what_speaks_against_a_switch() -> (
    None
):
    text = Read(render(stored_run(), None, [a_move()])).text
    for told in (
        "Move: orders → orders-copy",
        "orders: following, 0.8 s behind",
        "the target is 12 s behind",
        "trimmed",
        "not yet",
        "being read, or to be",
        "Seconds behind the source",
    ):
        assert told in text


def test_markup_of_a_move_is_text() -> None:
    gaps = [StoredGap(AT, MARKUP, None)]
    move = a_move(status=a_move_status(source=MARKUP, not_ready=(MARKUP,)), gaps=gaps)
    page = Read(render(stored_run(), None, [move]))
    assert [tag for tag, _ in page.tags if tag in ("img", "iframe")] == []
    assert MARKUP in page.text


def test_a_copy_has_no_such_section() -> None:
    assert "Move:" not in Read(render(stored_run(), None)).text


def test_its_charts_are_rates_and_lags_over_clock_time() -> None:
    lag, changes, waiting = move_section(a_move()).drawn.charts
    assert (lag.rates[0].time, lag.rates[0].value) == (AT, 1.0)
    assert {round(point.value) for point in changes.rates} == {100}
    assert {round(point.value) for point in changes.limits} == {100}
    assert {point.value for point in waiting.rates} == {7.0}
    assert all(chart.is_long_enough for chart in (lag, changes, waiting))


def test_where_nobody_moved_it_no_line_is_drawn() -> None:
    stopped = samples(*range(0, 100, 10), *range(5_000, 5_100, 10))
    lag, changes, _ = move_section(a_move(samples=stopped)).drawn.charts
    for chart in (lag, changes):
        (last,) = (point for point in chart.rates if point.is_last)
        assert last.time == AT + 90
    assert {round(point.value) for point in changes.rates} == {100}


def test_samples_that_were_thinned_out_are_one_line() -> None:
    thinned = samples(
        *range(0, 10_000, 160), *range(10_000, 20_000, 40), *range(20_000, 20_600, 10)
    )
    lag, *_ = move_section(a_move(samples=thinned)).drawn.charts
    assert not any(point.is_last for point in lag.rates)


def test_a_move_without_samples_is_told_without_charts() -> None:
    section = move_section(a_move(samples=[], states=[]))
    assert not any(chart.is_long_enough for chart in section.drawn.charts)
    assert "too short to be drawn" in Read(render(stored_run(), None, [a_move(samples=[])])).text


def test_a_certificate_is_judged_by_when_changes_were_last_applied() -> None:
    idle = [MovePoint(AT + s, 1.0, 5, 5, 0, 0) for s in (700, 800)]
    assert last_applied_at([a_move(samples=[*samples(0, 10, 20), *idle])]) == AT + 20
    assert last_applied_at([]) == 0
    assert math.isfinite(last_applied_at([a_move(samples=[])]))
