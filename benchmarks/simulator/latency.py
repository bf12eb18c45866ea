"""How long an answer takes. Pure: chance is passed in."""

import random

from benchmarks.simulator.settings import Latency

# Beyond this the formula would run away; a service refuses before it lets a queue grow for ever.
MAX_LOAD = 0.95


class LatencyModel:
    """The least, a lognormal tail, and a queue that grows near saturation."""

    def __init__(self, settings: Latency, chance: random.Random) -> None:
        self._settings = settings
        self._chance = chance

    def write_seconds(self, load: float) -> float:
        """Seconds for a batch that is taken, at `load` (0 idle, 1 at its capacity)."""
        return self._seconds(self._settings.write_seconds, load)

    def read_seconds(self, load: float) -> float:
        """Seconds for a page."""
        return self._seconds(self._settings.read_seconds, load)

    def refusal_seconds(self) -> float:
        """Seconds for a refusal: nothing is stored or read, so it waits in no queue."""
        return self._seconds(self._settings.write_seconds / 2, 0.0)

    def _seconds(self, least: float, load: float) -> float:
        settings = self._settings
        load = min(load, MAX_LOAD)
        queue = settings.queue_seconds * load * load / (1 - load)
        tail = settings.tail_seconds
        if tail > 0:
            tail *= self._chance.lognormvariate(0.0, settings.tail_sigma)
        return min(settings.max_seconds, least + queue + tail)
