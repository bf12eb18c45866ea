"""A move of real processes is watched and steered from outside as a copy is."""

import http.client
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
from anyio import to_thread
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.test_move import (
    ITEMS,
    STREAM,
    an_item,
    command,
    ended,
    is_equal,
    make_source,
    started,
    status_of,
    until_followed,
)
from tests.worlds.moto import MotoWorld

CHANGES = 30


async def told(state_dir: Path, *typed: str) -> tuple[int, str, str]:
    return await ended([sys.executable, "-m", "dynaferry", *typed, "--state-dir", str(state_dir)])


def page_of(child: subprocess.Popen[str]) -> str:
    """Where the child serves what it does."""
    for line in child.stderr or ():
        found = re.search(r"metrics at (http://\S+/)metrics\)", line)
        if found is not None:
            return found[1]
    raise AssertionError("it ended before it served its metrics")


class Scraper:
    """Asks a run's server as a scraper and a probe would."""

    def __init__(self, url: str) -> None:
        self.place = urlsplit(url).netloc

    async def ask(self, path: str) -> tuple[int, str]:
        return await to_thread.run_sync(self._ask, path)

    def _ask(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.place, timeout=20)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def first_update(self) -> dict[str, Any]:
        """What a page that is opened now is sent at first."""
        connection = http.client.HTTPConnection(self.place, timeout=20)
        try:
            connection.request("GET", "/events")
            line = connection.getresponse().readline()
            found: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
            return found
        finally:
            connection.close()

    async def metrics(self) -> dict[str, float]:
        """By name, with the state, direction or operation behind a colon where there is one."""
        _, text = await self.ask("/metrics")
        found = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                kinds = ("state", "direction", "operation")
                more = next((sample.labels[k] for k in kinds if k in sample.labels), None)
                name = sample.name.removeprefix("dynaferry_")
                found[f"{name}:{more}" if more else name] = sample.value
        return found

    async def until(self, name: str, value: float) -> dict[str, float]:
        """The metrics once this one is so much."""
        with anyio.fail_after(60):
            while True:
                found = await self.metrics()
                if found.get(name) == value:
                    return found
                await anyio.sleep(0.2)


async def write(world: MotoWorld, version: int) -> None:
    for number in range(CHANGES):
        await world.source_tables.put_items("orders", [an_item(number, version)])


async def test_a_move_is_seen_while_it_copies_and_follows_and_is_paused_slowed_and_let_go_on(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world = moto_world
    await make_source(world, StreamSpecification=STREAM)
    more = ("--metrics-listen", "127.0.0.1:0", "--max-write-units", "10", "--log-format", "json")
    with started(command(world, tmp_path, *more, "--log-level", "info")) as child:
        scraper = Scraper(await to_thread.run_sync(page_of, child))
        copying = await scraper.until("move_state:copying", 1)
        assert "lag_seconds" not in copying
        assert copying["stream_shards:open"] == 1
        # What was written within the five minutes before is captured as well.
        await scraper.until("changes_total:in", ITEMS)
        await write(world, 1)
        captured = await scraper.until("changes_total:in", ITEMS + CHANGES)
        assert captured["move_state:copying"] == 1
        assert captured["spool_rows"] == ITEMS
        code, _, err = await told(tmp_path, "set", "orders", "--max-write-units", "none")
        assert (code, "it runs, and does so" in err) == (0, True)
        following = await scraper.until("move_state:following", 1)
        assert following["lag_seconds"] < 60
        await until_followed(world, tmp_path)
        await is_held_by_a_pause(world, tmp_path, scraper)
        await is_under_a_cap_that_was_set(tmp_path, scraper)
        assert (await scraper.ask("/healthz")) == (200, "following\n")
        first = await to_thread.run_sync(scraper.first_update)
        (table,) = first["tables"]
        assert len(table["finished"]) == table["segments_total"]
        assert first["move"][0]["state"] == "following"
        assert first["move_points"]
        report = tmp_path / "report.html"
        assert (await told(tmp_path, "report", "orders", "-o", str(report)))[0] == 0
        child.send_signal(signal.SIGINT)
        _, err = await to_thread.run_sync(lambda: child.communicate(timeout=60))
    assert child.returncode == 130, err
    check_events(err)
    page = await anyio.Path(report).read_text()
    for words in ("Move: orders → orders", "orders: following", "Seconds behind", "capturing"):
        assert words in page
    left = await status_of(tmp_path)
    assert (left["state"], left["is_running"], left["ready"]) == ("following", False, False)
    _, out, _ = await told(tmp_path, "status", "orders")
    assert "but no process follows it: the same move command goes on" in out
    code, _, err = await told(tmp_path, "pause", "orders")
    assert (code, "this holds from its next attempt on" in err) == (0, True)


async def is_held_by_a_pause(world: MotoWorld, state_dir: Path, scraper: Scraper) -> None:
    """While it is paused changes are captured and not applied, and afterwards they are."""
    code, _, err = await told(state_dir, "pause", "orders")
    assert (code, "its move is under way, and does so within two seconds" in err) == (0, True)
    await anyio.sleep(2)
    before = await scraper.metrics()
    await write(world, 2)
    held = await scraper.until("spool_rows", CHANGES)
    assert held["changes_total:in"] == before["changes_total:in"] + CHANGES
    await anyio.sleep(1)
    held = await scraper.metrics()
    assert held["changes_total:out"] == before["changes_total:out"]
    assert held["lag_seconds"] > 1
    assert not await is_equal(world)
    status = await status_of(state_dir)
    assert (status["paused"], status["limited_by"]) == (True, "a pause")
    _, out, _ = await told(state_dir, "status", "orders")
    assert "its move is under way, paused; dynaferry resume orders lets it go on" in out
    assert "orders: following, paused, " in out
    assert (await scraper.ask("/healthz")) == (200, "paused\n")
    assert (await told(state_dir, "resume", "orders"))[0] == 0
    after = await scraper.until("spool_rows", 0)
    assert await is_equal(world)
    for name in ("requests_total", "request_seconds_count"):
        assert after[f"{name}:BatchWriteItem"] > held[f"{name}:BatchWriteItem"]


async def is_under_a_cap_that_was_set(state_dir: Path, scraper: Scraper) -> None:
    """What `set` sets holds for a follower as well, and is shown."""
    code, out, _ = await told(state_dir, "set", "orders", "--max-write-units", "77", "--json")
    held = json.loads(out)
    assert (code, held["under_way"], held["held"]["write"]["origin"]) == (0, "move", "set")
    await anyio.sleep(1.5)
    _, out, _ = await told(state_dir, "status", "orders")
    assert "held back   writes at most 77 units/s (set)" in out


def check_events(err: str) -> None:
    """Every line is an event, and states and controls are among them."""
    events = [json.loads(line) for line in err.splitlines()]
    states = [e["status"] for e in events if e["message"].startswith("the move goes on to")]
    assert states[-2:] == ["replaying", "following"]
    messages = [event["message"] for event in events]
    assert any(message.startswith("orders: following, 0.") for message in messages)
    assert any("orders: paused" in message for message in messages)
    assert any("writes at most 77 units/s (set)" in message for message in messages)
