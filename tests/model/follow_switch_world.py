"""The switch and the way back as a machine of small states; quiet, decision and spool are the code.

One key, a source that is written until the writers stop, its stream, a target, and behind the go an
application that writes to the target, whose stream is captured for the way back. Time goes in
ticks: a record shows within `bound` ticks after its write, and a request that nobody waits for any
more takes effect within `life` ticks or never. The search goes breadth first to the last state.

What must hold: at a go the target is the source, and nothing lands on it behind; the source is
written on the way back alone; a late write to the source is told; what went back is all there.
What a `Switch` switches off is done wrong on purpose.
"""

from collections import deque
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

from tests.model.follow_parts import Spooled, acknowledged, revisited, sent, stored
from tests.model.follow_switch_parts import decided, quiet_after
from tests.model.follow_world import Explored

Phase = Literal["following", "cutting-over", "switched", "going-back", "returned"]
KEY = 0


class Switch(NamedTuple):
    """What may happen, and what the move does about it."""

    writes: int = 2  # to the source, before the writers stop
    late_writes: int = 0  # to the source, by a writer that did not hear of the switch
    uses: int = 1  # of the target, behind the go
    bound: int = 1  # ticks until a record shows, at most
    needed: int = 2  # ticks of silence that are taken for quiet
    life: int = 2  # ticks until a request that was given up has taken effect or never will
    gives_up: bool = False  # requests whose outcome nobody knows
    kills: int = 0
    split: bool = False
    early: bool = False  # it is asked for while the writers write
    counts_before: bool = False  # silence from before it was asked for counts
    settles: bool = True  # doubts are read again before the go
    compares: bool = True  # keys are compared before the go
    holds: bool = True  # writes are held before the go
    lists: bool = True  # a shard without its children is waited for
    is_durable: bool = True  # the go is stored before it is told
    keeps_way_back: bool = True  # the target's stream is captured from before the go


Record: TypeAlias = tuple[int, int]  # version, and its age in ticks while it does not show


class Shard(NamedTuple):
    """What of a shard is not read yet."""

    hidden: tuple[Record, ...] = ()
    shown: tuple[int, ...] = ()
    is_closed: bool = False
    is_known: bool = True


class State(NamedTuple):
    """Where everything stands. What a kill takes: `flight`, `is_held`, `silent`, `is_compared`."""

    writes: int
    late_writes: int
    uses: int
    kills: int
    source: int = 1
    target: int = 1
    version: int = 1
    shards: tuple[Shard, ...] = (Shard(),)
    spool: Spooled = ()
    flight: tuple[tuple[int, int], ...] = ()  # what was sent, what the row held
    late: tuple[Record, ...] = ()
    doubt: int | None = None  # ticks since the last write that was given up
    silent: int = 0
    is_writing: bool = True
    is_compared: bool = False
    rounds: int = 0
    is_held: bool = False
    is_told: bool = False  # somebody has heard of a go
    phase: Phase = "following"
    back: Shard = Shard()  # the target's stream, from the go on
    back_spool: int | None = None
    back_silent: int = 0
    uses_still: bool = True
    told_late: int = 0
    wrong: str = ""


Step: TypeAlias = tuple[str, State]


def explore(world: Switch, most: int = 4_000_000) -> Explored:
    """Every state that can be reached, or the shortest history that ends wrong."""
    first = State(world.writes, world.late_writes, world.uses, world.kills)
    came_from: dict[State, tuple[State | None, str]] = {first: (None, "")}
    queue, ends = deque([first]), 0
    while queue:
        state = queue.popleft()
        ends += state.phase == "returned" or (state.phase == "switched" and not state.uses)
        if wrong := state.wrong or _wrong_at_the_end(world, state):
            return Explored(len(came_from), ends, _history(came_from, state, wrong))
        for told, after in steps(world, state):
            if after not in came_from:
                came_from[after] = (state, told)
                queue.append(after)
        if len(came_from) > most:
            raise RuntimeError(f"more than {most} states: {world}")
    return Explored(len(came_from), ends, ())


def steps(world: Switch, s: State) -> Iterator[Step]:
    """Everything that may happen next."""
    yield from _writers(world, s)
    yield from _stream(world, s)
    yield from _time(world, s)
    yield from _capture(world, s)
    yield from _apply(world, s)
    yield from _cut_over(world, s)
    yield from _way_back(world, s)
    yield from _mishaps(world, s)


