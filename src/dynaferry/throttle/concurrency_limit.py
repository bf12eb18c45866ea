"""How many requests may be in flight. Pure: the clock is passed in.

More in flight bring more only up to what the other side can do at once; beyond that they wait
there instead of here, and latency grows without throughput. So the limit grows in steps while
requests wait for it, and steps that did not pay are taken back.
"""

from typing import Final

CONCURRENCY_WINDOW_SECONDS: Final = 0.5
LIMIT_GROWTH: Final = 1.25
# After so many steps they are judged: by then they have made half as many again.
STEPS: Final = 2
# So much of their growth must show in the responses. Less is noise, or a queue; and each connection
# costs memory, a quarter of a megabyte over TLS.
PAYS_SHARE: Final = 0.2
# After steps that did not pay, the next are tried so much later.
NEXT_STEP_SECONDS: Final = 2.0
LEAST: Final = 32
# Where those that there are find nothing to do for so much of their time, more would not either.
IDLE_SHARE: Final = 0.1
# A rate that is so much higher than a moment ago rises by itself: nothing can be learnt meanwhile.
RISING: Final = 1.1


class Concurrency:
    """The limit of requests in flight, between `LEAST` and `most`."""

    def __init__(self, most: int, *, now: float) -> None:
        self._most = most
        self._limit = min(LEAST, most)
        self._base = (self._limit, 0.0)
        self._steps = 0
        self._next_step_at = now
        self._responses = 0
        self._waited = False
        self._idle_seconds = 0.0
        self._last_rate = 0.0
        self._window_from = now

    @property
    def limit(self) -> int:
        """Requests that may be in flight now."""
        return self._limit

    def waited(self) -> None:
        """A request had to wait for one in flight to end."""
        self._waited = True

    def idled(self, seconds: float) -> None:
        """For so long there was no request for one that might have been in flight."""
        self._idle_seconds += seconds

    def note_responses(self, now: float, responses: int = 1) -> None:
        """So many responses came."""
        self._responses += responses
        seconds = now - self._window_from
        if seconds >= CONCURRENCY_WINDOW_SECONDS:
            rate = self._responses / seconds
            is_idle = self._idle_seconds > IDLE_SHARE * self._limit * seconds
            if self._waited and not is_idle and now >= self._next_step_at:
                self._close_window(rate, now)
            self._responses, self._idle_seconds, self._window_from = 0, 0.0, now
            self._waited, self._last_rate = False, rate

    def _close_window(self, rate: float, now: float) -> None:
        if self._steps == STEPS or self._limit == self._most:
            base_limit, base_rate = self._base
            self._steps = 0
            if rate < base_rate * (1 + PAYS_SHARE * (self._limit / base_limit - 1)):
                self._limit = base_limit
                self._next_step_at = now + NEXT_STEP_SECONDS
                return
        if self._steps == 0:
            if rate > RISING * self._last_rate:
                return
            self._base = (self._limit, rate)
        self._steps += 1
        self._limit = min(self._most, max(self._limit + 1, int(self._limit * LIMIT_GROWTH)))
