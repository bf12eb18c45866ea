"""What an open page is sent of a run: little each second, and at last everything."""

import msgspec
import pytest

from dynaferry.observe.events import RunEvent
from dynaferry.observe.summary import NextStep, RunSummary
from dynaferry.web import story
from dynaferry.web.feed import MOST_BYTES, Feed, Shown
from dynaferry.web.news import EventNews, FeedUpdate, TableRow
from tests.web.staged import SEGMENTS, StagedRun, many_tables

SECONDS = 40


class Seen:
    """What a page knows after the updates that it was sent."""

    def __init__(self) -> None:
        self.rows: dict[int, TableRow] = {}
        self.done: set[tuple[int, int]] = set()
        self.reasons: dict[str, int] = {}

    def take(self, news: FeedUpdate) -> int:
        """The bytes of the update."""
        self.rows |= {row.index: row for row in news.rows}
        self.done |= {(each.table, each.segment) for each in news.segments if each.filled == 1}
        self.reasons |= {each.reason: each.times for each in news.reasons}
        return len(msgspec.json.encode(news))


def all_done(run: StagedRun) -> set[tuple[int, int]]:
    return {
        (index, segment)
        for index, table in enumerate(run.tables)
        for segment, _ in table.stats.segments.finished
    }


def test_a_hundred_tables_at_once_are_less_than_five_kilobytes_a_second() -> None:
    run, seen = many_tables(), Seen()
    run.go_on(2)
    for number, table in enumerate(run.tables):
        table.stats.note_rejection(f"ValidationException: {number} {'a long reason ' * 40}")
    feed = Feed(run.monitor, Shown())
    seen.take(feed.news())
    assert len(seen.rows) == 100
    sizes = []
    for _ in range(SECONDS):
        run.go_on(1)
        sizes.append(seen.take(feed.news()))
    assert max(sizes) < MOST_BYTES
    for table in run.tables:
        table.stats.state = "interrupted"
    run.monitor.ended(RunSummary(run="orders", status="interrupted", error=None, tables=()))
    # What did not fit comes before the line is closed, in as small pieces.
    more = True
    while more:
        news = feed.news()
        assert seen.take(news) < MOST_BYTES
        more = news.more
    assert {row.state for row in seen.rows.values()} == {"interrupted"}
    assert [seen.rows[at].items_done for at in range(100)] == [
        table.stats.items_done for table in run.tables
    ]
    assert seen.done == all_done(run)
    assert sum(seen.reasons.values()) - 100 == sum(
        table.stats.throttled_requests for table in run.tables
    )


def test_one_table_of_ten_thousand_segments_is_as_little() -> None:
    run, seen = StagedRun(SEGMENTS), Seen()
    run.go_on(2)
    feed = Feed(run.monitor, Shown())
    seen.take(feed.news())
    for _ in range(SECONDS):
        run.go_on(1)
        assert seen.take(feed.news()) < MOST_BYTES
    run.monitor.phase = "ended"
    while feed.news().more:
        pass


def test_a_table_is_in_the_news_only_while_something_happens_to_it() -> None:
    run = StagedRun(64, names=("orders", "users"))
    run.go_on(3)
    feed = Feed(run.monitor, Shown())
    assert [row.index for row in feed.news().rows] == [0, 1]
    run.go_on(1)
    assert [row.index for row in feed.news().rows] == [0]


def test_a_segment_fills_while_it_is_read_and_is_full_only_at_its_end() -> None:
    run = StagedRun(8)
    run.tables[0].stats.segments.begun(2)
    feed = Feed(run.monitor, Shown())
    filled = {each.segment: each.filled for each in feed.news().segments}
    assert filled == {2: 0.0}
    steps = []
    for items in (100, 400, 10_000):
        run.table.segments.read(2, items)
        steps += [each.filled for each in feed.news().segments]
    assert steps == [0.1, 0.5, 0.95]
    run.table.segments.done(2)
    assert [each.filled for each in feed.news().segments] == [1]


def test_the_head_says_between_which_accounts_and_tables_of_which_arns() -> None:
    head = Feed(StagedRun(8).monitor, Shown()).news().head
    assert head is not None
    assert (head.source.account, head.source.region) == ("111111111111", "us-east-1")
    assert (head.target.account, head.target.region) == ("222222222222", "us-east-1")
    assert head.arns == (
        "arn:aws:dynamodb:us-east-1:111111111111:table/orders",
        "arn:aws:dynamodb:us-east-1:222222222222:table/orders",
    )
    several = StagedRun(8, names=("orders", "users"))
    several.tables[1].stats.source_arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/users"
    head = Feed(several.monitor, Shown()).news().head
    assert head is not None
    assert (head.source.account, head.source.region, head.arns) == ("111111111111", None, None)


