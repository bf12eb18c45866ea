"""A move of real processes is watched and steered from outside as a copy is."""

import json
import signal
import sys
from pathlib import Path

import anyio
from anyio import to_thread

from tests.cli.scraped import Scraper, page_of, token_of
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


async def write(world: MotoWorld, version: int) -> None:
    for number in range(CHANGES):
        await world.source_tables.put_items("orders", [an_item(number, version)])


async def test_a_move_is_seen_while_it_copies_and_follows_and_is_paused_slowed_and_let_go_on(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    world = moto_world
    await make_source(world, StreamSpecification=STREAM)
    more = ("--metrics-listen", "127.0.0.1:0", "--allow-control", "--max-write-units", "10")
    logs = ("--log-format", "json", "--log-level", "info")
    with started(command(world, tmp_path, *more, *logs)) as child:
        scraper = Scraper(await to_thread.run_sync(page_of, child))
        token = await to_thread.run_sync(token_of, child)
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
        assert (code, "it runs; this takes effect" in err) == (0, True)
        following = await scraper.until("move_state:following", 1)
        assert following["lag_seconds"] < 60
        await until_followed(world, tmp_path)
        await is_held_by_a_pause(world, tmp_path, scraper, token)
        await is_under_a_cap_that_was_set(tmp_path, scraper)
        assert (await scraper.ask("/healthz")) == (200, "following\n")
        first = await to_thread.run_sync(scraper.first_update)
        (row,) = first["rows"]
        assert row[2] == 1  # the share that is done
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
    assert "but no process follows it: the same move command resumes it" in out
    code, _, err = await told(tmp_path, "pause", "orders")
    assert (code, "this holds from its next attempt on" in err) == (0, True)


async def is_held_by_a_pause(
    world: MotoWorld, state_dir: Path, scraper: Scraper, token: str
) -> None:
    """While it is paused changes are captured and not applied; and once its page lets it go on,
    they are.
    """
    code, _, err = await told(state_dir, "pause", "orders")
    assert (code, "its move is under way; this takes effect within 2 s" in err) == (0, True)
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
    assert "its move is under way, paused; dynaferry resume orders resumes it" in out
    assert "orders: following, paused, " in out
    assert (await scraper.ask("/healthz")) == (200, "paused\n")
    assert await scraper.control(token, paused=False) == 200
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
    assert "limits      writes at most 77 units/s (set by hand)" in out


def check_events(err: str) -> None:
    """Every line is an event, and states and controls are among them."""
    events = [json.loads(line) for line in err.splitlines()]
    states = [e["status"] for e in events if e["event"] == "move-state"]
    assert states[-2:] == ["replaying", "following"]
    progress = [e for e in events if e["event"] == "move-progress" and e["state"] == "following"]
    assert min(e["lag_seconds"] for e in progress) < 60
    messages = [event["message"] for event in events]
    assert any(message.startswith("orders: following, 0.") for message in messages)
    assert any("orders: paused" in message for message in messages)
    assert any("writes at most 77 units/s (set by hand)" in message for message in messages)
