"""The spool and the lineage of the model: real ones, asked once for each state and operation.

A spool of the model is what waits, in the file's order: key, version (or that it is to be read
again), and whether something came since it was sent. For each question a real file in memory is
brought into that state, the operation is done by `SpoolFile`, and what is in the file then is the
answer. So a state space of millions costs some hundred files.
"""

import sqlite3
from functools import cache
from pathlib import Path
from typing import TypeAlias

from dynaferry.follow.lineage import Gap, Lineage, Position, ShardState
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_records import Waiting, arrivals_of
from dynaferry.follow.spool_schema import SCHEMA
from dynaferry.ports import ChangeKind, ChangeRecord, Shard

REREAD = -1
START = 1_800_000_000.0
OLDER = 5 * 3600.0

Waits: TypeAlias = tuple[int, int, bool]
Spooled: TypeAlias = tuple[Waits, ...]


class _Built:
    """A real spool in a state of the model, and the rows as they were sent."""

    def __init__(self, spool: Spooled) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.executescript(SCHEMA)
        self._connection.execute("INSERT INTO spool (id) VALUES ('model')")
        self.file = SpoolFile(self._connection, Path("model"))
        self.sent: dict[int, Waiting] = {}
        for key, version, _ in spool:
            self.file.store([_change(key, version)], (), 0.0)
        rows = {_key_of(row): row for row in self.file.waiting(0, 9)}
        for key, version, has_news in spool:
            self.sent[key] = rows[key]
            if has_news:
                self.file.store([_change(key, version)], (), 0.0)

    def taken(self) -> Spooled:
        """The state that it is in now."""
        spool = []
        for row in self.file.waiting(0, 9):
            key = _key_of(row)
            has_news = key not in self.sent or row.arrival != self.sent[key].arrival
            spool.append((key, _version_of(row), has_news))
        counts = self.file.counts()
        assert counts.captured == counts.applied + counts.compacted + counts.waiting
        self._connection.close()
        return tuple(spool)


@cache
def stored(spool: Spooled, key: int, version: int) -> Spooled:
    """A record has come."""
    built = _Built(spool)
    built.file.store([_change(key, version)], (), 0.0)
    return built.taken()


@cache
def revisited(spool: Spooled, key: int) -> Spooled:
    """No write to the key, whose outcome nobody knew, can be on its way any more."""
    built = _Built(spool)
    row = Waiting(0, _digest(key), _digest(key), 0, 0.0, ChangeKind.PUT, None)
    built.file.add_doubts([row], 1.0)
    assert built.file.revisit_doubts(1.0) == 1
    assert built.file.counts().doubts == 0
    return built.taken()


@cache
def acknowledged(spool: Spooled, key: int, _held: int) -> Spooled:
    """The target holds what was sent of the key."""
    built = _Built(spool)
    if key in built.sent:
        built.file.applied(arrivals_of([built.sent[key]]), 0.0)
    return built.taken()


@cache
def demoted(spool: Spooled) -> Spooled:
    """Records were trimmed unread."""
    built = _Built(spool)
    built.file.store((), (), 0.0, gaps=[Gap("shard", "trimmed")])
    assert built.file.counts().open_gaps == 1
    return built.taken()


def sent(spool: Spooled, key: int) -> Spooled:
    """The row goes out, and stays."""
    return tuple((k, version, has_news and k != key) for k, version, has_news in spool)


def compared_by_content(spool: Spooled, key: int, held: int) -> Spooled:
    """Wrong: a row goes if it looks like what was sent."""
    return tuple(waits for waits in spool if waits[0] != key or waits[1] != held)


@cache
def begun_at(branches: tuple[tuple[int, bool], ...]) -> tuple[bool, ...]:
    """Of each shard (its parent, whether it is closed): whether the capture passes it over."""
    lineage = Lineage()
    lineage.begin(
        [
            Shard(_shard(number), _parent(parent), 1 if is_closed else None)
            for number, (parent, is_closed) in enumerate(branches)
        ],
        START,
    )
    return tuple(lineage.state_of(_shard(n)) is ShardState.PASSED for n in range(len(branches)))


@cache
def may_be_read(branches: tuple[tuple[int, bool, bool | None], ...]) -> tuple[bool, ...]:
    """Of each shard (its parent, whether it is closed, whether all of it is read, None if it was
    passed over): whether it may be read now.
    """
    lineage = Lineage(
        [
            Position(_shard(number), _parent(parent), _state(is_closed, is_read))
            for number, (parent, is_closed, is_read) in enumerate(branches)
        ]
    )
    readable = {position.shard for position in lineage.readable()}
    return tuple(_shard(number) in readable for number in range(len(branches)))


def _state(is_closed: bool, is_read: bool | None) -> ShardState:
    if is_read is None:
        return ShardState.PASSED
    return ShardState.DONE if is_closed and is_read else ShardState.UNREAD


def _shard(number: int) -> str:
    return f"shardId-{int((START - OLDER) * 1000):020d}-{number}"


def _parent(number: int) -> str | None:
    return None if number < 0 else _shard(number)


def _change(key: int, version: int) -> ChangeRecord:
    kind = ChangeKind.READ_AGAIN if version == REREAD else ChangeKind.PUT
    if version == 0:
        kind = ChangeKind.DELETE
    image = b"%d" % version if version > 0 else None
    return ChangeRecord(_digest(key), _digest(key), kind, image)


def _digest(key: int) -> bytes:
    return b"%d" % key


def _key_of(row: Waiting) -> int:
    return int(row.key)


def _version_of(row: Waiting) -> int:
    if row.kind is ChangeKind.READ_AGAIN:
        return REREAD
    return int(row.image) if row.image is not None else 0