@pytest.mark.parametrize("state", ["waiting", "complete", "rejected", "interrupted", "failed"])
def test_a_table_that_does_not_run_has_no_rate_and_no_eta(state: str) -> None:
    run = StagedRun(64)
    run.go_on(40)
    run.table.state = state  # type: ignore[assignment]
    run.monitor.refresh()
    [row] = Feed(run.monitor, Shown()).news().rows
    assert row.state == state
    assert (row.items_per_second, row.eta_seconds, row.throttled_share) == (None, None, None)


def test_in_a_pause_nothing_says_when_it_ends() -> None:
    run = StagedRun(64)
    run.go_on(3)
    run.monitor.stats.paused = True
    run.monitor.refresh()
    news = Feed(run.monitor, Shown()).news()
    assert news.rows[0].state == "paused"
    assert (news.rows[0].eta_seconds, news.total.eta_seconds, news.total.ends_at) == (None,) * 3


def test_events_are_sent_once_in_words_and_an_earlier_one_that_comes_late_moves_the_rest() -> None:
    run = StagedRun(8)
    started = RunEvent(time=100.0, kind="started")
    capped = RunEvent(time=140.0, kind="set", by="maria", detail="writes at most 600 units/s")
    run.monitor.stats.events = [started]
    feed = Feed(run.monitor, Shown())
    assert feed.news().events == [EventNews(0, 100.0, "started", None)]
    assert feed.news().events == []
    run.monitor.stats.events = [started, capped]
    in_words = "limits set by maria: writes at most 600 units/s"
    assert feed.news().events == [EventNews(1, 140.0, in_words, "limit")]
    run.monitor.stats.events = [started, RunEvent(time=120.0, kind="paused"), capped]
    moved = sorted((each.index, each.words) for each in feed.news().events)
    assert moved == [(1, "paused"), (2, in_words)]


def test_what_is_asked_of_one_table_is_not_marked_on_the_charts_of_the_run() -> None:
    run = StagedRun(8)
    run.monitor.stats.events = [
        RunEvent(time=100.0, kind="paused"),
        RunEvent(time=101.0, kind="paused", source="orders"),
    ]
    assert [each.mark for each in Feed(run.monitor, Shown()).news().events] == ["paused", None]


def test_of_many_events_the_newest_are_sent_and_an_update_stays_small() -> None:
    run = StagedRun(8)
    feed = Feed(run.monitor, Shown())
    feed.news()
    run.monitor.stats.events = [
        RunEvent(time=float(at), kind="paused", by="x" * 900) for at in range(1000)
    ]
    seen: list[int] = []
    while len(seen) < 200:
        news = feed.news()
        assert len(msgspec.json.encode(news)) < MOST_BYTES
        seen += [event.index for event in news.events]
    assert seen == list(range(800, 1000))


STEPS = (
    NextStep(step="resume", text="resume", commands=("dynaferry copy --plan /home/m/move.toml",)),
    NextStep(
        step="time-to-live",
        text="orders: enable time to live",
        commands=("aws dynamodb update-time-to-live --table-name orders",),
    ),
)


def test_what_a_run_leaves_to_do_is_sent_at_its_end_in_small_pieces() -> None:
    run = StagedRun(8)
    feed = Feed(run.monitor, Shown())
    assert feed.news().next_steps == []
    many = STEPS * 60
    run.monitor.ended(
        RunSummary(run="orders", status="interrupted", error=None, tables=(), next_steps=many)
    )
    steps: dict[tuple[int, int], str] = {}
    more = True
    while more:
        news = feed.news()
        assert len(msgspec.json.encode(news)) < MOST_BYTES
        steps |= {(each.step, each.position): each.words for each in news.next_steps}
        more = news.more
    assert len(steps) == 4 * 60
    assert steps[0, 1] == "dynaferry copy --plan /home/m/move.toml"
    assert steps[119, 0] == "orders: enable time to live"


def test_who_sees_the_page_from_elsewhere_is_not_shown_what_was_typed() -> None:
    summary = RunSummary(
        run="orders", status="interrupted", error=None, tables=(), next_steps=STEPS
    )
    shown = [each.words for each in story.steps_of(summary, shows_commands=False).values()]
    assert shown == [
        "resume",
        "orders: enable time to live",
        "aws dynamodb update-time-to-live --table-name orders",
    ]


def test_a_run_that_has_begun_anew_is_sent_from_its_beginning() -> None:
    run, other = StagedRun(64), StagedRun(8, names=("users",))
    feed = Feed(run.monitor, Shown())
    feed.news()
    run.monitor.stats = other.monitor.stats
    run.monitor.refresh()
    news = feed.news()
    assert news.head is not None
    assert news.head.tables == [("users", "users", 8)]
    assert [row.index for row in news.rows] == [0]