def _writers(world: Switch, s: State) -> Iterator[Step]:
    if s.is_writing and s.writes and s.phase in ("following", "cutting-over"):
        yield "write", _written(s)._replace(writes=s.writes - 1)
    if s.is_writing:
        yield "the writers stop", s._replace(is_writing=False)
    if s.phase == "switched" and s.late_writes:
        yield "late write", _written(s)._replace(late_writes=s.late_writes - 1)
    if s.phase == "switched" and s.uses and s.uses_still:
        version = s.version + 1
        back = s.back
        if world.keeps_way_back:  # else it is captured once somebody thinks of it
            back = s.back._replace(hidden=(*s.back.hidden, (version, 0)))
        yield "use", s._replace(target=version, version=version, uses=s.uses - 1, back=back)


def _written(s: State) -> State:
    version, last = s.version + 1, len(s.shards) - 1
    shard = s.shards[last]._replace(hidden=(*s.shards[last].hidden, (version, 0)))
    return s._replace(source=version, version=version, shards=(*s.shards[:last], shard))


def _stream(world: Switch, s: State) -> Iterator[Step]:
    if world.split and len(s.shards) == 1:
        closed = s.shards[0]._replace(is_closed=True)
        yield "split", s._replace(shards=(closed, Shard(is_known=False)))
    for number, shard in enumerate(s.shards):
        if shard.hidden:
            version, hidden = shard.hidden[0][0], shard.hidden[1:]
            yield (
                "shown",
                _with(s, number, shard._replace(hidden=hidden, shown=(*shard.shown, version))),
            )
        if not shard.is_known and not (s.shards[0].hidden or s.shards[0].shown):
            yield "the child is listed", _with(s, number, shard._replace(is_known=True))
    if s.back.hidden:
        version, hidden = s.back.hidden[0][0], s.back.hidden[1:]
        back = s.back._replace(hidden=hidden, shown=(*s.back.shown, version))
        yield "shown on the target", s._replace(back=back)


def _time(world: Switch, s: State) -> Iterator[Step]:
    """A tick, unless something has to happen first."""
    hidden = [age for shard in (*s.shards, s.back) for _, age in shard.hidden]
    if max(hidden, default=0) >= world.bound or any(age >= world.life for _, age in s.late):
        return
    is_read = all(not shard.shown for shard in s.shards if shard.is_known)
    if s.doubt is not None:
        s = s._replace(doubt=min(s.doubt + 1, world.life))
    yield (
        "tick",
        s._replace(
            shards=tuple(_aged(shard) for shard in s.shards),
            back=_aged(s.back),
            late=tuple((version, age + 1) for version, age in s.late),
            silent=min(s.silent + 1, world.needed) if is_read else 0,
            back_silent=min(s.back_silent + 1, world.needed) if not s.back.shown else 0,
        ),
    )


def _aged(shard: Shard) -> Shard:
    return shard._replace(hidden=tuple((version, age + 1) for version, age in shard.hidden))


def _capture(world: Switch, s: State) -> Iterator[Step]:
    for number, shard in enumerate(s.shards):
        is_behind = number and (s.shards[0].hidden or s.shards[0].shown)
        if not shard.shown or not shard.is_known or is_behind:
            continue
        read = _with(s, number, shard._replace(shown=shard.shown[1:]))
        if s.phase in ("following", "cutting-over") or not world.holds:
            spool = stored(s.spool, KEY, shard.shown[0])
            yield "capture", read._replace(spool=spool, silent=0, is_compared=False)
        else:
            yield "told as late", read._replace(told_late=s.told_late + 1, silent=0)
    if s.back.shown:
        back = s.back._replace(shown=s.back.shown[1:])
        yield (
            "capture of the target",
            s._replace(back=back, back_spool=s.back.shown[0], back_silent=0),
        )


def _apply(world: Switch, s: State) -> Iterator[Step]:
    may_send = s.phase in ("following", "cutting-over") or not world.holds
    if may_send and not s.is_held and not s.flight:
        for _, version, _ in s.spool:
            yield (
                f"send {version}",
                s._replace(flight=((version, version),), spool=sent(s.spool, KEY)),
            )
    for version, held in s.flight:
        landed = _landed(s, version)._replace(flight=(), spool=acknowledged(s.spool, KEY, held))
        yield f"apply {version}", landed
        if world.gives_up and not s.late and s.doubt is None:
            yield (
                f"give up {version}",
                s._replace(flight=(), late=((version, 0),), doubt=0),
            )
    is_due = s.doubt is not None and s.doubt >= world.life and not s.late
    if world.settles and is_due and not s.is_held and s.phase in ("following", "cutting-over"):
        # The key is read again: what the source holds now is what is put.
        spool = revisited(s.spool, KEY)
        there = tuple((key, s.source, news) for key, _, news in spool)
        yield "doubt read again", s._replace(doubt=None, spool=there)


