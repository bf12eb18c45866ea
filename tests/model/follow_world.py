"""Copy and follow as a machine of small states, whose spool and shard order are the real ones.

A source with two keys, a writer that puts and deletes, a stream of shards that split, a scan that
may return old versions, a target, a tool that is killed. A version is a number, 0 is "absent". The
search goes breadth first to the last state, so that the history it shows is the shortest. At every
end the target must be the source: the writer has stopped, what the stream shows is read, nothing
waits and nothing is on its way.

What the spool does is done by a `SpoolFile` and which shard may be read is said by a `Lineage`: see
`follow_parts`. What a `World` switches off is done wrong on purpose.
"""

from collections import deque
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias, TypeVar

from tests.model.follow_parts import (
    REREAD,
    Spooled,
    acknowledged,
    begun_at,
    compared_by_content,
    demoted,
    may_be_read,
    revisited,
    sent,
    stored,
)

T = TypeVar("T")
KEYS = (0, 1)
Record: TypeAlias = tuple[int, int]  # key and version
Scan: TypeAlias = int | Literal["new", "done"]  # what was read, 0 or more


class World(NamedTuple):
    """What may happen, and what the tool does about it.

    `how` the changes are applied: `replay` from the spool once the copy is complete; `live` beside
    it; `filter` live, and the copy drops what the stream has shown; `absent` live, and the copy
    puts only what is not there. `what` is applied: the record's `image`, or a `reread` of the item.
    `quiet`: when all is thought to be read: every shard is `closed` and read to its end, or a poll
    came back `empty`.
    """

    how: str = "replay"
    what: str = "image"
    writes: int = 3
    stale: bool = False  # the scan may be older than the capture
    consistent: bool = False  # no read of the scan is old
    split: bool = False
    kills: int = 0
    late: bool = False  # writes that nobody waits for take effect later
    again: bool = False  # records come again, in any order
    trim: int = 0  # so often records vanish unread
    delay: bool = False  # records show later
    settle: bool = True  # keys in doubt are read again, those of the copy as well
    settle_copy: bool = True
    ordered: bool = True  # a child waits for its parent
    atomic: bool = True  # a record and the position behind it are stored together
    counted: bool = True  # what came since keeps a row of the spool
    resync: bool = True  # after a gap every key is compared
    demote: bool = True  # a gap makes images keys to read again
    answered: bool = True  # what was on its way at a gap arrives before keys are compared
    mend: Literal["read again", "repair", "nothing"] = "read again"  # what is not found equal
    confirm: bool = True  # what was repaired is looked at once more
    quiet: str = "closed"


class Branch(NamedTuple):
    """A shard, and how many of its records show."""

    parent: int = -1
    is_closed: bool = False
    records: tuple[Record, ...] = ()
    shown: int = 0


class Look(NamedTuple):
    """A key that is compared after a gap: what both sides held, as far as they are read."""

    key: int
    there: int | None = None
    here: int | None = None
    is_mended: bool = False


class State(NamedTuple):
    """Where everything stands. A kill takes `touched`, `flight`, `older`, `look` and `pending`."""

    writes: int
    source: tuple[int, ...] = (1, 1)
    seen: tuple[tuple[int, ...], ...] = ((1,), (1,))
    branches: tuple[Branch, ...] = (Branch(),)
    owner: tuple[int, ...] = (0, 0)
    read: tuple[int | None, ...] = (None,)
    is_begun: bool = False
    scan: tuple[Scan, ...] = ("new", "new")
    touched: frozenset[int] = frozenset()
    spool: Spooled = ()
    flight: tuple[tuple[int, int, int], ...] = ()  # key, what was sent, what the row held
    target: tuple[int, ...] = (0, 0)
    late: tuple[Record, ...] = ()
    doubts: frozenset[int] = frozenset()
    kills: int = 0
    trims: int = 0
    has_gap: bool = False
    older: frozenset[int] = frozenset()  # keys that were on their way at the gap, and still are
    compared: frozenset[int] = frozenset()
    look: Look | None = None
    pending: int | None = None
    is_writing: bool = True


