"""A stream, its readers and whoever waits for a go, in a time that goes by as fast as it is told.

What is asked whether it is quiet, and what decides, is the code's; shards split, listings are old,
pages are empty in the middle, and records show late.
"""

import random
from dataclasses import dataclass, field
from typing import Final

from dynaferry.follow.cut_over import (
    ComparedKeys,
    CompareNow,
    CutOverProgress,
    CutOverRequest,
    Go,
    HoldWrites,
    NotReady,
    TableLook,
    after_comparison,
    decide,
    keeps_writes_held,
)
from dynaferry.follow.quiet import Listing, QuietWatch, Spooled

NOW: Final = 1_800_000_000.0
TICK: Final = 0.05
POLL_SECONDS: Final = 0.2
LISTING_SECONDS: Final = 1.5  # so long a listing takes, and so old it may be


@dataclass(slots=True)
class SlowShard:
    """A shard of which records show `delay` seconds after their write at most, in order."""

    name: str
    delay: tuple[float, float]
    parent: str | None = None
    hidden: list[tuple[float, float]] = field(default_factory=list)  # shows at, written at
    is_closed: bool = False
    known_at: float = 0.0
    is_read: bool = False
    next_poll: float = 0.0


class QuietWorld:
    """Everything that there is of it, and the time."""

    def __init__(self, seed: int, delays: list[tuple[float, float]]) -> None:
        self.now = NOW
        self.written = self.read = 0
        self.chance = random.Random(seed)
        self.watch = QuietWatch(NOW)
        self.shards = [SlowShard(f"{n}", delay) for n, delay in enumerate(delays)]
        self.last_change_at: float | None = None
        self._listing: tuple[float, float] | None = None  # begins, ends
        self._is_held = False

    @property
    def open_shards(self) -> list[SlowShard]:
        """Where records are written."""
        return [shard for shard in self.shards if not shard.is_closed]

    def write(self) -> None:
        """A record."""
        shard = self.chance.choice(self.open_shards)
        shows_at = self.now + self.chance.uniform(*shard.delay)
        if shard.hidden:
            shows_at = max(shows_at, shard.hidden[-1][0])
        shard.hidden.append((shows_at, self.now))
        self.written += 1

    def split(self) -> None:
        """A shard is closed, and two take its place, which a listing shows a moment later."""
        parent = self.chance.choice(self.open_shards)
        parent.is_closed = True
        for child in "ab":
            known_at = self.now + self.chance.uniform(0.0, LISTING_SECONDS)
            name = f"{parent.name}{child}"
            self.shards.append(SlowShard(name, parent.delay, parent.name, known_at=known_at))

    def pass_by(self) -> None:
        """A tick: what may be read is read."""
        self.now += TICK
        for shard in self._readable():
            self.watch.opened(shard.name, self.now)
            if self.now >= shard.next_poll:
                shard.next_poll = self.now + POLL_SECONDS * self.chance.uniform(0.9, 1.8)
                self._poll(shard)
        if self._listing is not None and self._listing[1] <= self.now:
            self._list()

    def go_on(self, request: CutOverRequest, progress: CutOverProgress) -> object:
        """What is decided, done; and what is known by then, or the end of it."""
        quiet = self.watch.verdict(self.now, Spooled())
        if quiet.needs_listing and self._listing is None:
            self._listing = (self.now, self.now + self.chance.uniform(0.1, LISTING_SECONDS))
        look = TableLook(
            table="orders",
            quiet=quiet,
            captured=self.read,
            last_change_at=self.last_change_at,
            is_held=self._is_held,
        )
        decision = decide(request, progress, [look], self.now)
        if isinstance(decision, Go | NotReady):
            return decision
        self._is_held = keeps_writes_held(decision) and isinstance(decision, HoldWrites)
        if isinstance(decision, CompareNow):
            # Of hidden records it knows nothing: what it would find is another guard's business.
            return after_comparison(progress, ComparedKeys((self.read,), 1, 0), self.now)
        return progress

    def _readable(self) -> list[SlowShard]:
        over = {shard.name for shard in self.shards if shard.is_read}
        return [
            shard
            for shard in self.shards
            if not shard.is_read
            and shard.known_at <= self.now
            and (shard.parent is None or shard.parent in over)
        ]

    def _poll(self, shard: SlowShard) -> None:
        shown = [record for record in shard.hidden if record[0] <= self.now]
        if self.chance.random() < 0.1:
            shown = []  # an empty page in the middle
        del shard.hidden[: len(shown)]
        self.read += len(shown)
        if shown:
            self.last_change_at = self.now
            created = (float(int(shown[0][1])), float(int(shown[-1][1])))
            self.watch.read(shard.name, self.now, self.now, records=len(shown), created_at=created)
        else:
            self.watch.read(shard.name, self.now, self.now)
        if shard.is_closed and not shard.hidden:
            shard.is_read = True
            self.watch.ended(shard.name, self.now)

    def _list(self) -> None:
        assert self._listing is not None
        began_at, self._listing = self._listing[0], None
        readable = {shard.name for shard in self._readable()}
        known = [shard for shard in self.shards if shard.known_at <= self.now]
        unread = [s for s in known if not s.is_read and s.name not in readable]
        parents = {shard.parent for shard in known}
        childless = [s for s in known if s.is_read and s.name not in parents]
        self.watch.listed(Listing(began_at, len(unread), len(childless)))


@dataclass(frozen=True, slots=True)
class Ended:
    """What it ended with: what was not read then, and the seconds since the writers stopped."""

    end: Go | NotReady
    unread: int
    seconds: float


def cut_over(
    world: QuietWorld,
    *,
    writes_per_second: float = 40.0,
    asked_after: float = 1.0,
    stop_after: float | None = 2.0,
    splits_at: float | None = None,
    timeout_seconds: float = 120.0,
) -> Ended:
    """Asks, at that time, and waits for the end. Writers that do not stop: `stop_after` is None."""
    progress: object = CutOverProgress()
    request: CutOverRequest | None = None
    due, begun = 0.0, world.now
    while True:
        world.pass_by()
        passed = world.now - begun
        while due < passed and (stop_after is None or due < stop_after):
            world.write()
            due += 1 / writes_per_second
        if splits_at is not None and passed >= splits_at:
            world.split()
            splits_at = None
        if request is None and passed >= asked_after:
            world.watch.begin_anew(world.now)
            request = CutOverRequest(
                begun_at=world.now, stopped_at=world.now, timeout_seconds=timeout_seconds
            )
        if request is not None and isinstance(progress, CutOverProgress):
            progress = world.go_on(request, progress)
        if isinstance(progress, Go | NotReady):
            return Ended(progress, world.written - world.read, passed - (stop_after or 0.0))
