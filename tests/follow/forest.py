"""A stream that lives through days, and a reader that knows of it by its lineage only.

The stream writes, splits, rolls and trims; its listings are late by up to `STALE_SECONDS`, in any
part: shards that are missing, parents that look open. The reader lists, reads pages, is killed and
goes on from the positions that it stored. What it was told and what became of each record must be
the same: read once, in order, or in a gap.
"""

from dataclasses import dataclass, field
from random import Random

from dynaferry.follow.lineage import OVERLAP_SECONDS, Gap, Lineage, Position, ShardState
from dynaferry.ports import Shard

RETENTION = 24 * 3600.0
STALE_SECONDS = 8.0
BEFORE = 4 * 3600
START = 1_800_000_000.0


@dataclass
class Branch:
    """A shard as it is: its records are (number, time), and those up to `trimmed` are gone."""

    id: str
    parent: str | None
    made_at: float
    closed_at: float | None = None
    records: list[tuple[int, float]] = field(default_factory=list)
    trimmed: int = 0

    @property
    def ending(self) -> int | None:
        """Its last number; one of its own where it has none, as the service gives it."""
        if self.closed_at is None:
            return None
        return self.records[-1][0] if self.records else 0


class Forest:
    """The stream."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.now = START - chance.choice([60.0, 600.0, BEFORE, 30 * 3600.0])
        self.branches: dict[str, Branch] = {}
        self.all: dict[str, Branch] = {}
        self._made = 0
        self._sequence = 10**21
        for _ in range(chance.randint(1, 3)):
            self.grow(None)

    def grow(self, parent: Branch | None) -> None:
        """Makes a shard; its id holds the time."""
        self._made += 1
        name = f"shardId-{int(self.now * 1000):020d}-{self._made:08x}"
        self.branches[name] = self.all[name] = Branch(name, parent.id if parent else None, self.now)

    def open_branches(self) -> list[Branch]:
        return [branch for branch in self.branches.values() if branch.closed_at is None]

    def write(self) -> None:
        branch = self.chance.choice(self.open_branches())
        self._sequence += self.chance.randint(1, 10**6)
        branch.records.append((self._sequence, self.now))

    def close(self) -> None:
        """A shard splits, or rolls."""
        branch = self.chance.choice(self.open_branches())
        branch.closed_at = self.now
        for _ in range(self.chance.choice([1, 1, 2])):
            self.grow(branch)

    def pass_time(self, seconds: float) -> None:
        """Shards roll every four hours; what is older than a day goes."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 3600.0)
            for branch in self.open_branches():
                if self.now - branch.made_at >= BEFORE:
                    branch.closed_at = self.now
                    self.grow(branch)
            self._trim()

    def _trim(self) -> None:
        horizon = self.now - RETENTION
        for branch in list(self.branches.values()):
            while (
                branch.trimmed < len(branch.records) and branch.records[branch.trimmed][1] < horizon
            ):
                branch.trimmed += 1
            if branch.closed_at is not None and branch.closed_at < horizon:
                branch.trimmed = len(branch.records)
                del self.branches[branch.id]

    def listing(self) -> list[Shard]:
        """What changed lately may be shown as it was before, shard by shard."""
        shown = []
        for branch in self.branches.values():
            known_at = self.now - self.chance.choice([0.0, 0.0, STALE_SECONDS])
            if branch.made_at <= known_at:
                is_closed = branch.closed_at is not None and branch.closed_at <= known_at
                shown.append(Shard(branch.id, branch.parent, branch.ending if is_closed else None))
        self.chance.shuffle(shown)
        return shown


