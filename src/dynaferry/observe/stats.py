"""Plain counters of a running copy. Displays and metrics read them; they steer nothing."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from dynaferry.observe.estimator import RunProgress
from dynaferry.observe.events import RunEvent
from dynaferry.observe.request_stats import RequestStats
from dynaferry.observe.segment_map import SegmentMap
from dynaferry.observe.segment_sums import SegmentSums
from dynaferry.observe.summary import ErrorSummary
from dynaferry.observe.table_state import TableState

# Reasons are the service's words: as a rule a handful, never without bound.
MOST_REASONS: Final = 20
OTHER_REASONS: Final = "other reasons"


@dataclass(slots=True)
class TableStats:
    """One table's counters for the whole run, earlier attempts included.

    `items_read`, `items_filtered` and `bytes_read` move when a page is read, `items_written` and
    `items_rejected` with each acknowledgement, so all of them may run ahead of the checkpoint by
    what is in flight. `expected_items` is an estimate (the service's own item count is hours
    old). `items_at_start` is what earlier attempts had done.

    `throttles` counts refused requests by (operation, reason), the reason in the service's words;
    together they are `throttled_requests`. What a batch left unprocessed counts as items alone.
    `bottleneck` is the resource that limited the writes last, in words for people, and
    `throttled_at` when a write was last throttled or left undone, in seconds since the epoch. The
    rate limits are what the pace and the caps allow now, in units a second, None where nothing
    limits; `read_limit_reason` says why the reads have one that nobody asked for.
    `rejections` counts rejected items by the target's words.
    Prices are dollars for one unit, 0 where capacity is provisioned and so paid by the hour.
    `dollars_before` is what earlier units cost beyond what they would cost at these prices.
    `checkpointed_at` is by the clock of `started_at`. `number` is the table's in the state file,
    and `error` is what ended this table, be it that others go on.
    The ARNs are None where the tables were not looked at.
    `segment_sums` are as stored. The plan's seconds and write units are for the whole table, None
    where it has no end.
    `paused` says that the table is held, or its run; the caps are its own, beside the run's, in
    units a second, None where there is none.
    """

    source: str
    target: str
    segments_total: int
    expected_items: int = 0
    state: TableState = "waiting"
    segments_complete: int = 0
    items_read: int = 0
    items_written: int = 0
    items_rejected: int = 0
    items_filtered: int = 0
    bytes_read: int = 0
    read_units: float = 0.0
    write_units: float = 0.0
    read_requests: int = 0
    write_requests: int = 0
    throttled_requests: int = 0
    retried_requests: int = 0
    unprocessed_items: int = 0
    throttles: dict[tuple[str, str], int] = field(default_factory=dict)
    bottleneck: str | None = None
    throttled_at: float | None = None
    read_rate_limit_units: float | None = None
    write_rate_limit_units: float | None = None
    read_limit_reason: str | None = None
    reads_waiting: int = 0
    read_requests_in_flight: int = 0
    write_requests_in_flight: int = 0
    items_at_start: int = 0
    started_at: float | None = None
    ended_at: float | None = None
    scans: RequestStats = field(default_factory=RequestStats)
    batch_writes: RequestStats = field(default_factory=RequestStats)
    lookups: RequestStats = field(default_factory=RequestStats)
    segments: SegmentMap = field(init=False)
    rejections: dict[str, int] = field(default_factory=dict)
    checkpointed_at: float | None = None
    dollars_per_read_unit: float = 0.0
    dollars_per_write_unit: float = 0.0
    dollars_before: float = 0.0
    source_arn: str | None = None
    target_arn: str | None = None
    segment_sums: SegmentSums = field(default_factory=SegmentSums)
    planned_seconds: float | None = None
    planned_write_units: float = 0.0
    paused: bool = False
    read_cap_units: float | None = None
    write_cap_units: float | None = None
    error: ErrorSummary | None = None
    number: int = 0

    def __post_init__(self) -> None:
        self.segments = SegmentMap(self.segments_total)

    def note_throttle(self, operation: str, reasons: Iterable[str]) -> None:
        """Counts a request that the service refused for its rate, once, whatever it says why."""
        key = (operation, " and ".join(sorted(set(reasons))))
        if key not in self.throttles and len(self.throttles) >= MOST_REASONS:
            key = (operation, OTHER_REASONS)
        self.throttles[key] = self.throttles.get(key, 0) + 1
        self.throttled_requests += 1

    def throttled(self, operation: str) -> int:
        """The number of an operation's requests that the service refused for their rate."""
        return sum(times for (of, _), times in self.throttles.items() if of == operation)

    def note_rejection(self, reason: str) -> None:
        """Counts an item that the target refused."""
        if reason not in self.rejections and len(self.rejections) >= MOST_REASONS:
            reason = OTHER_REASONS
        self.rejections[reason] = self.rejections.get(reason, 0) + 1

    @property
    def dollars(self) -> float:
        """The cost in dollars of the units consumed so far, at the prices that were given."""
        return (
            self.dollars_before
            + self.read_units * self.dollars_per_read_unit
            + self.write_units * self.dollars_per_write_unit
        )

    @property
    def items_done(self) -> int:
        """Items that need no more work: written, rejected or filtered."""
        return self.items_written + self.items_rejected + self.items_filtered


class ControlledStats(Protocol):
    """The controls in force of a run: its pause and caps, and both in words for people."""

    run: str
    paused: bool
    limits_in_words: str | None
    read_cap_units: float | None
    write_cap_units: float | None
    write_cap_is_scheduled: bool

    @property
    def tables(self) -> Sequence[TableStats]:
        """Its tables, each with the controls in force of its own."""
        ...


@dataclass(slots=True)
class RunStats:
    """The counters of every table of a run, in the plan's order, and whether it is paused.

    `credentials_left` says by side for how many seconds its credentials last, when asked: None
    where they have no end.
    `limits_in_words` says its pause and its caps for people; the caps are those that its tables
    share, in units a second, None where there is none. `events` are those that are stored, by their
    time.
    `progress` is what is shown and stored, None until there is any.
    """

    run: str
    tables: list[TableStats] = field(default_factory=list)
    paused: bool = False
    credentials_left: dict[str, Callable[[], float | None]] = field(default_factory=dict)
    limits_in_words: str | None = None
    read_cap_units: float | None = None
    write_cap_units: float | None = None
    write_cap_is_scheduled: bool = False
    events: Sequence[RunEvent] = ()
    tables_at_once: int = 1
    progress: RunProgress | None = None
