"""What is said of a table whose items expire while it is to become quiet. Pure.

Deletes by time to live are changes that are applied like any other; but no writer that is stopped
ends them, and to switch time to live off takes the service up to an hour [DG:Constraints].
"""

from collections.abc import Iterable
from typing import Final

RECENT_SECONDS: Final = 60.0
EXPIRING: Final = (
    " (time to live deletes items there, too: switched off, it continues for up to an hour)"
)


def expiring(last_at: Iterable[float | None], now: float) -> str:
    """What is added where an item expired of late; empty where none did."""
    return EXPIRING if any(at is not None and now - at < RECENT_SECONDS for at in last_at) else ""