Step: TypeAlias = tuple[str, State]


class Explored(NamedTuple):
    """How many states there are, and the shortest history that ends wrong."""

    states: int
    ends: int
    broken: tuple[str, ...]


def explore(world: World, most: int = 6_000_000) -> Explored:
    """Every state that can be reached."""
    first = State(world.writes, kills=world.kills, trims=world.trim)
    came_from: dict[State, tuple[State | None, str]] = {first: (None, "")}
    queue, ends = deque([first]), 0
    while queue:
        state = queue.popleft()
        if is_end(world, state):
            ends += 1
            if is_wrong(state):
                return Explored(len(came_from), ends, _history(came_from, state))
        for told, after in steps(world, state):
            if after not in came_from:
                came_from[after] = (state, told)
                queue.append(after)
        if len(came_from) > most:
            raise RuntimeError(f"more than {most} states: {world}")
    return Explored(len(came_from), ends, ())


def is_end(world: World, state: State) -> bool:
    """The target may be used: so the cut-over says."""
    has_doubts = world.settle and (state.doubts or state.late)
    has_gap = world.resync and state.has_gap
    return is_quiet(world, state) and not state.look and not has_doubts and not has_gap


def is_wrong(state: State) -> bool:
    """The target is not the source, or a write on its way will see to that."""
    return state.target != state.source or any(state.source[k] != v for k, v in state.late[:1])


def is_quiet(world: World, state: State) -> bool:
    """Nothing comes, nothing waits, nothing is on its way."""
    if state.is_writing or state.spool or state.flight or state.pending is not None:
        return False
    if any(scan != "done" for scan in state.scan):
        return False
    believes_empty = world.quiet == "empty"
    return all(
        at is None or at >= (branch.shown if believes_empty else len(branch.records))
        for at, branch in zip(state.read, state.branches, strict=True)
    )


def steps(world: World, state: State) -> Iterator[Step]:
    """What may happen next, and how things stand after it."""
    yield from _writing(world, state)
    if not state.is_begun:
        yield "begin", _begun(world, state)
        return
    yield from _scanning(world, state)
    yield from _capturing(world, state)
    if world.how != "replay" or all(scan == "done" for scan in state.scan):
        yield from _applying(world, state)
    yield from _mishaps(world, state)
    if world.resync and state.has_gap:
        yield from _comparing(world, state)
    if world.settle and state.doubts and not state.late:
        # No write can be on its way any more: what it did is put right by a read.
        spool = state.spool
        for key in sorted(state.doubts):
            spool = revisited(spool, key)
        yield "doubts read again", state._replace(spool=spool, doubts=frozenset())


def _writing(world: World, state: State) -> Iterator[Step]:
    if state.is_writing and state.writes:
        fresh = 2 + world.writes - state.writes
        for key in KEYS:
            # A write that changes nothing leaves no record.
            for version in {0, fresh} - {state.source[key]}:
                yield f"write {key}={version}", _written(world, state, key, version)
    elif state.is_writing and state.is_begun:
        yield "stop", state._replace(is_writing=False)
    if world.split and len(state.branches) == 1:
        old = state.branches[0]._replace(is_closed=True)
        yield (
            "split",
            state._replace(
                branches=(old, Branch(0), Branch(0)),
                owner=(1, 2),
                read=state.read + ((0, 0) if state.is_begun else (None, None)),
            ),
        )
    for number, branch in enumerate(state.branches):
        if branch.shown < len(branch.records):
            shown = branch._replace(shown=branch.shown + 1)
            yield "shown", state._replace(branches=_with(state.branches, number, shown))


