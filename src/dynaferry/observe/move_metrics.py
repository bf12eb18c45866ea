"""The metrics of a move, from how its tables stand; a copy has none of them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from dynaferry.observe.move_status import MOVE_STATES, MoveStatus

_LABELS: Final = ("source", "target")

# One number of a table; None where there is none to report.
_OfMove = Callable[[MoveStatus], float | None]

_GAUGES: Final[Sequence[tuple[str, str, _OfMove]]] = (
    (
        "lag_seconds",
        "What the stream showed before so long is in the target; absent while it is copied.",
        lambda t: t.lag_seconds,
    ),
    (
        "stream_position_age_seconds",
        "What the stream showed before so long is captured; it keeps records for 24 hours.",
        lambda t: t.position_age_seconds,
    ),
    (
        "capture_silent_seconds",
        "Since the shard of the stream was read that was not read for the longest.",
        lambda t: t.capture_silent_seconds,
    ),
    (
        "oldest_waiting_seconds",
        "For how long the oldest change that is not applied has waited.",
        lambda t: t.oldest_waiting_seconds,
    ),
    ("spool_rows", "Keys whose newest change waits in the spool.", lambda t: t.spool_rows),
    ("spool_bytes", "Bytes that the spool takes of the disk.", lambda t: t.spool_bytes),
    (
        "spool_read_again",
        "Keys that wait without an image: their items are read again.",
        lambda t: t.spool_read_again,
    ),
    ("gaps_open", "Losses of records that are not repaired yet.", lambda t: t.gaps),
    ("doubts", "Writes of which nobody knows yet what became of them.", lambda t: t.doubts),
    (
        "move_rejected",
        "Items that the target rejects while following, kept as dead letters.",
        lambda t: t.rejected,
    ),
    (
        "late_writes",
        "Keys that were written to the source behind the switch, and that nobody applies.",
        lambda t: t.late_writes,
    ),
    (
        "will_catch_up",
        "0 where for a minute more came in than went out, else 1.",
        lambda t: float(t.will_catch_up),
    ),
    (
        "move_timestamp_seconds",
        "When the move stood like this, in seconds since 1970. What is pushed or written to a file"
        " stays when nobody renews it: this shows its age.",
        lambda t: t.at,
    ),
)


def move_metrics(tables: Sequence[MoveStatus]) -> Iterator[Metric]:
    """Every metric of a move whose tables stand like this; none without a table."""
    if not tables:
        return
    for name, text, value in _GAUGES:
        yield _gauge(name, text, tables, value)
    yield _changes(tables)
    yield _gaps(tables)
    yield _by_state("stream_shards", "Shards of the stream by their state.", tables, _shards)
    yield _by_state("move_state", "1 for the state that the move is in, else 0.", tables, _states)


def _gauge(name: str, text: str, tables: Sequence[MoveStatus], value: _OfMove) -> Metric:
    family = GaugeMetricFamily(f"dynaferry_{name}", text, labels=_LABELS)
    for table in tables:
        number = value(table)
        if number is not None:
            family.add_metric([table.source, table.target], number)
    return family


def _changes(tables: Sequence[MoveStatus]) -> Metric:
    family = CounterMetricFamily(
        "dynaferry_changes",
        "Changes: in, captured; out, applied, replaced by a newer one of their key, or refused.",
        labels=[*_LABELS, "direction"],
    )
    for table in tables:
        family.add_metric([table.source, table.target, "in"], table.changes_captured)
        family.add_metric([table.source, table.target, "out"], table.changes_out)
    return family


def _gaps(tables: Sequence[MoveStatus]) -> Metric:
    family = CounterMetricFamily(
        "dynaferry_gaps", "Losses of records, repaired ones included.", labels=_LABELS
    )
    for table in tables:
        family.add_metric([table.source, table.target], table.gaps_ever)
    return family


def _by_state(
    name: str,
    text: str,
    tables: Sequence[MoveStatus],
    numbers: Callable[[MoveStatus], Iterator[tuple[str, float]]],
) -> Metric:
    family = GaugeMetricFamily(f"dynaferry_{name}", text, labels=[*_LABELS, "state"])
    for table in tables:
        for state, number in numbers(table):
            family.add_metric([table.source, table.target, state], number)
    return family


def _shards(table: MoveStatus) -> Iterator[tuple[str, float]]:
    yield "open", table.shards_open
    yield "waiting", table.shards_waiting
    yield "childless", table.shards_childless


def _states(table: MoveStatus) -> Iterator[tuple[str, float]]:
    for state in MOVE_STATES:
        yield state, float(state == table.state)