class Reader:
    """Reads the stream as its lineage says, and checks that against the stream as it is."""

    def __init__(self, forest: Forest) -> None:
        self.forest = forest
        self.read: dict[str, list[int]] = {}
        self.gaps: list[Gap] = []
        self.stored: dict[str, Position] = {}
        self.lost: set[str] = set()
        self.lineage = Lineage()
        self.started = forest.now
        self.lineage.begin(forest.listing(), forest.now)
        self._store()

    def list_shards(self) -> None:
        for gap in self.lineage.listed(self.forest.listing(), self.forest.now):
            self._tell(gap)
        self._store()

    def kill(self) -> None:
        self.lineage = Lineage(
            Position(p.shard, p.parent, p.state, p.sequence, p.ending, p.since)
            for p in self.stored.values()
        )

    def read_some(self, chance: Random) -> None:
        """A page of a shard, which may be empty before its end."""
        readable = self.lineage.readable()
        if not readable:
            return
        position = chance.choice(sorted(readable, key=lambda p: p.shard))
        branch = self.forest.branches.get(position.shard)
        if branch is None:
            return
        numbers = [number for number, _ in branch.records]
        at = 0 if position.sequence is None else numbers.index(position.sequence) + 1
        if 0 < at <= branch.trimmed:
            self._refused(branch, numbers[at - 1], is_over=at == len(numbers))
            return
        if at == 0 and branch.trimmed:
            self._begun_too_late(branch)
        at = max(at, branch.trimmed)
        page = numbers[at : at + chance.randint(0, 4)]
        self.lineage.answered(branch.id)
        if page:
            self._take(branch, page)
            self.lineage.read_to(branch.id, page[-1])
        if branch.closed_at is not None and at + len(page) == len(numbers):
            self.lineage.ended(branch.id, self.forest.now)
            self._store()
            if chance.random() < 0.7:
                children = [s for s in self.forest.listing() if s.parent == branch.id]
                self.lineage.found_children(children, self.forest.now)
        self._store()

    def _refused(self, branch: Branch, at: int, *, is_over: bool) -> None:
        if self.lineage.ending_of(branch.id) is None:
            self.list_shards()
            if self.lineage.state_of(branch.id) is not ShardState.UNREAD:
                return
        gap = self.lineage.trimmed(branch.id, at)
        if gap is None:
            assert is_over, "something was lost, and nobody was told"
            self.lineage.ended(branch.id, self.forest.now)
        else:
            assert not is_over, f"nothing was lost: {gap}"
            self.lineage.read_anew(branch.id)
            self.gaps.append(gap)
            self.lost.add(branch.id)
        self._store()

    def _begun_too_late(self, branch: Branch) -> None:
        """The capture tells it by its clock; see test_capture.py."""
        if any(made >= self.since for _, made in branch.records[: branch.trimmed]):
            self.lost.add(branch.id)

    def _take(self, branch: Branch, page: list[int]) -> None:
        """Each record once, and none before its parent's last."""
        read = self.read.setdefault(branch.id, [])
        assert not set(read) & set(page), "read twice"
        assert not read or read[-1] < page[0], "read out of order"
        read += page
        parent = self.forest.all.get(branch.parent or "")
        if parent is not None and parent.id not in self.lost:
            unread = [
                n for n, made in parent.records if made >= self.since and n not in self._of(parent)
            ]
            assert not unread, "read before its parent's end"

    def _of(self, branch: Branch) -> list[int]:
        return self.read.get(branch.id, [])

    @property
    def since(self) -> float:
        """From when on each record counts."""
        return self.started - OVERLAP_SECONDS

    def _tell(self, gap: Gap) -> None:
        """A gap is told only where a shard went before its end was seen."""
        self.gaps.append(gap)
        branch = self.forest.all[gap.shard]
        gone = self.forest.all[branch.parent] if "parent" in gap.why and branch.parent else branch
        assert gone.id not in self.forest.branches, f"there it is: {gap}"
        while gone.id not in self.lost:
            self.lost.add(gone.id)
            if gone.parent is None or self._is_known(gone.parent):
                return
            # Nobody has seen this one either.
            gone = self.forest.all[gone.parent]

    def _is_known(self, shard: str) -> bool:
        return shard in self.stored

    def _store(self) -> None:
        for position in self.lineage.take_changed():
            self.stored[position.shard] = position

    def read_all(self) -> None:
        """Nothing is written any more; listings are true in the end."""
        chance = self.forest.chance
        for _ in range(400):
            self.forest.now += STALE_SECONDS
            self.list_shards()
            for _ in range(len(self.lineage.readable())):
                self.read_some(chance)
            open_ids = {branch.id for branch in self.forest.open_branches()}
            left = {p.shard for p in self.lineage.readable()} | {
                p.shard for p in self.lineage.waiting()
            }
            if left <= open_ids and self._has_read(open_ids) and not self.lineage.is_incomplete():
                return
        raise AssertionError(f"it never ends: {self.lineage.childless()}, {left}")

    def _has_read(self, shards: set[str]) -> bool:
        return all(
            [n for n, _ in self.forest.all[s].records[self.forest.all[s].trimmed :]][-1:]
            == self._of(self.forest.all[s])[-1:]
            or not self.forest.all[s].records[self.forest.all[s].trimmed :]
            for s in shards
        )

    def check(self) -> None:
        """Each record from the start on is read, or its shard is lost."""
        for branch in self.forest.all.values():
            unread = {n for n, made in branch.records if made >= self.since} - set(self._of(branch))
            assert not unread or branch.id in self.lost, f"{branch.id} lacks {sorted(unread)}"


def live(chance: Random, steps: int = 60) -> None:
    """One life of a forest and its reader."""
    forest = Forest(chance)
    while forest.now < START:
        forest.pass_time(min(START - forest.now, chance.choice([10.0, 300.0, 7200.0])))
        chance.choice([forest.write, forest.write, forest.close])()
    reader = Reader(forest)
    for _ in range(steps):
        what = chance.random()
        if what < 0.30:
            forest.write()
        elif what < 0.36:
            forest.close()
        elif what < 0.66:
            reader.read_some(chance)
        elif what < 0.82:
            reader.list_shards()
        elif what < 0.86:
            reader.kill()
        else:
            days = chance.random() < 0.06
            forest.pass_time(
                RETENTION * chance.choice([0.9, 1.1, 2.5])
                if days
                else chance.choice([0.5, 1.0, 5.0, 30.0, 600.0])
            )
    reader.read_all()
    reader.check()
