"""What was written behind the go is known once its stream has shown it, and never before."""

from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from dynaferry.follow import written_behind
from dynaferry.follow.shard_ages import ShardAges
from dynaferry.follow.written_behind import WatchedStream, WrittenBehind
from dynaferry.ports import ChangeKind, ChangePage, ChangeRecord

NOW = 1_800_000_000.0


class Watch:
    class quiet:  # noqa: N801  # as a capture has it
        asked_seconds = 5.0


class Capturing:
    """The capture of a stream that is caught up with."""

    def __init__(self) -> None:
        self.ages = ShardAges(NOW)
        self.ages.begin("a", None)
        self.watch = Watch
        self.is_over = False
        self.now = NOW

    @property
    def polled_at(self) -> float | None:
        return self.ages.polled_at

    def clock(self) -> float:
        return self.now

    def shows(self, created_at: float) -> None:
        record = ChangeRecord(b"d", b"{}", ChangeKind.DELETE, created_at=created_at)
        self.ages.note("a", ChangePage([record], 1, "next", 0), self.now)


class Captor:
    def __init__(self, capture: Capturing | None) -> None:
        self.current = cast("Any", capture)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written_behind, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(written_behind, "_LOOK_SECONDS", 0.01)


def written(capture: Capturing | None) -> WrittenBehind:
    return WrittenBehind(WatchedStream(Path("none"), Captor(capture)), None)


async def test_a_stream_whose_old_records_are_read_has_shown_nothing_of_what_lies_behind() -> None:
    """As of a target that was just copied: its shards hold the copy, before the first write."""
    capture = Capturing()
    known, is_known = written(capture), anyio.Event()

    async def wait() -> None:
        await known.known_until(NOW)
        is_known.set()

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        for step in range(30):
            capture.now = NOW + 6 + step
            capture.shows(NOW - 60 + step)  # a moment ago, and read all the time
            await anyio.sleep(0.01)
            assert not is_known.is_set()
        capture.shows(NOW + 5)
    assert known.unknown is None


async def test_a_stream_that_is_over_has_shown_everything() -> None:
    capture = Capturing()
    capture.is_over = True
    known = written(capture)
    await known.known_until(NOW)
    assert known.unknown is None


async def test_of_a_stream_that_nobody_reads_it_is_said_and_not_waited_for_again() -> None:
    for capture in (None, Capturing()):
        known = written(capture)
        await known.known_until(NOW)
        assert known.unknown == "a stream could not be read"
        await known.known_until(NOW)  # at once
