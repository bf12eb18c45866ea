"""One table that admits or refuses: the model, without HTTP and without a clock of its own.

    table = SimulatedTable(Table(name="orders", capacity=Provisioned(...)))
    admission = table.write([SizedKey(place_of("a"), 1024)], now=0.5)

A virtual clock drives it as well as a real one, at about 1.5 µs an item. Calls come in the order of
their times. What happens by itself (changes, growth, production's reads, the turn of a second)
happens on a beat of a tenth of a second, made up for whenever somebody calls.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from benchmarks.simulator.admission import (
    Admission,
    ReadAdmission,
    SizedKey,
    read_units,
    write_units,
)
from benchmarks.simulator.brown_outs import BrownOuts
from benchmarks.simulator.index import SimulatedIndex
from benchmarks.simulator.lane import Lane, partitions_needed
from benchmarks.simulator.latency import LatencyModel
from benchmarks.simulator.places import KeySpace
from benchmarks.simulator.production import ProductionReader
from benchmarks.simulator.record import Offer, Record
from benchmarks.simulator.refusals import Direction, Reason, Refusal, throttle
from benchmarks.simulator.report import TableReport
from benchmarks.simulator.settings import BrownOut, Change, OnDemand, Table

BEATS_PER_SECOND = 10
DEFAULT_ACCOUNT, DEFAULT_REGION = "123456789012", "us-east-1"


class SimulatedTable:
    """One table, from `now` on. The same `seed` gives the same latencies."""

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
        self._is_on_demand = isinstance(settings.capacity, OnDemand)
        self._started_at = now
        self._beats = 0
        self._space = KeySpace(partitions_needed(settings.capacity, settings.partitions))
        self._writes = self._lane("Write", now)
        self._reads = self._lane("Read", now)
        self._indexes = [SimulatedIndex(index, self.arn, now) for index in settings.indexes]
        self._changes = sorted(settings.changes, key=lambda change: change.at_seconds)
        self._brown_outs = BrownOuts(settings.brown_outs, self.arn, on_demand=self._is_on_demand)
        self._production = ProductionReader(settings.production_read_units, self._reads)
        self._latency = LatencyModel(settings.latency, random.Random(f"{seed} {settings.name}"))
        self._chance = random.Random(f"{seed} {settings.name} undone")
        self._record = Record()
        self._reasons: Counter[str] = Counter()

    # What is asked of it -------------------------------------------------------------------------

    def write(self, items: Sequence[SizedKey], now: float) -> Admission:
        """Takes a batch: whole, in part, or not at all."""
        self.advance(now)
        counts = self._record.now
        counts.write_requests += 1
        refusal = self._brown_outs.refusal_at(now - self._started_at, "Write")
        admission = self._admit(items, now) if refusal is None else Admission(refusal=refusal)
        if admission.refusal is not None:
            counts.throttled_writes += admission.refusal.is_throttle
            counts.throttled_items += len(items) * admission.refusal.is_throttle
            return replace(admission, latency_seconds=self._refuse(admission.refusal, now))
        counts.write_units += admission.table_units
        counts.items_written += admission.accepted
        counts.unprocessed_items += len(admission.unprocessed)
        latency_seconds = self._latency.write_seconds(self._write_load(now))
        counts.write_latencies.append(latency_seconds)
        self._record.begin_request(now, latency_seconds)
        return replace(admission, latency_seconds=latency_seconds)

    def read(
        self, place: int, size_bytes: int, now: float, *, consistent: bool = False, items: int = 0
    ) -> ReadAdmission:
        """Takes a page of `size_bytes` that begins at `place`, or refuses it.

        The whole page is charged to the partition it begins in.
        """
        self.advance(now)
        counts = self._record.now
        counts.read_requests += 1
        refusal = self._refusal_of_read(place, now)
        if refusal is not None:
            counts.throttled_reads += refusal.is_throttle
            return ReadAdmission(refusal=refusal, latency_seconds=self._refuse(refusal, now))
        units = read_units(size_bytes, consistent=consistent)
        counts.partition_read_units[self._reads.take(place, units)] += units
        counts.read_units += units
        counts.items_read += items
        self._reads.note_load(units, now)
        latency_seconds = self._latency.read_seconds(self._reads.load(now))
        counts.read_latencies.append(latency_seconds)
        self._record.begin_request(now, latency_seconds)
        return ReadAdmission(units=units, latency_seconds=latency_seconds)

    def read_items(
        self, items: Sequence[SizedKey], now: float, *, consistent: bool
    ) -> ReadAdmission:
        """Reads items by their keys, each by itself, or leaves some or all of them unread."""
        self.advance(now)
        counts = self._record.now
        counts.read_requests += 1
        refusal = self._brown_outs.refusal_at(now - self._started_at, "Read")
        unread: list[int] = []
        reasons: dict[Reason, None] = {}
        total = 0.0
        for position, (place, size_bytes) in enumerate(items if refusal is None else ()):
            reason = self._reads.reason_against(place, now)
            if reason is not None:
                unread.append(position)
                reasons[reason] = None
                continue
            units = read_units(size_bytes, consistent=consistent)
            counts.partition_read_units[self._reads.take(place, units)] += units
            total += units
        self._reasons.update(reason.reason for reason in reasons)
        if refusal is None and len(unread) == len(items):
            refusal = self._throttle(list(reasons))
        if refusal is not None:
            counts.throttled_reads += refusal.is_throttle
            return ReadAdmission(refusal=refusal, latency_seconds=self._refuse(refusal, now))
        counts.read_units += total
        counts.items_read += len(items) - len(unread)
        self._reads.note_load(total, now)
        latency_seconds = self._latency.read_seconds(self._reads.load(now))
        counts.read_latencies.append(latency_seconds)
        self._record.begin_request(now, latency_seconds)
        return ReadAdmission(units=total, latency_seconds=latency_seconds, unread=tuple(unread))

    # What happens to it --------------------------------------------------------------------------

    def advance(self, now: float) -> None:
        """Makes up for the beats until now."""
        while (at := self._started_at + (self._beats + 1) / BEATS_PER_SECOND) <= now:
            self._beats += 1
            self._beat(at)

    def change(self, change: Change, now: float) -> None:
        """Offers another capacity from now on, whatever the change's own time."""
        self.advance(now)
        for index in self._indexes:
            if index.name == change.index:
                index.change(change, now)
        if change.index is None and change.write_units is not None:
            self._writes.set_capacity(change.write_units, now)
        if change.index is None and change.read_units is not None:
            self._reads.set_capacity(change.read_units, now)
        self._align(now)

    def brown_out(self, brown_out: BrownOut, now: float) -> None:
        """Takes nothing for a while; `start_seconds` counts from now."""
        self._brown_outs.add(brown_out, now - self._started_at)

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

    # Admission -----------------------------------------------------------------------------------

    def _admit(self, items: Sequence[SizedKey], now: float) -> Admission:
        """Each item by itself, in the batch's order: the batch is not atomic, each item is."""
        unprocessed: list[int] = []
        reasons: dict[Reason, None] = {}
        table_units = 0.0
        index_units = {index.name: 0.0 for index in self._indexes}
        by_partition = self._record.now.partition_write_units
        throttled = 0
        for position, (place, size_bytes) in enumerate(items):
            reason = self._reason_against(place, now)
            if reason is not None:
                unprocessed.append(position)
                reasons[reason] = None
                throttled += 1
                continue
            if self._is_undone_by_chance():
                unprocessed.append(position)
                continue
            units = write_units(size_bytes)
            by_partition[self._writes.take(place, units)] += units
            table_units += units
            for index in self._indexes:
                index_units[index.name] += index.take(place, size_bytes)
        self._reasons.update(reason.reason for reason in reasons)
        if items and throttled == len(items):
            return Admission(refusal=self._throttle(list(reasons)))
        self._record.now.partial_writes += throttled > 0
        self._record.now.throttled_items += throttled
        self._note_written(table_units, index_units, now)
        return Admission(
            accepted=len(items) - len(unprocessed),
            unprocessed=tuple(unprocessed),
            table_units=table_units,
            index_units=index_units,
        )

    def _throttle(self, reasons: Sequence[Reason]) -> Refusal:
        refusal = throttle(reasons, on_demand=self._is_on_demand)
        return refusal if self.settings.gives_reasons else replace(refusal, says_why=False)

    def _is_undone_by_chance(self) -> bool:
        share = self.settings.undone_share
        return share > 0 and self._chance.random() < share

    def _reason_against(self, place: int, now: float) -> Reason | None:
        reason = self._writes.reason_against(place, now)
        for index in self._indexes:
            if reason is not None:
                return reason
            reason = index.reason_against(place, now)
        return reason

    def _note_written(self, units: float, by_index: Mapping[str, float], now: float) -> None:
        self._writes.note_load(units, now)
        for index in self._indexes:
            index.note_load(by_index[index.name], now)
            self._record.now.index_write_units[index.name] += by_index[index.name]

    def _write_load(self, now: float) -> float:
        return max([self._writes.load(now), *(index.load(now) for index in self._indexes)])

    def _refusal_of_read(self, place: int, now: float) -> Refusal | None:
        refusal = self._brown_outs.refusal_at(now - self._started_at, "Read")
        if refusal is not None:
            return refusal
        reason = self._reads.reason_against(place, now)
        if reason is None:
            return None
        self._reasons[reason.reason] += 1
        return self._throttle([reason])

    def _refuse(self, refusal: Refusal, now: float) -> float:
        self._record.now.failed_requests += not refusal.is_throttle
        latency_seconds = self._latency.refusal_seconds()
        self._record.begin_request(now, latency_seconds)
        return latency_seconds

    # Time ----------------------------------------------------------------------------------------

    def _beat(self, now: float) -> None:
        while self._changes and self._changes[0].at_seconds <= now - self._started_at:
            self.change(self._changes.pop(0), now)
        self._align(now)
        self._production.beat(now, 1 / BEATS_PER_SECOND, self._record.now)
        if self._beats % BEATS_PER_SECOND == 0:
            self._record.end_second(self.offer(), now)

    def _align(self, now: float) -> None:
        """Growth of one direction splits the partitions of both."""
        for lane in (self._writes, self._reads, self._writes):
            lane.beat(now)
        for index in self._indexes:
            index.beat(now)

    def _lane(self, direction: Direction, now: float) -> Lane:
        return Lane(
            self.settings.capacity,
            self.settings.partitions,
            self._space,
            direction=direction,
            resource="Table",
            arn=self.arn,
            now=now,
        )
