import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.observe.monitor import RunMonitor
from dynaferry.observe.prometheus import registry_for
from dynaferry.observe.summary import RunSummary
from dynaferry.web.control import Change, ControlsView
from dynaferry.web.feed import Feed, Shown
from dynaferry.web.guards import TOKEN_HEADER
from dynaferry.web.news import FeedUpdate
from dynaferry.web.server import _metrics
from tests.web.served import DEAD_LETTERS, RESUME, served
from tests.web.staged import StagedRun


async def test_a_scrape_is_answered_in_the_form_that_was_asked_for() -> None:
    async with served(RunMonitor("orders", readers=8)) as server:
        plain = await server.get("/metrics")
        openmetrics = await server.get(
            "/metrics", Accept="application/openmetrics-text; version=1.0.0"
        )
    assert plain.status == 200
    assert plain.headers["Content-Type"].startswith("text/plain")
    assert 'dynaferry_run_info{run="orders"' in plain.text
    assert openmetrics.headers["Content-Type"].startswith("application/openmetrics-text")
    assert openmetrics.text.endswith("# EOF\n")


PARTS = (
    *(
        "application/openmetrics-text",
        "text/plain",
        "*/*",
        "version=",
        "version=1.0.0",
        "escaping=",
    ),
    *(";", ",", "=", ".", " ", "q=0.5", "1", "x", "allow-utf-8", "\xff", "\r", "\0"),
)
ODD_ACCEPTS = [
    "application/openmetrics-text; version=x",
    "application/openmetrics-text; version=1.x.0",
    "application/openmetrics-text; version=..",
    "application/openmetrics-text; version=",
    "application/openmetrics-text; version=99999999999999999999.1",
    "application/openmetrics-text; version=1.0.0; escaping=nothing-known",
    "text/plain; version=x",
    "text/plain; version=\xe9",
    "text/plain;;;;q=,,,;=",
    ";", ",", "=", "q=1", "*/*;q=x", "\xff\xfe", "a" * 4000,
]  # fmt: skip


@pytest.mark.parametrize("accept", ODD_ACCEPTS)
@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/"])
async def test_whatever_a_scraper_accepts_it_is_answered(
    path: str, accept: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(RunMonitor("orders", readers=8)) as server:
        answer = await server.get(path, Accept=accept)
    assert answer.status == 200
    assert path != "/metrics" or "dynaferry_run_info" in answer.text
    assert [record for record in caplog.records if record.exc_info] == []


@given(st.lists(st.sampled_from(PARTS), max_size=8).map("".join))
async def test_no_accept_is_an_error(accept: str) -> None:
    registry = registry_for(RunMonitor("orders", readers=8))
    assert b"dynaferry_run_info" in bytes(_metrics(registry, accept).body or b"")  # type: ignore[arg-type]


async def test_health_is_a_status_with_a_reason() -> None:
    monitor = RunMonitor("orders", readers=8)
    async with served(monitor) as server:
        healthy = await server.get("/healthz")
        monitor.ended(RunSummary(run="orders", status="failed", error=None, tables=()))
        failed = await server.get("/healthz")
    assert (healthy.status, healthy.text) == (200, "preparing\n")
    assert (failed.status, failed.text) == (503, "failed\n")


async def test_a_run_is_alive_however_it_gets_on() -> None:
    monitor = RunMonitor("orders", readers=8)
    async with served(monitor) as server:
        monitor.ended(RunSummary(run="orders", status="failed", error=None, tables=()))
        alive = await server.get("/livez")
    assert (alive.status, alive.text) == (200, "the event loop turns\n")


async def test_under_a_foreign_name_nothing_is_shown() -> None:
    async with served(RunMonitor("orders", readers=8)) as server:
        for path in ("/", "/metrics", "/healthz", "/livez", "/nothing"):
            answer = await server.get(path, Host="evil.example")
            assert answer.status == 421


async def test_every_response_forbids_what_the_page_does_not_need() -> None:
    async with served(RunMonitor("orders", readers=8)) as server:
        answers = [await server.get(path) for path in ("/metrics", "/healthz", "/nothing")]
        answers.append(await server.get("/metrics", Host="evil.example"))
    assert [answer.status for answer in answers] == [200, 200, 404, 421]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def refuse(_: Change) -> None:
    raise AssertionError("nobody may control this run")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({TOKEN_HEADER: "wrong"}, 403),
        ({TOKEN_HEADER: "right", "Origin": "http://evil.example"}, 403),
        ({TOKEN_HEADER: "right", "Sec-Fetch-Site": "cross-site"}, 403),
        ({TOKEN_HEADER: "right", "Host": "evil.example"}, 421),
        ({TOKEN_HEADER: "right", "Content-Type": "text/plain"}, 415),
    ],
)
async def test_who_may_not_control_changes_nothing(headers: dict[str, str], status: int) -> None:
    given = {"Content-Type": "application/json"} | headers
    async with served(RunMonitor("orders", readers=8), ControlsView("right", refuse)) as server:
        answer = await server.ask("POST", "/control", b'{"paused": true}', given)
    assert answer.status == status


