"""How often a capacity is asked for more: the rarer, the more often it was found the same. Pure."""

from typing import Final

# Where a capacity is measured again and again as so much the same, it is asked for more so much
# more rarely each time, up to so much: each time costs refusals.
SAME_RATE_SHARE: Final = 0.08
CALMER: Final = 1.5
MOST_CALM: Final = 2.5


class Calm:
    """The `stretch` of the time in which a capacity is not asked for more; 1 at first."""

    def __init__(self) -> None:
        self.stretch = 1.0

    def note(self, before: float | None, measured: float, *, grows: bool) -> None:
        """Notes a capacity that was `measured`; the same as `before` is calmer, if that `grows`."""
        if before is None or abs(measured - before) > SAME_RATE_SHARE * before:
            self.stretch = 1.0
        elif grows:
            self.stretch = min(MOST_CALM, CALMER * self.stretch)

    def end(self) -> None:
        """What is known of the capacity holds no longer."""
        self.stretch = 1.0
