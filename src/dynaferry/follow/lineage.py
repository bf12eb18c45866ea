"""Which shards of a stream are to be read, in which order, and where records were lost. Pure.

A stream is a forest of shards: each open shard is a partition of the table, and a partition that
splits, or has been open for about 4 hours, closes its shard and opens children [DG:Streams]. The
order of one item's records runs from parent to child, so a child is read only behind its parent,
always from its beginning: a position at its end (LATEST) would pass over its first records.

Listings are eventually consistent: one may lack a shard that is there, or show a parent as open
beside its children. So nothing is concluded from one of them; only a shard whose iterator has ended
has been read to its end, and a shard counts as gone once three complete listings lack it, over 10
seconds at least, and no read of it has succeeded meanwhile. A shard that was given up is not read
should it be shown again: behind its children its records would be old states.

Whoever stores is the only one to change a lineage: what it says is lost is stored with its gap.
"""

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dynaferry.ports import Shard

# Records from before the start by this much are read and passed over, so that the scan may begin
# at once: no eventually consistent read is older [INF; opensearch data-prepper takes the same].
OVERLAP_SECONDS: Final = 300.0
# Listings without a shard until it counts as gone.
MOST_MISSES: Final = 3
# Listings follow each other within a second at times; what they lack may come later than that.
GONE_AFTER_SECONDS: Final = 10.0
# Retention is 24 hours [DG:Streams]: no listing shows a shard for longer after it was closed.
_KEEP_SECONDS: Final = 48 * 3600.0

_find_epoch = re.compile(r"shardId-(\d{20})-").match


class ShardState(IntEnum):
    """How far the reading of a shard has come; stored, so a number never changes its meaning."""

    UNREAD = 0
    DONE = 1  # its iterator has ended
    PASSED = 2  # it was closed before the capture began
    LOST = 3  # it went before it was read to its end


class Position(Struct):
    """A shard and how far it is read: what is stored of it.

    `sequence` is the number of the last record that was stored, None before the first. `since` is
    when it took its present state, in seconds since the epoch.
    """

    shard: str
    parent: str | None
    state: ShardState = ShardState.UNREAD
    sequence: int | None = None
    ending: int | None = None
    since: float = 0.0


class Gap(Struct, frozen=True):
    """Records that were trimmed before they were read."""

    shard: str
    why: str


class _Absence(Struct):
    """How many listings in a row lack a shard, and since when."""

    listings: int
    since: float

    def is_final(self, now: float) -> bool:
        return self.listings >= MOST_MISSES and now - self.since >= GONE_AFTER_SECONDS


