"""Compares source and target byte by byte once a move stands still, and adds its counts up.

What is true is the simulator's; of the move only its spool and its dead letters are read.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_records import SpoolCounts
from dynaferry.state.directory import spool_path
from dynaferry.state.sqlite.store import SqliteStore
from tests.moves.case import BAD, RUN
from tests.moves.writer import name_of

Name = tuple[str, str]

_decode = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(slots=True)
class Verdict:
    """What is wrong with a move, if anything."""

    lost: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    miscounted: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.invented or self.miscounted)

    def __str__(self) -> str:
        told = (("lost", self.lost), ("invented", self.invented), ("miscounted", self.miscounted))
        return "; ".join(f"{len(what)} {name}: {what[:3]}" for name, what in told if what)


def judge(
    source: Sequence[bytes],
    target: Sequence[bytes],
    letters: Mapping[Name, bytes],
    states: Mapping[Name, set[bytes]],
) -> Verdict:
    """Judges what the tables hold: the same, but for what the target refuses.

    Of such an item there is a dead letter, as the source holds it, and of no other; the target may
    still hold an earlier state of it.
    """
    verdict = Verdict()
    there = {name_of(_decode(body)): body for body in source}
    here = {name_of(_decode(body)): body for body in target}
    refused = {name for name, body in there.items() if BAD in _decode(body)}
    for name in sorted(there.keys() | here.keys()):
        if name in refused:
            if name in here and here[name] not in states[name]:
                verdict.invented.append(f"{name}: never {here[name]!r}")
        elif name not in here:
            verdict.lost.append(f"{name}: missing, {there[name]!r}")
        elif name not in there:
            verdict.invented.append(f"{name}: deleted and there, {here[name]!r}")
        elif here[name] != there[name]:
            verdict.lost.append(f"{name}: {here[name]!r} for {there[name]!r}")
    verdict.lost += [f"{name}: refused, no letter" for name in sorted(refused - letters.keys())]
    for name, item in letters.items():
        if name not in refused:
            verdict.invented.append(f"{name}: a letter of what is not refused, {item!r}")
        elif item != there[name]:
            verdict.lost.append(f"{name}: the letter is {item!r}, the item {there[name]!r}")
    return verdict


def judge_counts(counts: SpoolCounts, *, records: int | None = None) -> list[str]:
    """What does not add up in a spool; `records` is how many the stream has had, where known."""
    sum_of = counts.applied + counts.compacted + counts.waiting + counts.rejected
    wrong = [] if counts.captured == sum_of else [f"captured {counts.captured}, {counts}"]
    if records is not None and counts.captured != records:
        wrong.append(f"captured {counts.captured} of {records} records")
    return wrong


def counts_of(state_dir: Path) -> SpoolCounts | None:
    """What is in the spool of a move that does not run; None where it has none yet."""
    path = spool_path(state_dir, RUN, 0)
    if not path.exists():
        return None
    with closing(sqlite3.connect(path)) as found:
        (spool_id,) = found.execute("SELECT id FROM spool").fetchone()
    spool = SpoolFile.open(path, spool_id)
    assert spool is not None
    try:
        return spool.counts()
    finally:
        spool.close()


async def letters_of(state_dir: Path) -> dict[Name, bytes]:
    """The dead letters of the copy, and over them those of what followed."""
    store = await SqliteStore.open_for_reading(state_dir, RUN)
    try:
        copied = await store.read_counted_dead_letters(0, None, 1_000_000)
    finally:
        await store.aclose()
    letters = {name_of(_decode(letter.key)): bytes(letter.item) for letter in copied}
    with closing(sqlite3.connect(spool_path(state_dir, RUN, 0))) as spool:
        for key, item in spool.execute("SELECT key, item FROM letters"):
            letters[name_of(_decode(key))] = item
    return letters