async def test_a_run_that_was_started_without_control_cannot_be_changed() -> None:
    async with served(RunMonitor("orders", readers=8)) as server:
        answer = await server.ask("POST", "/control", b'{"paused": true}', {})
    assert answer.status == 403
    assert "--allow-control" in answer.text


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"pause": true}', b'{"paused": 1}', b'{"max_write_units": 0}',
             b'{"paused": true, "table": 3}',
             b'{"max_read_units": "fast"}', b'{"max_write_units": -1}']
)  # fmt: skip
async def test_a_change_that_is_not_understood_is_not_made(body: bytes) -> None:
    headers = {"Content-Type": "application/json", TOKEN_HEADER: "right"}
    async with served(RunMonitor("orders", readers=8), ControlsView("right", refuse)) as server:
        answer = await server.ask("POST", "/control", body, headers)
    assert answer.status == 400


def finished_in(news: FeedUpdate) -> int:
    return sum(segment.filled == 1 for segment in news.segments)


async def test_news_are_everything_at_first_and_then_only_what_is_new() -> None:
    run = StagedRun(100)
    run.go_on(10)
    reader = Feed(run.monitor, Shown(settings=[("writers", "32")]))
    first = reader.news()
    assert first.head is not None
    assert first.head.settings == [("writers", "32")]
    assert first.head.tables == [("orders", "orders", 100)]
    assert len(first.points) == 10
    assert finished_in(first) == run.table.segments_complete
    run.go_on(1)
    then = reader.news()
    assert then.head is None
    assert len(then.points) == 1
    assert finished_in(first) + finished_in(then) == len(run.table.segments.finished)


async def test_a_table_that_is_looked_at_is_asked_for() -> None:
    run = StagedRun(64, names=("orders", "users"))
    run.go_on(10)
    async with served(run.monitor) as server:
        orders = json.loads((await server.get("/table?index=0")).text)
        later = json.loads((await server.get("/table?index=0&since=8.0")).text)
        waiting = json.loads((await server.get("/table?index=1")).text)
        statuses = [
            (await server.get(f"/table{query}")).status
            for query in ("", "?index=x", "?index=0&since=y", "?index=2", "?index=-1")
        ]
        foreign = await server.get("/table?index=0", Host="evil.example")
    assert orders["target_arn"] == "arn:aws:dynamodb:us-east-1:222222222222:table/orders"
    assert orders["points"][-1][1] == run.table.items_done
    assert [point[0] for point in later["points"]] == [9.0, 10.0]
    assert waiting["points"] == []
    assert statuses == [400, 400, 400, 404, 404]
    assert foreign.status == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104  # for a moment
async def test_commands_with_paths_of_this_machine_are_shown_on_it_alone(host: str) -> None:
    monitor = RunMonitor("orders", readers=8)
    async with served(monitor, host=host) as server:
        monitor.ended(RunSummary(run="orders", status="interrupted", error=None, tables=()))
        answer = await server.get("/events")
    is_shown = host == "127.0.0.1"
    assert (RESUME in answer.text) == is_shown
    assert (DEAD_LETTERS in answer.text) == is_shown


async def test_the_last_news_are_how_it_ended_and_then_the_line_is_closed() -> None:
    monitor = RunMonitor("orders", readers=8)
    async with served(monitor) as server:
        monitor.ended(RunSummary(run="orders", status="complete", error=None, tables=()))
        answer = await server.get("/events")
    assert answer.headers["Content-Type"] == "text/event-stream"
    [line] = answer.text.strip().splitlines()
    news = json.loads(line.removeprefix("data: "))
    assert (news["phase"], news["status"]) == ("ended", "complete")