class Lineage:
    """The shards of one stream, from the first listing on."""

    def __init__(self, positions: Iterable[Position] = ()) -> None:
        self._positions = {position.shard: position for position in positions}
        self._children: dict[str, int] = {}
        self._absent: dict[str, _Absence] = {}
        self._orphans: dict[str, _Absence | None] = {}
        self._over: set[str] = set()
        self._changed: dict[str, Position] = {}
        for position in self._positions.values():
            self._count_child(position.parent)
            if position.state is ShardState.UNREAD and position.sequence is None:
                self._note_orphan(position)

    def begin(self, listing: Sequence[Shard], start: float) -> None:
        """Takes the first complete listing: whatever was open `OVERLAP_SECONDS` before `start` is
        read from its beginning, the rest is passed over.

        An id without a time in it counts as young: to read more than is needed does no harm.
        """
        since = start - OVERLAP_SECONDS
        has_old_child = {
            shard.parent for shard in listing if _created_at(shard.id, otherwise=since) < since
        }
        for shard in listing:
            is_over = shard.id in has_old_child
            self._add(shard, start, ShardState.PASSED if is_over else ShardState.UNREAD)
        for shard in listing:
            if shard.id in has_old_child or _created_at(shard.id, otherwise=since) < since:
                # Whatever its parent holds is older still.
                self._give_up_parent(shard.id, start, ShardState.PASSED)

    def listed(self, listing: Sequence[Shard], now: float) -> list[Gap]:
        """Takes a later complete listing; returns what was lost."""
        found = {shard.id for shard in listing}
        for shard in listing:
            known = self._positions.get(shard.id)
            if known is None:
                self._add(shard, now, ShardState.UNREAD)
            elif known.ending is None and shard.ending is not None:
                known.ending = shard.ending
                self._changed[known.shard] = known
        self._forget(found, now)
        lost = [gap for shard in self._gone(found, now) if (gap := self._lose(shard, now))]
        return lost + self._without_parent(now)

    def found_children(self, children: Sequence[Shard], now: float) -> None:
        """Takes a part of a listing: nothing is concluded from what it lacks."""
        for shard in children:
            if shard.id not in self._positions:
                self._add(shard, now, ShardState.UNREAD)

    def read_to(self, shard: str, sequence: int) -> None:
        """The records of the shard are stored up to this one."""
        position = self._positions[shard]
        position.sequence = sequence
        self._changed[shard] = position

    def answered(self, shard: str) -> None:
        """A read of the shard has succeeded: it is there, whatever listings say."""
        self._absent.pop(shard, None)

    def ended(self, shard: str, now: float) -> None:
        """Its iterator has ended, and everything before is stored."""
        self._move(self._positions[shard], ShardState.DONE, now)

    def state_of(self, shard: str) -> ShardState:
        """How far the reading of the shard has come."""
        return self._positions[shard].state

    def ending_of(self, shard: str) -> int | None:
        """The number of its last record, where a listing has shown it as closed."""
        return self._positions[shard].ending

    def trimmed(self, shard: str, at: int | None) -> Gap | None:
        """Whether it is a gap that the position `at` is refused as trimmed: unless it is the
        shard's very end.
        """
        ending = self._positions[shard].ending
        if ending is not None and at is not None and at >= ending:
            return None
        return Gap(shard, "records were trimmed before they were read")

    def read_anew(self, shard: str) -> None:
        """Behind a gap, what is left of the shard is read from its beginning."""
        position = self._positions[shard]
        position.sequence = None
        self._changed[shard] = position

    def readable(self) -> list[Position]:
        """The shards that may be read now: not read to their end, with no parent that is not."""
        return [
            position
            for position in self._positions.values()
            if position.state is ShardState.UNREAD and not self._waits(position)
        ]

    def unread(self) -> bool:
        """Whether any shard is not read to its end."""
        return any(p.state is ShardState.UNREAD for p in self._positions.values())

    def waiting(self) -> list[Position]:
        """The shards that are to be read once their parents are."""
        return [
            position
            for position in self._positions.values()
            if position.state is ShardState.UNREAD and self._waits(position)
        ]

    def childless(self) -> list[str]:
        """Shards that were read to their end and have no child yet: in a stream that is enabled
        none is the last, so it is to be listed again. Once it is trimmed itself no child will be
        shown any more: those that it had are missed as the parents of theirs.
        """
        return [
            position.shard
            for position in self._positions.values()
            if position.state is ShardState.DONE
            and not self._children.get(position.shard)
            and position.shard not in self._over
        ]

    def is_incomplete(self) -> bool:
        """Whether something is missing that a listing may show."""
        return bool(self._orphans or self.childless())

    def take_changed(self) -> list[Position]:
        """The positions that changed since the last call: to be stored with what was read."""
        changed, self._changed = list(self._changed.values()), {}
        return [replace(position) for position in changed]

    def __len__(self) -> int:
        return len(self._positions)

    def _add(self, shard: Shard, now: float, state: ShardState) -> None:
        position = Position(shard.id, shard.parent, state, ending=shard.ending, since=now)
        self._positions[shard.id] = self._changed[shard.id] = position
        self._count_child(shard.parent)
        if state is ShardState.UNREAD:
            self._note_orphan(position)

    def _note_orphan(self, position: Position) -> None:
        if position.parent is not None and position.parent not in self._positions:
            self._orphans[position.shard] = None

    def _count_child(self, parent: str | None) -> None:
        if parent is not None:
            self._children[parent] = self._children.get(parent, 0) + 1

    def _move(self, position: Position, state: ShardState, now: float) -> None:
        position.state, position.since = state, now
        self._changed[position.shard] = position
        self._absent.pop(position.shard, None)

    def _waits(self, position: Position) -> bool:
        if position.parent is None:
            return False
        parent = self._positions.get(position.parent)
        if parent is None:
            return position.shard in self._orphans
        return parent.state is ShardState.UNREAD

    def _gone(self, found: set[str], now: float) -> list[Position]:
        """Unread shards that so many listings in a row lack."""
        gone = []
        childless = set(self.childless())
        for position in self._positions.values():
            shard, is_unread = position.shard, position.state is ShardState.UNREAD
            if shard in found or not (is_unread or shard in childless):
                self._absent.pop(shard, None)
                continue
            absence = self._absent[shard] = _once_more(self._absent.get(shard), now)
            if absence.is_final(now):
                if is_unread:
                    gone.append(position)
                else:
                    self._over.add(shard)
        return gone

    def _without_parent(self, now: float) -> list[Gap]:
        """Shards whose parent nobody has seen: it has come and gone unread."""
        gaps = []
        for shard, absence in list(self._orphans.items()):
            position = self._positions[shard]
            if position.parent in self._positions or position.state is not ShardState.UNREAD:
                del self._orphans[shard]
                continue
            absence = self._orphans[shard] = _once_more(absence, now)
            if absence.is_final(now):
                self._give_up_parent(shard, now, ShardState.LOST)
                gaps.append(Gap(shard, f"its parent {position.parent} has come and gone unread"))
        return gaps

    def _give_up_parent(self, shard: str, now: float, state: ShardState) -> None:
        """A parent that no listing has shown is not read, should a later one show it."""
        self._orphans.pop(shard, None)
        parent = self._positions[shard].parent
        if parent is not None and parent not in self._positions:
            given_up = Position(parent, None, state, since=now)
            self._positions[parent] = self._changed[parent] = given_up

    def _lose(self, position: Position, now: float) -> Gap | None:
        is_read = position.ending is not None and position.sequence == position.ending
        self._move(position, ShardState.DONE if is_read else ShardState.LOST, now)
        return None if is_read else Gap(position.shard, "it is gone before it was read to its end")

    def _forget(self, found: set[str], now: float) -> None:
        """What was over for longer than any listing shows it."""
        for position in list(self._positions.values()):
            shard = position.shard
            if (
                position.state is not ShardState.UNREAD
                and shard not in found
                and now - position.since > _KEEP_SECONDS
                and (self._children.get(shard) or shard in self._over)
            ):
                del self._positions[shard]
                self._over.discard(shard)


def _once_more(absence: _Absence | None, now: float) -> _Absence:
    if absence is None:
        return _Absence(1, now)
    return _Absence(absence.listings + 1, absence.since)


def _created_at(shard: str, *, otherwise: float) -> float:
    """When the shard was made, in seconds since the epoch: its id holds the milliseconds."""
    match = _find_epoch(shard)
    return int(match[1]) / 1000 if match else otherwise
