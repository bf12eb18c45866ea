"""What people and machines do in the middle of an attempt, at a request that a seed chooses."""

import random
from collections.abc import Callable
from typing import Final, Literal, get_args

from dynaferry.stop import StopSignal
from tests.faults.power import PowerCut
from tests.faults.world import World
from tests.worlds.endpoint import Request

Event = Literal[
    "signal",
    "two signals",
    "power cut",
    "policy changed",
    "clock jumps",
    "session expires",
    "target being updated",
    "target dropped",
    "brown-out",
]
EVENTS: Final[tuple[Event, ...]] = get_args(Event)
FIRST_AT = 5  # requests into an attempt: the control plane's come first
MOST_REQUESTS_BETWEEN = 12


class Happening:
    """One event at one request of one attempt, and what comes of it some requests later."""

    def __init__(
        self,
        world: World,
        event: Event | None,
        chance: random.Random,
        stop: StopSignal,
        power_cut: PowerCut,
        cut_off: Callable[[], object],
        *,
        at: int,
    ) -> None:
        self._world = world
        self._event = event
        self._chance = chance
        self._stop = stop
        self._power_cut = power_cut
        self._cut_off = cut_off
        self._at = at
        self._later_at = at + chance.randrange(1, MOST_REQUESTS_BETWEEN)
        self._requests = 0
        self.happened: list[Event] = []

    def before_request(self, _: Request) -> None:
        """Counts a request, and lets happen what is due."""
        self._requests += 1
        if self._event is None:
            return
        if self._requests == self._at:
            self._happen(self._event)
        elif self._requests == self._later_at:
            self._go_on(self._event)

    def _happen(self, event: Event) -> None:
        service = self._world.service
        match event:
            case "power cut":
                self._power_cut.keep_next_state()
                return  # it has happened once the attempt is cut off
            case "signal" | "two signals":
                self._stop.ask()
            case "policy changed":
                service.denied.add(self._chance.choice(("Scan", "BatchWriteItem")))
            case "clock jumps":
                service.clock_offset_seconds = self._chance.choice((-7200.0, 400.0, 86_400.0))
            case "session expires":
                service.end_sessions()
            case "target being updated":
                self._world.target.status = "UPDATING"
            case "target dropped":
                if self._world.target.name in service.tables:
                    service.drop(self._world.target.name)
            case "brown-out":
                service.brown_out = True
        self.happened.append(event)

    def _go_on(self, event: Event) -> None:
        if event == "power cut" and self._power_cut.has_state:
            self.happened.append(event)
            self._power_cut.strikes = True
            self._cut_off()
        if event == "two signals":
            self._stop.ask()
        if event == "brown-out" and self._chance.random() < 0.5:
            self._world.service.brown_out = False