def _written(world: World, state: State, key: int, version: int) -> State:
    branch = state.branches[state.owner[key]]
    records = (*branch.records, (key, version))
    shown = branch.shown if world.delay else len(records)
    return state._replace(
        source=_with(state.source, key, version),
        seen=_with(state.seen, key, (*state.seen[key], version)),
        writes=state.writes - 1,
        branches=_with(
            state.branches, state.owner[key], branch._replace(records=records, shown=shown)
        ),
    )


def _begun(world: World, state: State) -> State:
    """From now on what is written is read. With the overlap no read of the scan is older."""
    passed = begun_at(tuple((branch.parent, branch.is_closed) for branch in state.branches))
    return state._replace(
        is_begun=True,
        read=tuple(
            None if is_passed else len(branch.records)
            for is_passed, branch in zip(passed, state.branches, strict=True)
        ),
        seen=state.seen if world.stale else tuple((version,) for version in state.source),
    )


def _scanning(world: World, state: State) -> Iterator[Step]:
    for key in KEYS:
        scan = state.scan[key]
        if scan == "new":
            versions = {state.source[key]} if world.consistent else set(state.seen[key])
            for version in versions:
                after: Scan = version if version else "done"
                yield (
                    f"scan {key}={version}",
                    state._replace(
                        scan=_with(state.scan, key, after), touched=state.touched - {key}
                    ),
                )
        elif scan != "done":
            yield from _copying(world, state, key, scan)


def _copying(world: World, state: State, key: int, version: int) -> Iterator[Step]:
    is_dropped = (world.how == "filter" and key in state.touched) or (
        world.how == "absent" and state.target[key] != 0
    )
    done = state._replace(scan=_with(state.scan, key, "done"))
    if is_dropped:
        yield f"drop {key}={version}", done
        return
    target = _with(state.target, key, version)
    yield f"copy {key}={version}", done._replace(target=target)
    if world.kills:
        yield f"copy {key}={version}, unheard", state._replace(target=target)
    if world.late and not state.late:
        doubts = state.doubts | {key} if world.settle_copy else state.doubts
        yield (
            f"copy {key}={version} given up",
            state._replace(late=((key, version),), doubts=doubts),
        )


def _capturing(world: World, state: State) -> Iterator[Step]:
    forest = tuple(
        (branch.parent, branch.is_closed, None if at is None else at >= len(branch.records))
        for at, branch in zip(state.read, state.branches, strict=True)
    )
    may = may_be_read(forest)
    for number, branch in enumerate(state.branches):
        at = state.read[number]
        if at is None or at >= branch.shown or not (may[number] or not world.ordered):
            continue
        moved = state._replace(read=_with(state.read, number, at + 1))
        if world.atomic:
            yield f"capture {branch.records[at]}", _spooled(world, moved, branch.records[at])
        elif state.pending is None:
            yield "position", moved._replace(pending=number)
    if state.pending is not None:
        record = state.branches[state.pending].records[(state.read[state.pending] or 0) - 1]
        yield f"capture {record}", _spooled(world, state._replace(pending=None), record)
    if world.again:
        for at, branch in zip(state.read, state.branches, strict=True):
            for record in set(branch.records[: at or 0]):
                yield f"again {record}", _spooled(world, state, record)


def _spooled(world: World, state: State, record: Record) -> State:
    spool = stored(state.spool, record[0], record[1])
    return state._replace(spool=spool, touched=state.touched | {record[0]})


def _applying(world: World, state: State) -> Iterator[Step]:
    flying = {key for key, _, _ in state.flight}
    for key, held, _ in state.spool:
        if key not in flying:
            is_read = world.what == "reread" or held == REREAD
            version = state.source[key] if is_read else held
            yield (
                f"send {key}={version}",
                state._replace(
                    flight=(*state.flight, (key, version, held)), spool=sent(state.spool, key)
                ),
            )
    for number, (key, version, held) in enumerate(state.flight):
        target = _with(state.target, key, version)
        heard = acknowledged if world.counted else compared_by_content
        yield (
            f"apply {key}={version}",
            state._replace(
                target=target,
                flight=state.flight[:number] + state.flight[number + 1 :],
                older=state.older - {key},
                spool=heard(state.spool, key, held),
            ),
        )
        if world.kills:
            yield f"apply {key}={version}, unheard", state._replace(target=target)
        if world.late and not state.late:
            yield (
                f"apply {key}={version} given up",
                state._replace(late=((key, version),), doubts=state.doubts | {key}),
            )


