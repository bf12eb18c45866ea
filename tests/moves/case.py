"""What happens to one move, by its seed: the tables, the stream, the writer, the kills."""

import random
import signal
from typing import Literal

from msgspec import Struct

from benchmarks.simulator import (
    NO_LATENCY,
    BrownOut,
    Latency,
    LostAnswers,
    OnDemand,
    Partitions,
    Provisioned,
    Settings,
    Stream,
    StreamEvent,
    Table,
)
from tests.moves.move_child import Setup

SOURCE, TARGET = "source", "target"
BAD = "bad"
RUN = "moved"

# Where a process is when it is ended.
Phase = Literal["starting", "copying", "replaying", "following"]
# How records are lost: trimmed while nobody follows, trimmed while the stream cannot be read, with
# the stream, in whose place another is, or with the spool.
GapKind = Literal["down", "unreadable", "another stream", "lost spool"]

# Where it may lose what is younger than a minute, so that what it loses can be waited for.
SHORT_RETENTION_SECONDS = 6.0


class Stop(Struct, frozen=True):
    """A process is ended so long after it has reached a phase, for so long nobody follows."""

    phase: Phase
    after_seconds: float
    signal: int
    down_seconds: float


class Case(Struct, frozen=True, kw_only=True):
    """One move. `changes_per_second` are written to the source all the time."""

    seed: int
    settings: Settings
    setup: Setup
    stops: tuple[Stop, ...]
    gap: GapKind | None
    changes_per_second: float
    bad_share: float
    consistent_read: bool

    @property
    def is_exact(self) -> bool:
        """Whether nothing is captured but the records: no write is ever in doubt."""
        target = self.settings.tables[1]
        return self.gap is None and target.lost_answers is None and not target.brown_outs

    @classmethod
    def of(cls, seed: int) -> "Case":
        """The case with this seed."""
        chance = random.Random(f"moves {seed}")
        gap: GapKind | None = chance.choice(
            (None,) * 6 + ("down", "unreadable", "another stream", "lost spool")
        )
        sort_key = chance.choice((None, "sk"))
        stops = [_stop(chance) for _ in range(chance.choice((1, 2, 2, 3, 4)))]
        return cls(
            seed=seed,
            settings=Settings(
                tables=(_source(chance, sort_key), _target(chance, sort_key)), seed=seed
            ),
            setup=Setup(retention_seconds=SHORT_RETENTION_SECONDS) if gap else Setup(),
            stops=tuple(stops),
            gap=gap,
            changes_per_second=chance.choice((30.0, 80.0, 150.0)),
            bad_share=chance.choice((0.0, 0.0, 0.03)),
            consistent_read=chance.random() < 0.2,
        )


def _stop(chance: random.Random) -> Stop:
    phase: Phase = chance.choice(("starting", "copying", "copying", "replaying", "following"))
    kills = [signal.SIGKILL] * 3
    return Stop(
        phase,
        chance.uniform(0.0, 2.5 if phase in ("starting", "copying") else 1.5),
        # While Python starts nobody has asked for the signal yet: `dynaferry` asks first of all,
        # but is not what is started here.
        chance.choice(kills if phase == "starting" else [*kills, signal.SIGINT]),
        chance.choice((0.0, 0.3, 1.5)),
    )


def _source(chance: random.Random, sort_key: str | None) -> Table:
    stale = chance.choice((0.0, 1.5))
    return Table(
        name=SOURCE,
        items=chance.randrange(100, 900),
        item_bytes=(150, 900, 4000),
        items_per_key=1 if sort_key is None else 3,
        sort_key=sort_key,
        capacity=chance.choice(
            (OnDemand(), Provisioned(write_units=4000, read_units=150, burst_seconds=1))
        ),
        latency=_latency(chance),
        stale_read_seconds=stale,
        stream=_stream(chance),
        brown_outs=_brown_outs(chance),
    )


def _target(chance: random.Random, sort_key: str | None) -> Table:
    return Table(
        name=TARGET,
        sort_key=sort_key,
        keeps_items=True,
        capacity=chance.choice(
            (
                OnDemand(),
                OnDemand(write_units=600),
                Provisioned(write_units=500, read_units=500, burst_seconds=1),
            )
        ),
        partitions=Partitions(count=chance.choice((1, 3))),
        latency=_latency(chance),
        lost_answers=chance.choice(
            (None, None, LostAnswers(share=0.03, late_seconds=1.5), LostAnswers(share=0.1))
        ),
        refused_attribute=BAD,
        undone_share=chance.choice((0.0, 0.05)),
        brown_outs=_brown_outs(chance),
    )


def _latency(chance: random.Random) -> Latency:
    return chance.choice((NO_LATENCY, Latency(write_seconds=0.01, read_seconds=0.03)))


def _stream(chance: random.Random) -> Stream:
    every = chance.choice((0.7, 2.0, 4.0))
    return Stream(
        view=chance.choice(
            ("NEW_IMAGE", "NEW_IMAGE", "NEW_AND_OLD_IMAGES", "KEYS_ONLY", "OLD_IMAGE")
        ),
        shards=chance.choice((1, 2, 5)),
        iterator_seconds=chance.choice((0.5, 3.0, 900.0)),
        other_readers=chance.choice((0, 0, 1)),
        empty_page_share=chance.choice((0.05, 0.4)),
        short_page_share=chance.choice((0.05, 0.5)),
        shards_a_listing=chance.choice((3, 100)),
        stale_listing_share=0.3,
        stale_listing_seconds=1.0,
        events=(
            StreamEvent(do="roll", at_seconds=1.0, every_seconds=every),
            StreamEvent(do="split", at_seconds=chance.uniform(1, 6), every_seconds=3 * every),
        ),
        brown_outs=_brown_outs(chance),
    )


def _brown_outs(chance: random.Random) -> tuple[BrownOut, ...]:
    if chance.random() < 0.6:
        return ()
    return tuple(
        BrownOut(
            start_seconds=chance.uniform(1.0, 15.0),
            seconds=chance.uniform(0.1, 1.0),
            answer=chance.choice(("throttle", "500", "503")),
        )
        for _ in range(chance.randrange(1, 4))
    )
