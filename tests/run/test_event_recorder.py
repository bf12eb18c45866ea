"""The events of a run under way reach its state file and whoever shows it."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from dynaferry.errors import StateWriteError
from dynaferry.observe.events import RunEvent, line_of
from dynaferry.observe.stats import RunStats, TableStats
from dynaferry.run.event_recorder import EventRecorder
from dynaferry.state.records import ControlsChange
from dynaferry.state.sqlite.store import SqliteStore
from tests.state.contract import CREATED_AT, IDENTITY, SETTINGS, VERSION


async def test_what_happens_and_what_others_ask_for_is_one_list(tmp_path: Path) -> None:
    store = await SqliteStore.create(tmp_path, "move", IDENTITY, SETTINGS, VERSION, CREATED_AT)
    await store.begin_attempt(VERSION, CREATED_AT)
    stats = RunStats("move", tables=[TableStats("orders", "orders", 8)])
    recorder = EventRecorder(store, stats, clock=lambda: CREATED_AT + 9)
    await recorder.record(anew=True)
    assert [line_of(event) for event in stats.events] == ["started"]
    stats.tables[0].state = "running"
    await store.change_controls(ControlsChange(paused=True), CREATED_AT + 5, "ann")
    await recorder.record()
    assert [line_of(event) for event in stats.events] == [
        "started",
        "paused by ann",
        "orders: started",
    ]
    assert await store.read_events() == stats.events
    await store.aclose()


class FullDisk:
    """A store that takes nothing."""

    async def add_events(self, events: Sequence[RunEvent]) -> None:
        raise StateWriteError(f"{len(events)} events were not stored")

    async def read_events(self) -> list[RunEvent]:
        pytest.fail("nothing was stored that could be read")


async def test_what_cannot_be_stored_ends_nothing() -> None:
    stats = RunStats("move", tables=[TableStats("orders", "orders", 8, state="running")])
    await EventRecorder(FullDisk(), stats).record()
    assert stats.events == ()