def _landed(s: State, version: int) -> State:
    """A write of ours takes effect on the target."""
    is_behind = s.is_told and version != s.target
    wrong = "a write of ours landed behind the go" if is_behind else s.wrong
    return s._replace(target=version, wrong=wrong)


def _cut_over(world: Switch, s: State) -> Iterator[Step]:
    if s.phase == "following" and (world.early or not s.is_writing):
        silent = s.silent if world.counts_before else 0
        asked = s._replace(phase="cutting-over", is_compared=False, rounds=0, silent=silent)
        yield "cut-over", asked
    if s.phase != "cutting-over" or s.is_told:
        return
    childless = int(any(not shard.is_known for shard in s.shards) and world.lists)
    quiet = quiet_after(s.silent, world.needed, len(s.spool), len(s.flight), childless)
    decision = decided(
        quiet,
        doubts=int(s.doubt is not None and world.settles),
        is_compared=s.is_compared or not world.compares,
        is_held=(s.is_held and not s.flight) or not world.holds,
        rounds=s.rounds,
    )
    match decision:
        case "compare":
            is_equal = s.source == s.target
            rounds = s.rounds + (not is_equal)
            silent = s.silent if is_equal else 0
            yield "compare", s._replace(is_compared=is_equal, rounds=rounds, silent=silent)
        case "hold":
            yield "hold", s._replace(is_held=True)
        case "go":
            yield from _gone(world, s)
        case "not ready":
            yield "not ready", s._replace(phase="following", is_held=False)
        case "wait" if s.is_held:
            yield "let go on", s._replace(is_held=False)


def _gone(world: Switch, s: State) -> Iterator[Step]:
    wrong = "go, and the target lacks something" if s.target != s.source else s.wrong
    if not world.is_durable:
        yield "told of a go", s._replace(is_told=True, wrong=wrong)
        return
    yield "go", s._replace(phase="switched", is_told=True, wrong=wrong)


def _way_back(world: Switch, s: State) -> Iterator[Step]:
    if s.phase == "switched":
        yield "cut-back", s._replace(phase="going-back", uses_still=False)
    if s.phase != "going-back":
        return
    if s.back_spool is not None:
        yield "apply to the source", s._replace(source=s.back_spool, back_spool=None)
    elif s.back_silent >= world.needed and not (s.back.hidden or s.back.shown):
        # A late write is told, and whoever told the writers to stop decides what becomes of it.
        lacks = s.source != s.target and world.late_writes == s.late_writes
        wrong = "returned, and the source lacks something" if lacks else s.wrong
        yield "go back", s._replace(phase="returned", wrong=wrong)


def _mishaps(world: Switch, s: State) -> Iterator[Step]:
    for version, age in s.late:
        yield f"late {version}", _landed(s, version)._replace(late=())
        if age >= world.life:
            yield f"{version} is dead", s._replace(late=())
    if s.kills:
        phase: Phase = "following" if s.phase == "cutting-over" else s.phase
        # What was on its way may land yet: until it cannot, nothing is applied and nothing gone.
        late = tuple((version, 0) for version, _ in s.flight) or s.late
        yield (
            "kill",
            s._replace(
                kills=s.kills - 1,
                phase=phase,
                flight=(),
                late=late,
                doubt=0 if s.flight else s.doubt,
                silent=0,
                back_silent=0,
                is_held=False,
                is_compared=False,
            ),
        )


def _wrong_at_the_end(world: Switch, s: State) -> str:
    """A late write that is read is told."""
    is_read = all(not (shard.hidden or shard.shown) for shard in s.shards)
    if s.phase == "switched" and is_read and world.late_writes > s.late_writes + s.told_late:
        return "a late write is told to nobody"
    if s.is_told and s.phase == "following":
        return "a go was told, and the move follows on"
    return ""


def _with(s: State, number: int, shard: Shard) -> State:
    return s._replace(shards=(*s.shards[:number], shard, *s.shards[number + 1 :]))


def _history(
    came_from: dict[State, tuple[State | None, str]], state: State | None, wrong: str
) -> tuple[str, ...]:
    told = [wrong]
    while state is not None:
        state, what = came_from[state]
        told.append(what)
    return tuple(each for each in reversed(told) if each)
