"""The life of a page as a small state machine: read, split, written in any order, acknowledged,
checkpointed, crashed, resumed.

What it keeps of a run is what decides whether something can be lost. A batch is `KEPT` when the
target has it or, for one that is refused, when its dead letter is durable: the target only ever
gains, and a dead letter behind a stored watermark stays. What was kept beyond the stored watermark
before a crash is forgotten, as if it had been lost: nothing may rest on it. A checkpoint takes
time: it takes the records, and stores them later, while the run goes on.

A `Protocol` says what each step does, so that a test can break one and see it caught.
"""

from collections import deque
from collections.abc import Iterator
from functools import cache
from typing import Final, Literal, NamedTuple

PAGES: Final = 3
BATCHES: Final = 2
PAGES_AHEAD: Final = 2
CRASHES: Final = 2
# The batch of every segment that the target refuses: its page and number.
REFUSED: Final = (0, 0)

BatchState = Literal["waiting", "kept", "acknowledged"]
Place = tuple[int, int]  # a batch: its page, and its number there


class Record(NamedTuple):
    """How far a segment is acknowledged, and what is counted so far, in batches."""

    pages: int = 0
    written: int = 0
    rejected: int = 0


class Segment(NamedTuple):
    """One segment: what is durable, what a checkpoint holds, and what dies with the process.

    `open_pages` are those that are read and not behind the watermark; `kept` is what is on the
    target or in the dead letters.
    """

    stored: Record = Record()
    taken: Record | None = None
    record: Record = Record()
    open_pages: tuple[tuple[BatchState, ...], ...] = ()
    kept: frozenset[Place] = frozenset()

    @property
    def pages_read(self) -> int:
        """How many pages were read, from the segment's start."""
        return self.record.pages + len(self.open_pages)

    @property
    def is_complete(self) -> bool:
        """Whether every page is behind the watermark."""
        return self.record.pages == PAGES


class Step(NamedTuple):
    """What can happen to one segment. `batch` is counted within its page."""

    what: Literal["read", "keep", "acknowledge"]
    page: int
    batch: int = 0


class Protocol:
    """The steps as they should be."""

    def steps(self, segment: Segment) -> Iterator[tuple[Step, Segment]]:
        """Everything that can happen to a segment now, and what comes of it."""
        if segment.pages_read < PAGES and len(segment.open_pages) < PAGES_AHEAD:
            opened = (*segment.open_pages, ("waiting",) * BATCHES)
            yield (
                Step("read", segment.pages_read),
                segment._replace(open_pages=opened),
            )
        for index, page in enumerate(segment.open_pages):
            for batch, state in enumerate(page):
                place = (segment.record.pages + index, batch)
                if state == "waiting":
                    yield Step("keep", *place), self.keep(segment, place)
                if state in self.may_acknowledge:
                    yield Step("acknowledge", *place), self.acknowledge(segment, place)

    may_acknowledge: tuple[BatchState, ...] = ("kept",)

    def keep(self, segment: Segment, place: Place) -> Segment:
        """The target takes the batch, or its dead letter is stored."""
        kept = segment._replace(kept=segment.kept | {place})
        return _with_state(kept, place, "kept")

    def acknowledge(self, segment: Segment, place: Place) -> Segment:
        """The writer says that the batch is kept; the watermark moves over settled pages."""
        return self.advance(_with_state(segment, place, "acknowledged"))

    def advance(self, segment: Segment) -> Segment:
        """The watermark is the contiguous prefix."""
        while segment.open_pages and _is_settled(segment.open_pages[0]):
            segment = segment._replace(
                record=counted(segment.record), open_pages=segment.open_pages[1:]
            )
        return segment

    def begin_checkpoint(self, segment: Segment) -> Segment:
        """Takes the record as it is now."""
        return segment._replace(taken=segment.record)

    def end_checkpoint(self, segment: Segment) -> Segment:
        """What was taken is durable."""
        return segment._replace(stored=segment.taken or segment.stored, taken=None)

    def crash_and_resume(self, segment: Segment) -> Segment:
        """What is not durable is gone; the next attempt goes on from what is."""
        behind = {place for place in segment.kept if place[0] < segment.stored.pages}
        return Segment(stored=segment.stored, record=segment.stored, kept=frozenset(behind))


