"""Stats in, what people read out; without a clock and without sleeping."""

import re

import anyio
import pytest

from dynaferry.observe.progress import PlainLog, plain_line, total_line, watch_plain
from dynaferry.observe.run_meter import RunMeter, TableView
from dynaferry.observe.stats import RunStats, TableStats

NOW = 1_800_000_000.0


def _stats(**changed: object) -> TableStats:
    stats = TableStats(source="orders", target="orders", segments_total=64, state="running")
    for name, value in changed.items():
        setattr(stats, name, value)
    return stats


def _view(stats: TableStats, seconds: float = 10.0, **later: object) -> TableView:
    """How the table looks after so many seconds in which it changed like this."""
    run, meter = RunStats("run", [stats]), RunMeter(readers=8)
    meter.view(run, 100.0)
    for name, value in later.items():
        setattr(stats, name, value)
    return meter.view(run, 100.0 + seconds)[0]


def _line(view: TableView) -> str:
    return plain_line(view, NOW)


def test_a_line_shows_share_items_rates_segments_and_the_eta() -> None:
    view = _view(
        _stats(expected_items=100_000),
        items_written=20_000,
        bytes_read=50_000_000,
        read_units=6_250.0,
        write_units=24_000.0,
        read_requests=50,
        write_requests=950,
        throttled_requests=30,
    )
    assert _line(view) == (
        "orders: 20%, 20,000 items, 2.0k items/s, 5.0 MB/s, 2.4k WCU/s, 625 RCU/s, "
        "3% throttled, segments 0/64, ETA 40s"
    )


def test_before_anything_is_known_a_line_says_so() -> None:
    view = RunMeter(readers=8).view(RunStats("run", [_stats()]), 0.0)[0]
    assert _line(view) == (
        "orders: 0%, 0 items, - items/s, - MB/s, - WCU/s, - RCU/s, - throttled, "
        "segments 0/64, ETA unknown"
    )


def test_a_stalled_table_has_neither_rates_nor_time_left() -> None:
    stats = _stats(expected_items=100_000, checkpointed_at=75.0, bottleneck="index by-owner")
    stalled = _view(stats, items_written=20_000, throttled_requests=3)
    assert _line(stalled) == (
        "orders: 20%, 20,000 items, - items/s, - MB/s, - WCU/s, - RCU/s, - throttled, "
        "segments 0/64, stalled"
    )
    stats.checkpointed_at = 109.5
    assert "stalled" not in _line(_view(stats))


def test_what_an_earlier_attempt_did_is_not_speed() -> None:
    view = _view(
        _stats(expected_items=1_000_000, items_written=500_000, items_at_start=500_000),
        items_written=501_000,
    )
    assert view.items_per_second == 100.0
    assert view.seconds_left == 4_990.0


def test_tables_with_different_names_are_shown_with_both() -> None:
    view = _view(_stats(source="arn:aws:dynamodb:eu-west-1:123456789012:table/a", target="b"))
    assert view.name == "a → b"


def test_throttles_without_any_request_that_went_through_are_all_there_is() -> None:
    assert _view(_stats(), throttled_requests=5).throttled_share == 1.0
    assert _view(_stats()).throttled_share == 0.0


@pytest.mark.parametrize("sign", ["throttled_requests", "unprocessed_items"])
def test_what_the_service_named_is_shown_while_it_holds_the_writes_back(sign: str) -> None:
    held = _view(_stats(bottleneck="index by-owner"), **{sign: 3})
    assert _line(held).endswith(", ETA unknown, throttled by index by-owner")
    assert "throttled by" not in _line(_view(_stats(bottleneck="index by-owner")))


def _after(looks: int, *, paused: bool = False, **changed: object) -> str:
    """The line of a table that looked like this so many times."""
    run = RunStats("run", [_stats(read_rate_limit_units=2.5, **changed)], paused=paused)
    meter = RunMeter(readers=8)
    return [_line(meter.view(run, float(look))[0]) for look in range(looks)][-1]


def test_who_waits_to_read_all_the_time_says_for_what() -> None:
    line = _after(3, reads_waiting=1, read_limit_reason="half of the source's units")
    assert line.endswith(", limited by half of the source's units, 2.5 units a second")
    assert _after(3, reads_waiting=1, read_requests_in_flight=1).endswith(
        ", limited by the limit of the reads, 2.5 units a second"
    )


def test_what_waits_for_a_moment_or_for_something_else_does_not_say_so() -> None:
    for line in (
        _after(2, reads_waiting=1),
        _after(3),
        _after(9, reads_waiting=1, paused=True),
        _after(3, reads_waiting=1, state="complete"),
    ):
        assert "limited by" not in line


def test_the_bottleneck_of_a_table_that_has_ended_is_not_shown() -> None:
    done = _view(_stats(bottleneck="index by-owner", state="complete"), throttled_requests=3)
    assert _line(done).endswith(", complete")


@pytest.mark.parametrize("state", ["complete", "rejected", "interrupted", "failed"])
def test_a_table_that_has_ended_says_how(state: str) -> None:
    assert _line(_view(_stats(), state=state)).endswith(f", {state}")


