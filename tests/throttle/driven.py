"""A rate controller that drives a simulated table, without tasks: seconds go by in no time."""

import heapq
import random
from collections import deque
from collections.abc import Callable
from itertools import count

from msgspec import Struct

from benchmarks.simulator import Partitions, Provisioned, SimulatedTable, SizedKey, Table
from dynaferry.throttle.limiter import REQUEST_SECONDS
from dynaferry.throttle.rate_controller import (
    LEAST_UNITS,
    RateController,
)

BATCH_ITEMS = 25


class Shares(Struct, frozen=True):
    """What the table saw: the share of its capacity that was used, and of the items refused."""

    used: float
    refused: float


def drive(
    controller: RateController,
    table: SimulatedTable,
    seconds: float,
    *,
    batch_items: int = BATCH_ITEMS,
    watch: Callable[[float, float], None] = lambda now, rate: None,
) -> None:
    """Sends batches at the controller's rate, and tells it what the table says.

    What is left undone is sent again once that is known. `watch` is told the time and the rate
    before each batch.
    """
    dice, order = random.Random(1), count()
    item_bytes = table.settings.sizes[0]
    item_units = -(-item_bytes // 1024)
    answers: list[tuple[float, int, float, list[SizedKey], float]] = []
    again: deque[list[SizedKey]] = deque()
    now = 0.0
    while now < seconds:
        while answers and answers[0][0] <= now:
            at, _, accepted, left, latency = heapq.heappop(answers)
            if accepted > 0:
                controller.accepted(accepted, latency, at)
            if left:
                controller.refused(item_units * len(left), at)
                again.append(left)
        most_units = max(LEAST_UNITS, controller.rate * REQUEST_SECONDS)
        most_items = max(1, int(most_units / item_units))
        items = again.popleft() if again else _new_items(dice, item_bytes, batch_items)
        if len(items) > most_items:  # as the writer cuts them
            items, rest = items[:most_items], items[most_items:]
            again.appendleft(rest)
        controller.asked(item_units * len(items))
        controller.wanted()
        controller.advance(now)
        watch(now, controller.rate)
        admission = table.write(items, now)
        left = items if admission.refusal else [items[at] for at in admission.unprocessed]
        latency = admission.latency_seconds
        heapq.heappush(answers, (now + latency, next(order), admission.units, left, latency))
        now += item_units * len(items) / controller.rate


def _new_items(dice: random.Random, item_bytes: int, number: int) -> list[SizedKey]:
    return [SizedKey(dice.getrandbits(64), item_bytes) for _ in range(number)]


def shares(table: SimulatedTable, seconds: float, *, since: int) -> Shares:
    """What the table saw from the second `since` on."""
    seen = [s for s in table.report(seconds).seconds if since <= s.second < int(seconds)]
    written = sum(s.items_written for s in seen)
    # A request that was refused whole stands for a batch.
    refused = sum(s.unprocessed_items + BATCH_ITEMS * s.throttled_writes for s in seen)
    used = sum(s.write_units for s in seen) / sum(s.write_capacity for s in seen)
    return Shares(used, refused / (written + refused))


def table_of(write_units: float, **more: object) -> SimulatedTable:
    """A table with this capacity and nothing saved up, and plenty of partitions."""
    capacity = Provisioned(write_units=write_units, read_units=1.0, burst_seconds=1)
    settings: dict[str, object] = {"capacity": capacity, "partitions": Partitions(count=256)}
    return SimulatedTable(Table(name="orders", **{**settings, **more}))  # type: ignore[arg-type]
