"""Compares both tables as the endpoint holds them, byte by byte, with what the run says of them.

Nothing is taken from the copy but its summary and its state file; what is true is the endpoint's.
"""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from dynaferry.observe.summary import RunSummary
from dynaferry.state.records import (
    DeadLetter,
    RunIdentity,
    SegmentRecord,
)
from dynaferry.state.sqlite.store import SqliteStore
from tests.faults.service import POISON, READS, TWICE, Service
from tests.faults.stored import Position, StoredTable
from tests.state.stored_letters import stored_letters


class Verdict:
    """What is wrong with a copy, if anything: `lost`, `invented` and `miscounted` items."""

    def __init__(self) -> None:
        self.lost: list[Position] = []
        self.invented: list[Position] = []
        self.miscounted: list[str] = []

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.invented or self.miscounted)

    def add(self, other: "Verdict") -> None:
        """Adds what else is wrong."""
        self.lost += other.lost
        self.invented += other.invented
        self.miscounted += other.miscounted

    def __str__(self) -> str:
        return f"lost {self.lost}, invented {self.invented}, miscounted {self.miscounted}"


def is_refused(table: StoredTable, item: bytes) -> bool:
    """Whether no service would take this item."""
    return POISON in item or table.fault_of(item) is not None


async def judge_finished(
    service: Service, source: StoredTable, target: StoredTable, summary: RunSummary, state_dir: Path
) -> Verdict:
    """Judges a run that says that it is done."""
    verdict = Verdict()
    letters = await dead_letters(state_dir, summary.run or "")
    set_aside = _set_aside(verdict, source, letters)
    for position, item in source.items.items():
        if target.items.get(position) != item and position not in set_aside:
            verdict.lost.append(position)
    _find_invented(verdict, source, target)
    refused = sum(is_refused(source, item) for item in source.items.values())
    twice = sum(TWICE in item for item in source.items.values())
    (table,) = summary.tables
    said: dict[str, tuple[object, object]] = {
        "status": (summary.status, "rejected" if refused else "complete"),
        "table status": (table.status, summary.status),
        "read": (table.items_read, len(source.items) + twice),
        "written": (table.items_written, len(source.items) + twice - refused),
        "rejected": (table.items_rejected, refused),
        "letters": (len(letters), refused),
        "filtered": (table.items_filtered, 0),
        "on the target": (len(target.items), len(source.items) - refused),
        "segments": (table.segments_complete, table.segments_total),
        "writes to the source": (_writes_to(service, source), []),
    }
    verdict.miscounted += [
        f"{what}: {is_} != {be}" for what, (is_, be) in said.items() if is_ != be
    ]
    return verdict


async def judge_state(
    source: StoredTable, target: StoredTable, state_dir: Path, run: str
) -> Verdict:
    """Judges the state of a run at any moment: what it calls acknowledged must be there.

    That is invariants 1 and 2: every item up to a watermark is on the target or a dead letter, and
    the counts are of exactly those items.
    """
    verdict = Verdict()
    store = await SqliteStore.open_for_reading(state_dir, run)
    try:
        identity = (await store.read_run()).identity
        if identity.tables[0].target_table_id != target.table_id:
            return verdict  # the state is of a target that is gone
        records = await store.read_segments(0)
        letters = await stored_letters(store)
    finally:
        await store.aclose()
    set_aside = {source.position(json.loads(letter.key)) for letter in letters}
    for record in records:
        behind = _behind(source, record, identity)
        counts = Counter(is_refused(source, source.items[position]) for position in behind)
        counts[False] += sum(TWICE in source.items[position] for position in behind)
        if (record.items_written, record.items_rejected) != (counts[False], counts[True]):
            verdict.miscounted.append(f"segment {record.segment}: {record}, not {counts}")
        if record.items_read != record.items_written + record.items_rejected:
            verdict.miscounted.append(f"segment {record.segment}: the sums of {record}")
        for position in behind:
            there = target.items.get(position) == source.items[position]
            if not there and position not in set_aside:
                verdict.lost.append(position)
    _find_invented(verdict, source, target)
    return verdict


def acknowledged(
    source: StoredTable, records: Iterable[SegmentRecord], identity: RunIdentity
) -> frozenset[Position]:
    """Where the items lie that these records call acknowledged."""
    return frozenset(
        position for record in records for position in _behind(source, record, identity)
    )


def _behind(source: StoredTable, record: SegmentRecord, identity: RunIdentity) -> list[Position]:
    """The items of a segment up to its watermark; every record has one."""
    last = None if record.complete else json.loads(record.last_evaluated_key or b"")
    return source.up_to(record.segment, identity.tables[0].total_segments, last)


async def dead_letters(state_dir: Path, run: str) -> list[DeadLetter]:
    """The items that the run has set aside."""
    store = await SqliteStore.open_for_reading(state_dir, run)
    try:
        return await stored_letters(store)
    finally:
        await store.aclose()


def _find_invented(verdict: Verdict, source: StoredTable, target: StoredTable) -> None:
    verdict.invented += [
        position for position, item in target.items.items() if source.items.get(position) != item
    ]


def _set_aside(
    verdict: Verdict, source: StoredTable, letters: Iterable[DeadLetter]
) -> set[Position]:
    """Where the dead letters' items lie; a letter must be an item of the source that is refused."""
    found = set()
    for letter in letters:
        position = source.position(json.loads(letter.key))
        if source.items.get(position) != letter.item or not is_refused(source, letter.item):
            verdict.invented.append(position)
        found.add(position)
    return found


def _writes_to(service: Service, source: StoredTable) -> list[str]:
    return [
        operation
        for table, operation in service.operations
        if table == source.name and operation not in READS
    ]
