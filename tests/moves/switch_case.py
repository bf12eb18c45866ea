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

# The move in a state, at a moment of the go, or whoever asked for it; then the same of the way
# back.
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
    "going-back",
    "asks back",
    "before a return",
    "inside a return",
    "after a return",
    "returned",
]
BEFORE: Final[tuple[Phase, ...]] = ("starting", "copying", "replaying", "following")
# In the order in which they are killed, so that each of them is there to be killed.
DURING: Final[tuple[Victim, ...]] = (
    *("cutting-over", "before a go", "inside a go"),
    *("asks", "after a go"),
)
BACK: Final[tuple[Victim, ...]] = (
    *("going-back", "before a return", "inside a return"),
    *("asks back", "after a return"),
)
# Days are seconds: what shows late does so within this, and silence is waited for longer.
LATE_SECONDS: Final = 1.3


class SwitchCase(Struct, frozen=True, kw_only=True):
    """One switch. Writers stop `stop_after_seconds` after it is asked for; each of the `victims` is
    killed once, after its seconds. What is written last shows late. With `goes_back` it goes back.
    """

    seed: int
    settings: Settings
    setup: Setup = Setup()
    victims: dict[Victim, float]
    stop_after_seconds: float
    changes_per_second: float
    shows_late: bool
    splits: bool
    late_writes: bool
    goes_back: bool

    @classmethod
    def of(cls, seed: int) -> "SwitchCase":
        """The case with this seed: in each state about as many are killed."""
        chance = random.Random(f"switch {seed}")
        goes_back = seed % 2 == 1
        victims: list[Victim] = [BEFORE[seed % len(BEFORE)], "switched"]
        victims += [DURING[(2 * seed + more) % len(DURING)] for more in (0, 1)]
        if goes_back:
            victims += [BACK[(seed + more) % len(BACK)] for more in (0, 1)]
            victims.append("returned")
        return cls(
            seed=seed,
            settings=Settings(tables=(_source(chance), _target(chance)), seed=seed),
            victims={victim: chance.uniform(0.0, 2.0) for victim in victims},
            stop_after_seconds=chance.uniform(0.0, 1.5),
            changes_per_second=chance.choice((30.0, 100.0, 200.0)),
            shows_late=chance.random() < 0.4,
            splits=chance.random() < 0.5,
            late_writes=not goes_back and chance.random() < 0.5,
            goes_back=goes_back,
        )

    @property
    def loses_answers(self) -> bool:
        """Whether writes to the target may take effect later."""
        return self.settings.tables[1].lost_answers is not None


def _source(chance: random.Random) -> Table:
    return Table(
        name=SOURCE,
        items=chance.randrange(100, 600),
        item_bytes=(150, 900, 4000),
        latency=_latency(chance),
        stream=_stream(chance),
    )


def _target(chance: random.Random) -> Table:
    return Table(
        name=TARGET,
        keeps_items=True,
        capacity=chance.choice((OnDemand(), OnDemand(write_units=600))),
        latency=_latency(chance),
        lost_answers=chance.choice((None, None, LostAnswers(share=0.03, late_seconds=1.5))),
        undone_share=chance.choice((0.0, 0.05)),
        stream=_stream(chance),
    )


def _latency(chance: random.Random) -> Latency:
    return chance.choice((NO_LATENCY, Latency(write_seconds=0.01, read_seconds=0.03)))


def _stream(chance: random.Random) -> Stream:
    every = chance.choice((1.5, 4.0))
    return Stream(
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