def test_a_table_that_is_paused_alone_is_shown_as_paused_and_nobody_knows_when_all_ends() -> None:
    run = RunStats("run", [_stats(expected_items=9_000), _stats(expected_items=9_000)])
    meter = RunMeter(readers=8)
    for now in range(10):
        for table in run.tables:
            table.items_written += 100
        views = meter.view(run, float(now))
    assert [view.shown_state for view in views] == ["running", "running"]
    assert meter.total.eta_seconds is not None
    run.tables[0].paused = True
    held, other = meter.view(run, 10.0)
    assert (held.shown_state, held.items_per_second, held.seconds_left) == ("paused", None, None)
    assert other.shown_state == "running"
    assert other.items_per_second
    assert meter.total.eta_seconds is None


def test_a_paused_table_has_neither_rates_nor_an_eta() -> None:
    run, meter = RunStats("run", [_stats(expected_items=1_000)]), RunMeter(readers=8)
    meter.view(run, 0.0)
    run.tables[0].items_written, run.paused = 500, True
    assert _line(meter.view(run, 10.0)[0]) == (
        "orders: 50%, 500 items, - items/s, - MB/s, - WCU/s, - RCU/s, - throttled, "
        "segments 0/64, paused"
    )
    assert meter.total.eta_seconds is None
    run.paused = False
    for second in range(11, 15):
        run.tables[0].items_written += 10
        view = meter.view(run, float(second))[0]
    assert view.items_per_second == pytest.approx(10.0)


def test_a_table_of_which_everything_is_refused_says_so_and_has_no_eta() -> None:
    run, meter = RunStats("run", [_stats(expected_items=1_000)]), RunMeter(readers=8)
    for second in range(30):
        if second < 10:
            run.tables[0].items_written += 10
        run.tables[0].throttled_requests += 1
        line = _line(meter.view(run, float(second))[0])
    assert "100 items, 0 items/s" in line
    assert line.endswith("ETA unknown, throttled: all that was sent for 20 s")


def test_an_eta_of_minutes_has_a_clock_time() -> None:
    view = _view(_stats(expected_items=1_000_000), items_written=20_000)
    assert re.search(r", ETA 8m 10s \(about \d\d:\d\d\)$", _line(view))


def _several() -> tuple[RunStats, RunMeter]:
    run = RunStats("run", tables_at_once=2)
    for name, state in (("a", "complete"), ("b", "running"), ("c", "running"), ("d", "waiting")):
        table = _stats(source=name, target=name, state=state, expected_items=1_000)
        table.planned_seconds = 10.0
        run.tables.append(table)
    run.tables[0].items_written, run.tables[0].segments_complete = 1_000, 64
    return run, RunMeter(readers=8)


def test_several_tables_have_a_line_for_all_of_them() -> None:
    run, meter = _several()
    meter.view(run, 0.0)
    for table in run.tables[1:3]:
        table.items_written = 400
    views = meter.view(run, 10.0)
    assert total_line(views, meter.total, NOW) == (
        "total: 45%, 1,800 of 4,000 items, 80 items/s, "
        "1 of 4 tables complete, 2 running, 1 waiting, ETA 25s"
    )
    assert PlainLog().lines(views, NOW, meter.total)[-1].startswith("total: 45%")
    assert len(PlainLog().lines(views[:1], NOW, meter.total)) == 1


def test_where_nothing_runs_any_more_the_total_has_no_eta() -> None:
    run, meter = _several()
    for table in run.tables:
        table.state, table.segments_complete, table.items_written = "complete", 64, 10
    line = total_line(meter.view(run, 0.0), meter.total, NOW)
    assert line == "total: 100%, 40 of 40 items, - items/s, 4 of 4 tables complete"


def test_a_waiting_table_has_no_line_and_an_ended_one_has_one_only() -> None:
    log = PlainLog()
    waiting, done = _view(_stats(state="waiting")), _view(_stats(state="complete"))
    running = _view(_stats())
    assert log.lines([waiting, done, running], NOW) == [_line(done), _line(running)]
    assert log.lines([waiting, done, running], NOW) == [_line(running)]


class _Clock:
    """Moves only when somebody sleeps; ends the sleep that goes over the end."""

    def __init__(self, end: float) -> None:
        self.now = 0.0
        self.end = end

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now > self.end:
            await anyio.sleep_forever()
        await anyio.lowlevel.checkpoint()


async def _watched(stats: RunStats, seconds: float) -> list[str]:
    """The lines that are written when the copy ends after so many seconds."""
    lines: list[str] = []
    clock = _Clock(seconds)
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            await watch_plain(stats, readers=8, write=lines.append, clock=clock, sleep=clock.sleep)

        group.start_soon(watch)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    return lines


async def test_a_line_comes_every_ten_seconds_and_once_at_the_end() -> None:
    assert len(await _watched(RunStats("run", [_stats()]), seconds=35)) == 4


async def test_a_short_copy_has_its_one_line_at_the_end() -> None:
    assert len(await _watched(RunStats("run", [_stats(state="complete")]), seconds=0)) == 1


async def test_lines_hold_no_control_sequences() -> None:
    lines = await _watched(RunStats("run", [_stats()]), seconds=12)
    assert lines
    assert all(line.isprintable() for line in lines)


def test_a_log_says_when_what_holds_the_run_back_changes_and_only_then() -> None:
    stats = RunStats("orders", limits_in_words="writes at most 500 units/s (set by hand)")
    log = PlainLog(stats.limits_in_words)
    assert log.news(stats) == []
    stats.limits_in_words = "paused, writes at most 500 units/s (set by hand)"
    assert log.news(stats) == ["orders: paused, writes at most 500 units/s (set by hand)"]
    assert log.news(stats) == []
    stats.limits_in_words = None
    assert log.news(stats) == ["orders: no limit"]
