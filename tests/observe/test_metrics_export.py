"""Metrics for those who do not scrape."""

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from anyio import to_thread
from prometheus_client import CollectorRegistry

from dynaferry.errors import PlanError
from dynaferry.observe.metrics_export import EVERY_SECONDS, Export, to_gateway, to_textfile
from dynaferry.observe.monitor import RunMonitor

NAME = "dynaferry_run_info"


@contextmanager
def gateway(status: int = 200) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """A Pushgateway as far as it matters: the address, and what came there."""
    came: list[tuple[str, str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:  # the name that http.server calls
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            came.append((self.command, self.path, body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", came
        finally:
            server.shutdown()
            thread.join()


async def test_a_gateway_is_given_the_metrics_under_the_runs_name() -> None:
    said: list[str] = []
    with gateway() as (url, came):
        await to_gateway(RunMonitor("orders", readers=8), url, said.append).once()
    [(method, path, body)] = came
    assert (method, path) == ("PUT", "/metrics/job/dynaferry/run/orders")
    assert 'dynaferry_run_info{run="orders"' in body
    assert said == []


async def test_a_gateway_that_is_gone_is_reported_once_and_stops_nothing() -> None:
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    export = to_gateway(RunMonitor("orders", readers=8), url, said.append)
    await export.once()
    await export.last()
    assert said == [f"metrics cannot be brought to {url}: Connection refused"]


async def test_a_gateway_that_refuses_is_reported_with_its_words() -> None:
    said: list[str] = []
    with gateway(status=503) as (url, _):
        await to_gateway(RunMonitor("orders", readers=8), url, said.append).once()
    assert said == [f"metrics cannot be brought to {url}: HTTP Error 503: Service Unavailable"]


@pytest.mark.parametrize(
    "url", ["gateway:9091", "ftp://gateway", "http://", "http://me:secret@gateway", "http://g/?a=b"]
)
def test_what_is_no_address_is_refused_and_no_secret_is_repeated(url: str) -> None:
    with pytest.raises(PlanError) as refused:
        to_gateway(RunMonitor("orders", readers=8), url, print)
    assert "secret" not in f"{refused.value.message} {refused.value.hint}"


async def test_a_textfile_holds_the_metrics_and_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "dynaferry.prom"
    monitor = RunMonitor("orders", readers=8)
    export = to_textfile(monitor, path, print)
    await export.once()
    with path.open() as before:
        monitor.run = "orders-2"
        await export.once()
        # Whoever reads it meanwhile has the old one, whole.
        assert 'run="orders"' in before.read()
    assert 'run="orders-2"' in path.read_text()
    assert list(tmp_path.iterdir()) == [path]


def test_a_textfile_that_node_exporter_would_not_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"does not end in \.prom"):
        to_textfile(RunMonitor("orders", readers=8), tmp_path / "metrics.txt", print)


async def test_it_is_brought_there_again_and_again(tmp_path: Path) -> None:
    export = to_textfile(RunMonitor("orders", readers=8), tmp_path / "dynaferry.prom", print)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await to_thread.run_sync((tmp_path / "dynaferry.prom").unlink)
        if len(slept) == 3:
            scope.cancel()
            await anyio.lowlevel.checkpoint()

    with anyio.CancelScope() as scope:
        await export.regularly(sleep=sleep)
    assert slept == [EVERY_SECONDS] * 3


async def test_what_was_taken_before_the_end_does_not_arrive_after_it() -> None:
    began, go = threading.Event(), threading.Event()
    monitor, came = RunMonitor("early", readers=8), list[str]()

    def carry(registry: CollectorRegistry) -> None:
        [run] = [
            sample.labels["run"]
            for metric in registry.collect()
            if metric.name == NAME
            for sample in metric.samples
        ]
        began.set()
        if run == "early":
            go.wait()
        came.append(run)

    export = Export(monitor, "there", carry, print)
    waits = to_thread.current_default_thread_limiter()
    async with anyio.create_task_group() as ended:
        ended.start_soon(export.regularly)
        await until(began.is_set)
        ended.cancel_scope.cancel()  # its thread is still at it
    monitor.run = "late"
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(export.last)
            await until(lambda: waits.borrowed_tokens == 1 or came == ["late"])
            go.set()
    finally:
        go.set()
    await until(lambda: len(came) == 2)
    assert came == ["early", "late"]


async def until(true: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        while not true():
            await anyio.lowlevel.checkpoint()
