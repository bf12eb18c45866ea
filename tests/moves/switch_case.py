"""What happens to a switch, by its seed: the stream, the writers, who is killed in which state."""

import random
from typing import Final, Literal

from msgspec import Struct

from benchmarks.simulator import (
    NO_LATENCY,
    Latency,
    LostAnswers,
    OnDemand,
    Settings,
    Stream,
    StreamEvent,
    Table,
)
from tests.moves.case import SOURCE, TARGET, Phase
from tests.moves.move_child import Setup

# The move in a state, at a moment of the go, or whoever asked for it.
Victim = Literal[
    "starting",
    "copying",
    "replaying",
    "following",
    "cutting-over",
    "asks",
    "before a go",
    "inside a go",
    "after a go",
    "switched",
]
BEFORE: Final[tuple[Phase, ...]] = ("starting", "copying", "replaying", "following")
DURING: Final[tuple[Victim, ...]] = (
    *("cutting-over", "asks"),
    *("before a go", "inside a go", "after a go"),
)
BEHIND: Final[Victim] = "switched"
# Days are seconds: what shows late does so within this, and silence is waited for longer.
LATE_SECONDS: Final = 1.3


class SwitchCase(Struct, frozen=True, kw_only=True):
    """One switch. Writers stop `stop_after_seconds` after it is asked for; each of the `victims` is
    killed once, `after_seconds` after it has come there. What is written last shows late.
    """

    seed: int
    settings: Settings
    setup: Setup = Setup()
    victims: tuple[Victim, ...]
    after_seconds: tuple[float, ...]
    stop_after_seconds: float
    changes_per_second: float
    shows_late: bool
    splits: bool
    late_writes: bool

    @classmethod
    def of(cls, seed: int) -> "SwitchCase":
        """The case with this seed: each state is killed in as often as any other."""
        chance = random.Random(f"switch {seed}")
        victims = (
            BEFORE[seed % len(BEFORE)],
            *(DURING[(2 * seed + more) % len(DURING)] for more in (0, 1)),
            BEHIND,
        )
        return cls(
            seed=seed,
            settings=Settings(tables=(_source(chance), _target(chance)), seed=seed),
            victims=victims,
            after_seconds=tuple(chance.uniform(0.0, 2.0) for _ in victims),
            stop_after_seconds=chance.uniform(0.0, 1.5),
            changes_per_second=chance.choice((30.0, 100.0, 200.0)),
            shows_late=chance.random() < 0.4,
            splits=chance.random() < 0.5,
            late_writes=chance.random() < 0.4,
        )


def _source(chance: random.Random) -> Table:
    every = chance.choice((1.5, 4.0))
    stream = Stream(
        view=chance.choice(("NEW_IMAGE", "NEW_AND_OLD_IMAGES", "KEYS_ONLY")),
        shards=chance.choice((1, 3, 8)),
        delay_seconds=(0.05, 0.4),
        empty_page_share=0.2,
        short_page_share=0.2,
        stale_listing_share=0.3,
        stale_listing_seconds=0.8,
        events=(
            StreamEvent(do="roll", at_seconds=1.0, every_seconds=every),
            StreamEvent(do="split", at_seconds=chance.uniform(1, 6), every_seconds=3 * every),
        ),
    )
    return Table(
        name=SOURCE,
        items=chance.randrange(100, 600),
        item_bytes=(150, 900, 4000),
        latency=chance.choice((NO_LATENCY, Latency(write_seconds=0.01, read_seconds=0.03))),
        stream=stream,
    )


def _target(chance: random.Random) -> Table:
    return Table(
        name=TARGET,
        keeps_items=True,
        capacity=chance.choice((OnDemand(), OnDemand(write_units=600))),
        latency=chance.choice((NO_LATENCY, Latency(write_seconds=0.01, read_seconds=0.03))),
        lost_answers=chance.choice((None, LostAnswers(share=0.03, late_seconds=1.5))),
        undone_share=chance.choice((0.0, 0.05)),
        stream=Stream(delay_seconds=(0.05, 0.4)),
    )
