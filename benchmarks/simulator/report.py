"""What the service saw, second by second: the records, as `GET /simulator/report` gives them."""

from collections.abc import Callable

from msgspec import Struct


class Percentiles(Struct, frozen=True, kw_only=True):
    """Latencies in seconds, as the model gave them out."""

    p50: float
    p95: float
    p99: float
    worst: float


class Second(Struct, frozen=True, kw_only=True):
    """One table in one second, counted from the start of the simulator.

    Units are those consumed, `*_capacity` what was offered to evenly spread use at the end of the
    second. `throttled_*` are requests that were refused whole for their rate, `partial_writes`
    those of which items were; `failed_requests` those answered with a 5xx; `unprocessed_items` came
    back in answers that were otherwise a success, and `throttled_items` for their rate, whatever
    the answer. `in_flight` is the most at one time. `production_*` are the units of the table's own
    readers, and of those the ones that were throttled. The lists have one entry per partition, by
    its number in that second; the maps one per index.
    """

    second: int
    write_units: float
    read_units: float
    write_capacity: float
    read_capacity: float
    write_requests: int
    read_requests: int
    throttled_writes: int
    throttled_reads: int
    failed_requests: int
    items_written: int
    items_read: int
    unprocessed_items: int
    in_flight: int
    production_units: float
    production_lost_units: float
    partition_write_units: list[float]
    partition_read_units: list[float]
    index_write_units: dict[str, float]
    index_write_capacity: dict[str, float]
    write_latency: Percentiles | None
    read_latency: Percentiles | None
    partial_writes: int = 0
    throttled_items: int = 0


class StreamReport(Struct, frozen=True, kw_only=True):
    """What was written into a table's streams, and read from them.

    `records` were made; `unread` of the latest stream's no page has held yet, whether they show or
    not. `counts` are of what happened: pages, records_given, empty_pages, expired, trimmed,
    listings, and refusals by their code.
    """

    arn: str | None
    records: int
    unread: int
    shards: int
    open_shards: int
    counts: dict[str, int]


class TableReport(Struct, frozen=True, kw_only=True):
    """One table. The last second may not be over yet.

    `reasons` counts the requests that a reason held back, whole or in part: of the second kind the
    service tells no reason. `distinct_items` and `items_digest` are of the written items, where
    the table remembers them: equal to `seeded_digest` of a source, every item of it arrived, byte
    for byte. Of a table that keeps its items: how many there are now, the writes of which their
    writer learnt nothing, those that changed nothing, and requests with an item that it refuses.
    """

    seconds: list[Second]
    reasons: dict[str, int]
    distinct_items: int | None = None
    items_digest: str | None = None
    items: int | None = None
    lost_answers: int = 0
    unchanging_writes: int = 0
    refused_items: int = 0
    stream: StreamReport | None = None

    def total(self, count: Callable[[Second], float]) -> float:
        """The sum over all seconds: `total(lambda second: second.items_written)`."""
        return sum(map(count, self.seconds))


class Report(Struct, frozen=True, kw_only=True):
    """Everything, `seconds` after the start.

    `cpu_seconds` is what the simulator's process used, and `worst_lag_seconds` how late an answer
    was at most for want of it: a simulator without breath measures itself.
    """

    seconds: float
    cpu_seconds: float
    worst_lag_seconds: float
    tables: dict[str, TableReport]
