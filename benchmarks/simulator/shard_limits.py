"""What one shard takes from its readers: reads and bytes a second, and how many readers. Pure.

A reader is known by the chain of iterators that it goes along, since nothing else tells readers
apart: a chain that has read within the last second is one. Made anew, an iterator begins a chain.
"""

from benchmarks.simulator.bucket import CapacityBucket
from benchmarks.simulator.refusals import Refusal
from benchmarks.simulator.settings import Stream

READING_SECONDS = 1.0

TOO_MANY_READERS = Refusal(
    400, "LimitExceededException", "Too many processes are reading from this shard."
)
TOO_FAST = Refusal(400, "ThrottlingException", "Rate of requests exceeds the shard's limit.")


class ShardLimits:
    """The reads of one shard."""

    __slots__ = ("_bytes", "_chains", "_readers", "_reads")

    def __init__(self, settings: Stream, now: float) -> None:
        self._readers = settings.readers - settings.other_readers
        self._reads = CapacityBucket(settings.reads_per_second, depth_seconds=1.0, now=now)
        self._bytes = CapacityBucket(settings.bytes_per_second, depth_seconds=1.0, now=now)
        self._chains: dict[str, float] = {}

    def refusal_of(self, chain: str, now: float) -> Refusal | None:
        """Why this reader gets nothing now; else it has read."""
        since = now - READING_SECONDS
        self._chains = {name: at for name, at in self._chains.items() if at > since}
        if chain not in self._chains and len(self._chains) >= self._readers:
            return TOO_MANY_READERS
        if not (self._reads.is_open(now) and self._bytes.is_open(now)):
            return TOO_FAST
        self._reads.take(1)
        self._chains[chain] = now
        return None

    def note_page(self, body_bytes: int) -> None:
        """What was read counts against what may be."""
        self._bytes.take(body_bytes)
