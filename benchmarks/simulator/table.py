"""One table that admits or refuses: the model, without HTTP and without a clock of its own.

    table = SimulatedTable(Table(name="orders", capacity=Provisioned(...)))
    admission = table.write([SizedKey(place_of("a"), 1024)], now=0.5)

A virtual clock drives it as well as a real one: hundreds of seconds of a rate controller against it
take milliseconds. Calls come in the order of their times. What happens by itself (changes, growth,
production's reads, the turn of a second) happens on a beat of a tenth of a second, made up for
whenever somebody calls.
"""

import random
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from benchmarks.simulator import refusals
from benchmarks.simulator.index import SimulatedIndex
from benchmarks.simulator.lane import Lane, partitions_needed
from benchmarks.simulator.latency import LatencyModel
from benchmarks.simulator.places import SPACE, KeySpace
from benchmarks.simulator.record import Offer, Record
from benchmarks.simulator.refusals import Reason, Refusal
from benchmarks.simulator.report import TableReport
from benchmarks.simulator.settings import BrownOut, Change, OnDemand, Table

BEATS_PER_SECOND = 10
BYTES_PER_WRITE_UNIT = 1024  # rounded up per item, then summed [DG:read-write-operations]
BYTES_PER_READ_UNIT = 4096  # rounded up per page, half price when eventual [same]
DEFAULT_ACCOUNT, DEFAULT_REGION = "123456789012", "us-east-1"


class SizedKey(NamedTuple):
    """What the model needs to know of an item: its partition key's place, and its size."""

    place: int
    size_bytes: int


class Admission(Struct, frozen=True, kw_only=True):
    """What becomes of a batch.

    `accepted` items are written. `unprocessed` are the positions of the others, where some were
    taken; where none was, there is a `refusal` instead. Either answer comes after
    `latency_seconds`.
    """

    accepted: int = 0
    unprocessed: tuple[int, ...] = ()
    refusal: Refusal | None = None
    table_units: float = 0.0
    index_units: dict[str, float] = {}
    latency_seconds: float = 0.0

    @property
    def units(self) -> float:
        """What the batch consumed in total, of the table and its indexes."""
        return self.table_units + sum(self.index_units.values())


class ReadAdmission(Struct, frozen=True, kw_only=True):
    """What becomes of a page."""

    refusal: Refusal | None = None
    units: float = 0.0
    latency_seconds: float = 0.0


