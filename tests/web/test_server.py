from dynaferry.observe.lookout import Lookout
from dynaferry.observe.summary import RunSummary
from tests.web.served import served


async def test_a_scrape_is_answered_in_the_form_that_was_asked_for() -> None:
    async with served(Lookout("orders", readers=8)) as server:
        plain = await server.get("/metrics")
        openmetrics = await server.get(
            "/metrics", Accept="application/openmetrics-text; version=1.0.0"
        )
    assert plain.status == 200
    assert plain.headers["Content-Type"].startswith("text/plain")
    assert 'dynaferry_run_info{run="orders"' in plain.text
    assert openmetrics.headers["Content-Type"].startswith("application/openmetrics-text")
    assert openmetrics.text.endswith("# EOF\n")


async def test_health_is_a_status_with_a_reason() -> None:
    lookout = Lookout("orders", readers=8)
    async with served(lookout) as server:
        healthy = await server.get("/healthz")
        lookout.ended(RunSummary(run="orders", status="failed", error=None, tables=()))
        failed = await server.get("/healthz")
    assert (healthy.status, healthy.text) == (200, "preparing\n")
    assert (failed.status, failed.text) == (503, "failed\n")


async def test_under_a_foreign_name_nothing_is_shown() -> None:
    async with served(Lookout("orders", readers=8)) as server:
        for path in ("/", "/metrics", "/healthz", "/nothing"):
            answer = await server.get(path, Host="evil.example")
            assert answer.status == 421


async def test_every_answer_forbids_what_the_page_does_not_need() -> None:
    async with served(Lookout("orders", readers=8)) as server:
        answers = [await server.get(path) for path in ("/metrics", "/healthz", "/nothing")]
        answers.append(await server.get("/metrics", Host="evil.example"))
    assert [answer.status for answer in answers] == [200, 200, 404, 421]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
