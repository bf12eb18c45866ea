"""How long after a write its record shows in the stream."""

import time
from collections.abc import Sequence
from typing import Final

import anyio
from msgspec import Struct

from dynaferry.bench.facts.stream_reading import StreamReading
from dynaferry.bench.facts.subject import Writing

WRITES_PER_SECOND: Final = 100.0
# What has not shown so long after the last write counts as missing.
PATIENCE_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.05


class RecordDelays(Struct, frozen=True, kw_only=True):
    """The seconds from a write's acknowledgement to the read of its record, in order."""

    written: int
    delays: Sequence[float]

    @property
    def missing(self) -> int:
        """How many records did not show."""
        return self.written - len(self.delays)

    def percentile(self, share: float) -> float:
        """The delay that this share of the records had at most."""
        return self.delays[min(len(self.delays) - 1, int(share * len(self.delays)))]


async def measure_record_delay(
    writing: Writing, reading: StreamReading, seconds: float, patience_seconds: float
) -> RecordDelays:
    """Writes for so long, and reads the stream beside it until all has shown."""
    seen_at: dict[bytes, float] = {}

    def seen(key: bytes, at: float) -> None:
        seen_at.setdefault(key, at)

    async with anyio.create_task_group() as group:
        group.start_soon(reading.follow, seen)
        await writing.write(max(1, round(seconds * WRITES_PER_SECOND)), WRITES_PER_SECOND)
        until = time.monotonic() + min(PATIENCE_SECONDS, patience_seconds)
        while True:
            if not writing.acknowledged.keys() - seen_at.keys() or time.monotonic() >= until:
                break
            await anyio.sleep(_LOOK_SECONDS)
        group.cancel_scope.cancel()
    delays = sorted(
        # A record may be read before its writer has the acknowledgement.
        max(0.0, seen_at[key] - at)
        for key, at in writing.acknowledged.items()
        if key in seen_at
    )
    return RecordDelays(written=len(writing.acknowledged), delays=delays)