class SimulatedTable:
    """One table, from `now` on."""

    def __init__(
        self,
        settings: Table,
        *,
        now: float = 0.0,
        account: str = DEFAULT_ACCOUNT,
        region: str = DEFAULT_REGION,
        seed: int = 1,
    ) -> None:
        self.settings = settings
        self.arn = f"arn:aws:dynamodb:{region}:{account}:table/{settings.name}"
        self._started_at = now
        self._beats = 0
        self._space = KeySpace(partitions_needed(settings.capacity, settings.partitions))
        self._writes = self._lane("Write", now)
        self._reads = self._lane("Read", now)
        self._indexes = [SimulatedIndex(index, self.arn, now) for index in settings.indexes]
        self._changes = sorted(settings.changes, key=lambda change: change.at_seconds)
        self._brown_outs = list(settings.brown_outs)
        self._latency = LatencyModel(settings.latency, random.Random(f"{seed} {settings.name}"))
        self._record = Record()
        self._reasons: Counter[str] = Counter()

    # What is asked of it -------------------------------------------------------------------------

    def write(self, items: Sequence[SizedKey], now: float) -> Admission:
        """Takes a batch, in part, whole, or not at all."""
        self.advance(now)
        refusal = self._brown_out_at(now)
        admission = Admission(refusal=refusal) if refusal else self._admit(items, now)
        counts = self._record.now
        counts.write_requests += 1
        if admission.refusal is not None:
            counts.throttled_writes += admission.refusal.is_throttle
            return _after(admission, self._refuse(admission.refusal, now))
        latency_seconds = self._latency.write_seconds(self._write_load(now))
        counts.write_latencies.append(latency_seconds)
        counts.write_units += admission.table_units
        counts.items_written += admission.accepted
        counts.unprocessed_items += len(admission.unprocessed)
        self._record.begin_request(now, latency_seconds)
        return _after(admission, latency_seconds)

    def read(
        self, place: int, size_bytes: int, now: float, *, consistent: bool = False, items: int = 0
    ) -> ReadAdmission:
        """Takes a page of `size_bytes` that begins at `place`, or refuses it.

        The whole page is charged to the partition it begins in.
        """
        self.advance(now)
        counts = self._record.now
        counts.read_requests += 1
        refusal = self._brown_out_at(now)
        if refusal is None and (reason := self._reads.reason_against(place, now)) is not None:
            refusal = self._throttle([reason])
        if refusal is not None:
            counts.throttled_reads += refusal.is_throttle
            return ReadAdmission(refusal=refusal, latency_seconds=self._refuse(refusal, now))
        units = read_units(size_bytes, consistent=consistent)
        counts.partition_read_units[self._reads.take(place, units)] += units
        self._reads.note_load(units, now)
        latency_seconds = self._latency.read_seconds(self._reads.load(now))
        counts.read_units += units
        counts.items_read += items
        counts.read_latencies.append(latency_seconds)
        self._record.begin_request(now, latency_seconds)
        return ReadAdmission(units=units, latency_seconds=latency_seconds)

    # What happens to it --------------------------------------------------------------------------

    def advance(self, now: float) -> None:
        """Makes up for the beats until now."""
        while (at := self._started_at + (self._beats + 1) / BEATS_PER_SECOND) <= now:
            self._beats += 1
            self._beat(at)

    def change(self, change: Change, now: float) -> None:
        """Offers another capacity from now on, whatever the change's own time."""
        self.advance(now)
        if change.index is not None:
            index = next(index for index in self._indexes if index.name == change.index)
            index.change(change, now)
            return
        if change.write_units is not None:
            self._writes.set_capacity(change.write_units, now)
        if change.read_units is not None:
            self._reads.set_capacity(change.read_units, now)
        self._align(now)

    def brown_out(self, brown_out: BrownOut, now: float) -> None:
        """Takes nothing for a while; `start_seconds` counts from now."""
        start_seconds = now - self._started_at + brown_out.start_seconds
        self._brown_outs.append(
            BrownOut(
                start_seconds=start_seconds, seconds=brown_out.seconds, answer=brown_out.answer
            )
        )

    # What is seen of it --------------------------------------------------------------------------

    def offer(self) -> Offer:
        """What it offers at this moment."""
        return Offer(
            self._writes.offered,
            self._reads.offered,
            self._space.count,
            {index.name: index.offered for index in self._indexes},
        )

    def report(self, now: float) -> TableReport:
        """Everything up to now."""
        self.advance(now)
        return TableReport(seconds=self._record.seconds(self.offer()), reasons=dict(self._reasons))

    # ---------------------------------------------------------------------------------------------

    def _lane(self, direction: refusals.Direction, now: float) -> Lane:
        return Lane(
            self.settings.capacity,
            self.settings.partitions,
            self._space,
            direction=direction,
            resource="Table",
            arn=self.arn,
            now=now,
        )

    def _admit(self, items: Sequence[SizedKey], now: float) -> Admission:
        """Each item by itself, in the batch's order: the batch is not atomic, each item is."""
        unprocessed: list[int] = []
        reasons: dict[Reason, None] = {}
        table_units = 0
        index_units: Counter[str] = Counter()
        by_partition = self._record.now.partition_write_units
        for position, item in enumerate(items):
            reason = self._reason_against(item.place, now)
            if reason is not None:
                unprocessed.append(position)
                reasons[reason] = None
                continue
            units = -(-item.size_bytes // BYTES_PER_WRITE_UNIT) or 1
            by_partition[self._writes.take(item.place, units)] += units
            table_units += units
            for index in self._indexes:
                index_units[index.name] += index.take(item.place, item.size_bytes)
        for reason in reasons:
            self._reasons[reason.reason] += 1
        if items and len(unprocessed) == len(items):
            return Admission(refusal=self._throttle(list(reasons)))
        self._note_write_load(table_units, index_units, now)
        return Admission(
            accepted=len(items) - len(unprocessed),
            unprocessed=tuple(unprocessed),
            table_units=table_units,
            index_units=dict(index_units),
        )

    def _reason_against(self, place: int, now: float) -> Reason | None:
        reason = self._writes.reason_against(place, now)
        for index in self._indexes:
            if reason is not None:
                return reason
            reason = index.reason_against(place, now)
        return reason

    def _note_write_load(self, table_units: float, by_index: Counter[str], now: float) -> None:
        self._writes.note_load(table_units, now)
        for index in self._indexes:
            index.note_load(by_index[index.name], now)
        self._record.now.index_write_units.update(by_index)

    def _write_load(self, now: float) -> float:
        return max(self._writes.load(now), *(index.load(now) for index in self._indexes), 0.0)

    def _throttle(self, reasons: Sequence[Reason]) -> Refusal:
        on_demand = isinstance(self.settings.capacity, OnDemand)
        return refusals.throttle(reasons, on_demand=on_demand)

    def _refuse(self, refusal: Refusal, now: float) -> float:
        self._record.now.failed_requests += not refusal.is_throttle
        latency_seconds = self._latency.refusal_seconds()
        self._record.begin_request(now, latency_seconds)
        return latency_seconds

    def _brown_out_at(self, now: float) -> Refusal | None:
        seconds = now - self._started_at
        for brown_out in self._brown_outs:
            if 0 <= seconds - brown_out.start_seconds < brown_out.seconds:
                if brown_out.answer != "throttle":
                    return refusals.unavailable(brown_out.answer)
                return self._throttle([self._brown_out_reason()])
        return None

    def _brown_out_reason(self) -> Reason:
        on_demand = isinstance(self.settings.capacity, OnDemand)
        limit = "KeyRange" if on_demand else "Provisioned"
        return Reason(f"TableWrite{limit}ThroughputExceeded", self.arn)

    def _beat(self, now: float) -> None:
        while self._changes and self._changes[0].at_seconds <= now - self._started_at:
            self.change(self._changes.pop(0), now)
        self._align(now)
        self._read_in_production(now)
        if self._beats % BEATS_PER_SECOND == 0:
            self._record.end_second(self.offer())

    def _align(self, now: float) -> None:
        """Growth of one direction splits the partitions of both."""
        for lane in (self._writes, self._reads, self._writes):
            lane.beat(now)
        for index in self._indexes:
            index.beat(now)

    def _read_in_production(self, now: float) -> None:
        """The table's own readers: evenly over the partitions; what is throttled is lost."""
        if self.settings.production_read_units == 0:
            return
        counts = self._record.now
        count = self._space.count
        units = self.settings.production_read_units / BEATS_PER_SECOND / count
        for partition in range(count):
            place = (2 * partition + 1) * SPACE // (2 * count)
            counts.production_units += units
            if self._reads.reason_against(place, now) is not None:
                counts.production_lost_units += units
            else:
                counts.partition_read_units[self._reads.take(place, units)] += units
        self._reads.note_load(units * count, now)


def read_units(size_bytes: int, *, consistent: bool) -> float:
    """What a page costs: an empty one is not free either."""
    units = max(1, -(-size_bytes // BYTES_PER_READ_UNIT))
    return float(units) if consistent else units / 2


def _after(admission: Admission, latency_seconds: float) -> Admission:
    return Admission(
        accepted=admission.accepted,
        unprocessed=admission.unprocessed,
        refusal=admission.refusal,
        table_units=admission.table_units,
        index_units=admission.index_units,
        latency_seconds=latency_seconds,
    )