def _mishaps(world: World, state: State) -> Iterator[Step]:
    for key, version in state.late:
        yield (
            f"late {key}={version}",
            state._replace(target=_with(state.target, key, version), late=()),
        )
    if state.kills:
        scan: tuple[Scan, ...] = tuple("done" if s == "done" else "new" for s in state.scan)
        yield (
            "kill",
            state._replace(
                scan=scan,
                touched=frozenset(),
                flight=(),
                older=frozenset(),
                look=None,
                kills=state.kills - 1,
                pending=None,
            ),
        )
    if state.trims:
        for number, branch in enumerate(state.branches):
            at = state.read[number]
            if at is not None and at < branch.shown:
                yield "trim", _trimmed(world, state, number)


def _trimmed(world: World, state: State, number: int) -> State:
    """What is unread of a shard goes, and with it what is older: that of its parent."""
    read = _with(state.read, number, state.branches[number].shown)
    parent = state.branches[number].parent
    if parent >= 0 and read[parent] is not None:
        read = _with(read, parent, state.branches[parent].shown)
    return state._replace(
        trims=state.trims - 1,
        has_gap=True,
        older=frozenset(flying for flying, _, _ in state.flight),
        compared=frozenset(),
        look=None,
        spool=demoted(state.spool) if world.demote else state.spool,
        read=read,
    )


def _comparing(world: World, state: State) -> Iterator[Step]:
    look = state.look
    if look is None:
        if world.answered and state.older:
            return
        for key in KEYS:
            if state.scan[key] == "done" and key not in state.compared:
                yield f"look at {key}", state._replace(look=Look(key))
    elif look.there is None or look.here is None:
        # The sides are read one after the other, in any order.
        if look.there is None:
            there = look._replace(there=state.source[look.key])
            yield f"{look.key} there is {there.there}", state._replace(look=there)
        if look.here is None:
            here = look._replace(here=state.target[look.key])
            yield f"{look.key} here is {here.here}", state._replace(look=here)
    elif look.there != look.here and not look.is_mended and world.mend == "repair":
        yield from _repairing(state, look, look.there, look.here)
    elif look.there != look.here and not look.is_mended and world.mend == "read again":
        spool = stored(state.spool, look.key, REREAD)
        yield (
            f"read {look.key} again",
            state._replace(spool=spool, look=look._replace(is_mended=True)),
        )
    elif (
        world.mend == "repair"
        and world.confirm
        and look.is_mended
        and state.source[look.key] != state.target[look.key]
    ):
        yield f"look at {look.key} again", state._replace(look=None)
    else:
        compared = state.compared | {look.key}
        yield (
            f"{look.key} compared",
            state._replace(look=None, compared=compared, has_gap=len(compared) < len(KEYS)),
        )


def _repairing(state: State, look: Look, there: int, here: int) -> Iterator[Step]:
    """A write of the repair's own, where the target still is what was seen there."""
    key = look.key
    target = _with(state.target, key, there) if state.target[key] == here else state.target
    yield (
        f"repair {key}={there} if {here}",
        state._replace(look=look._replace(is_mended=True), target=target),
    )


def _history(
    came_from: dict[State, tuple[State | None, str]], state: State | None
) -> tuple[str, ...]:
    assert state is not None
    told = [f"source {state.source}, target {state.target}, on its way {state.late}"]
    while state is not None:
        state, what = came_from[state]
        told.append(what)
    return tuple(each for each in reversed(told) if each)


def _with(values: tuple[T, ...], place: int, value: T) -> tuple[T, ...]:
    return (*values[:place], value, *values[place + 1 :])