class World(NamedTuple):
    """A run of two segments, with the crashes that are still to come."""

    segments: tuple[Segment, Segment] = (Segment(), Segment())
    crashes_left: int = CRASHES


class Exploration(NamedTuple):
    """What an exhaustive search found. `violations` are of invariants, each with its state."""

    states: int
    complete: int
    violations: tuple[str, ...]


def explore(protocol: Protocol, *, most_violations: int = 1) -> Exploration:
    """Every state that can be reached, each once; both segments are alike, so their order is not
    looked at.
    """
    steps = cache(lambda segment: tuple(after for _, after in protocol.steps(segment)))
    begin, end = cache(protocol.begin_checkpoint), cache(protocol.end_checkpoint)
    crash, fault = cache(protocol.crash_and_resume), cache(fault_of)
    seen: set[World] = {World()}
    to_visit = deque(seen)
    complete, violations = 0, list[str]()

    def visit(one: Segment, other: Segment, crashes_left: int) -> None:
        pair = (one, other) if hash(one) <= hash(other) else (other, one)
        world = World(pair, crashes_left)
        if world not in seen:
            seen.add(world)
            to_visit.append(world)

    while to_visit and len(violations) < most_violations:
        world = to_visit.popleft()
        (one, other), crashes_left = world
        violations += [f"{fault(s)}: {world}" for s in (one, other) if fault(s) is not None]
        can_move = False
        for after in steps(one):
            visit(after, other, crashes_left)
            can_move = True
        for after in steps(other):
            visit(one, after, crashes_left)
            can_move = True
        if one.taken is None:
            visit(begin(one), begin(other), crashes_left)
        else:
            visit(end(one), end(other), crashes_left)
        if crashes_left:
            visit(crash(one), crash(other), crashes_left - 1)
        is_complete = one.is_complete and other.is_complete
        complete += is_complete
        if not can_move and not is_complete:
            violations.append(f"stuck: {world}")
    return Exploration(len(seen), complete, tuple(violations))


def fault_of(segment: Segment) -> str | None:
    """Which invariant a state breaks, in words, or None.

    1: a stored watermark never passes a page unless all of it is kept. 2: what is stored adds up:
    read = written + rejected, of exactly the pages behind the watermark.
    """
    for name, record in (("stored", segment.stored), ("taken", segment.taken)):
        if record is None:
            continue
        behind = [(page, batch) for page in range(record.pages) for batch in range(BATCHES)]
        if name == "stored" and not segment.kept.issuperset(behind):
            return "invariant 1: a stored page is not kept"
        rejected = sum(place == REFUSED for place in behind)
        if (record.written, record.rejected) != (len(behind) - rejected, rejected):
            return f"invariant 2: {name} counts do not add up"
    if segment.stored.pages > segment.record.pages:
        return "invariant 1: more is stored than is acknowledged"
    if len(segment.open_pages) > PAGES_AHEAD:
        return "more pages are read ahead than may be"
    return None


def counted(record: Record) -> Record:
    """The record with one more page behind it."""
    rejected = int(record.pages == REFUSED[0])
    return Record(record.pages + 1, record.written + BATCHES - rejected, record.rejected + rejected)


def _is_settled(page: tuple[BatchState, ...]) -> bool:
    return all(state == "acknowledged" for state in page)


def _with_state(segment: Segment, place: Place, state: BatchState) -> Segment:
    index, batch = place[0] - segment.record.pages, place[1]
    page = segment.open_pages[index]
    changed = (*page[:batch], state, *page[batch + 1 :])
    pages = (*segment.open_pages[:index], changed, *segment.open_pages[index + 1 :])
    return segment._replace(open_pages=pages)
