"""How long one request is waited for: a part of what the side is given to be there at all."""

import math
from typing import Protocol

from dynaferry.dynamodb.http.pool import Timeouts

CONNECT_TIMEOUT_SECONDS = 10.0
READ_TIMEOUT_SECONDS = 30.0
# Of a side's patience at most this part goes into one request that gets no response at all.
SILENCES = 5
LEAST_SILENCE_SECONDS = 1.0
# As a whole, where nobody says how long a side is given.
WHOLE_RESPONSE_SECONDS = 150.0
# "AWS has a 20 second idle timeout" (aiobotocore's source): let go of a connection before that.
KEEP_ALIVE_SECONDS = 12.0


class SidesPatience(Protocol):
    """How long a side may accept nothing, and how much of that is left by now."""

    seconds: float

    def left(self) -> float:
        """In seconds; all of it while nothing fails."""
        ...


def times_for(side: SidesPatience | None) -> Timeouts:
    """The time-outs of one request, of which several are to fail before the side is called gone.

    Large responses over a slow line may take half of what the side is given.
    """
    seconds = math.inf if side is None else side.seconds
    silence_seconds = max(LEAST_SILENCE_SECONDS, seconds / SILENCES)
    return Timeouts(
        min(CONNECT_TIMEOUT_SECONDS, silence_seconds),
        min(READ_TIMEOUT_SECONDS, silence_seconds),
        KEEP_ALIVE_SECONDS,
        WHOLE_RESPONSE_SECONDS if side is None else max(LEAST_SILENCE_SECONDS, seconds / 2),
        (lambda: math.inf) if side is None else side.left,
    )
