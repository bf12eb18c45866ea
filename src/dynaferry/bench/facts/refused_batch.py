"""What the service says to a batch of which nothing fits."""

import time
from collections import Counter
from typing import Final

import anyio
from msgspec import Struct

from dynaferry.bench.facts.subject import CONNECTIONS, Subject
from dynaferry.dynamodb.tables.description import Throughput
from dynaferry.errors import RetryableError, ThrottledError
from dynaferry.limits import BATCH_MAX_ITEMS

# The least that a table can have; what it may save up is gone within a dozen batches.
CAPACITY: Final = Throughput(1, 1)
FOR_SECONDS: Final = 30.0
ENOUGH: Final = 20
_ITEM_BYTES: Final = 1000


class RefusedBatches(Struct, frozen=True, kw_only=True):
    """What became of batches beyond a table's capacity. `refused` as a whole, with an exception,
    `with_reasons` of them; `all_unprocessed` with a 200 of which nothing was written. `codes` are
    those of the exceptions, `reasons` those that stood in them.
    """

    batches: int
    written: int
    partly: int
    all_unprocessed: int
    refused: int
    with_reasons: int
    codes: dict[str, int]
    reasons: dict[str, int]


async def measure_refused_batches(subject: Subject, for_seconds: float) -> RefusedBatches:
    """Writes to a table with little capacity until it has refused often enough."""
    counts: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    until = time.monotonic() + min(FOR_SECONDS, for_seconds)

    async def one_after_the_other() -> None:
        while counts["refused"] + counts["all"] < ENOUGH and time.monotonic() < until:
            counts["batches"] += 1
            keys = [subject.new_key() for _ in range(BATCH_MAX_ITEMS)]
            try:
                left = await subject.put_batch_once(keys, _ITEM_BYTES)
            except ThrottledError as error:
                counts["refused"] += 1
                counts["with_reasons"] += bool(error.reasons)
                codes[error.code] += 1
                reasons.update({reason for reason, _ in error.reasons})
            except RetryableError:
                counts["failed"] += 1
            else:
                counts[{0: "written", len(keys): "all"}.get(left, "partly")] += 1

    async with anyio.create_task_group() as group:
        for _ in range(CONNECTIONS):
            group.start_soon(one_after_the_other)
    return RefusedBatches(
        batches=counts["batches"],
        written=counts["written"],
        partly=counts["partly"],
        all_unprocessed=counts["all"],
        refused=counts["refused"],
        with_reasons=counts["with_reasons"],
        codes=dict(codes),
        reasons=dict(reasons),
    )
