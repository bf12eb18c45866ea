"""A clock for tests that moves at every look, as real ones do.

With one that stands still between two looks, a decision that looks twice cannot be told from one
that looks once. With this one it contradicts itself.
"""

from typing import Any

import pytest

# No decision of a test takes so many looks: one that does goes round for ever.
MOST_LOOKS = 100_000


class MovingClock:
    """Seconds from 0 on; `look_seconds` more at each look, and what `sleep` is asked to wait."""

    def __init__(self, *, look_seconds: float) -> None:
        self.look_seconds = look_seconds
        self.now = 0.0
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        assert self.looks < MOST_LOOKS, "somebody looks at the clock for ever"
        self.now += self.look_seconds
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Returns at once, and later by so much."""
        self.now += max(0.0, seconds)


def about(seconds: float) -> Any:
    """Equals this moment of a clock whose looks take a microsecond each, up to 5,000 of them."""
    return pytest.approx(seconds, abs=0.005)
