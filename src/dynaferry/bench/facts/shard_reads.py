"""How often a shard may be read."""

import time
from typing import Final

from msgspec import Struct

from dynaferry.bench.facts.stream_reading import StreamReading
from dynaferry.bench.facts.subject import sleep_until
from dynaferry.errors import ThrottledError

# A follower reads a shard so often while something comes.
READS_PER_SECOND: Final = 5
STEADY_SECONDS: Final = 5.0
FLAT_OUT_SECONDS: Final = 3.0


class ShardReads(Struct, frozen=True, kw_only=True):
    """What became of reads of one shard: at the rate of a follower, and as fast as they go."""

    steady: int
    steady_refused: int
    flat_out: int
    flat_out_refused: int
    flat_out_seconds: float

    @property
    def given_per_second(self) -> float:
        """How many pages a second it gave flat out."""
        return (self.flat_out - self.flat_out_refused) / max(self.flat_out_seconds, 1e-9)


async def measure_shard_reads(reading: StreamReading, for_seconds: float) -> ShardReads:
    """Reads a shard that is open, at its end, by one chain of iterators."""
    shards = (await reading.listing()).shards
    open_shards = [shard.id for shard in shards if shard.ending is None]
    chain = _Chain(reading, await reading.begin((open_shards or [shards[0].id])[0]))
    began = time.monotonic()
    steady = max(1, round(READS_PER_SECOND * min(STEADY_SECONDS, for_seconds)))
    for turn in range(steady):
        await sleep_until(began + turn / READS_PER_SECOND)
        await chain.read()
    steady_refused, chain.refused = chain.refused, 0
    began, flat_out = time.monotonic(), 0
    while time.monotonic() - began < min(FLAT_OUT_SECONDS, for_seconds):
        await chain.read()
        flat_out += 1
    return ShardReads(
        steady=steady,
        steady_refused=steady_refused,
        flat_out=flat_out,
        flat_out_refused=chain.refused,
        flat_out_seconds=time.monotonic() - began,
    )


class _Chain:
    """Reads along a shard; what is refused is read from the same place by the next."""

    def __init__(self, reading: StreamReading, iterator: str) -> None:
        self._reading = reading
        self._iterator = iterator
        self.refused = 0

    async def read(self) -> None:
        try:
            page = await self._reading.page_once(self._iterator)
        except ThrottledError:
            self.refused += 1
            return
        self._iterator = page.next_iterator or self._iterator
