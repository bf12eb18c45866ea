"""One table with its items: seeded and made on demand, or kept, and then with a stream."""

import heapq
import itertools
import random
import uuid
from collections.abc import Callable, Sequence

from msgspec import Raw
from msgspec.structs import replace

from benchmarks.simulator.admission import SizedKey
from benchmarks.simulator.answer import Answer, refused
from benchmarks.simulator.global_table import LEGACY, with_own_attributes
from benchmarks.simulator.places import place_of
from benchmarks.simulator.refusals import unavailable
from benchmarks.simulator.report import TableReport
from benchmarks.simulator.requests import ItemChange, decode_item, wire_key
from benchmarks.simulator.seeded import ItemsDigest, SeededItems
from benchmarks.simulator.settings import Settings, Stream, Table
from benchmarks.simulator.stored_items import Key, StoredItem, StoredItems
from benchmarks.simulator.stream import Written
from benchmarks.simulator.table import SimulatedTable
from benchmarks.simulator.table_streams import TableStreams

# Takes effect at this time.
Effect = Callable[[float], None]


class ServedTable:
    """A table, from `now` on. `epoch` is the wall clock's time at 0."""

    def __init__(self, settings: Table, server: Settings, now: float, epoch: float) -> None:
        self.settings = settings
        self.model = SimulatedTable(
            settings, now=now, account=server.account, region=server.region, seed=server.seed
        )
        self.seeded = SeededItems(settings)
        self.written = ItemsDigest() if settings.remember_items else None
        self.table_id = str(uuid.uuid4())
        self.items: StoredItems | None = None
        self.streams: TableStreams | None = None
        self.refused_items = 0
        self.absent_until = now
        self._region = server.region
        self._chance = random.Random(f"{server.seed} {settings.name} items")
        self._late: list[tuple[float, int, Effect]] = []
        self._effects = itertools.count()
        self._unchanging = self._lost_answers = 0
        if settings.is_kept:
            self.items = _stored(settings, self.seeded, self._chance)
            self.streams = TableStreams(
                settings.stream or Stream(enabled=False),
                self.model.arn,
                partitions=self.model.offer().partitions,
                now=now,
                epoch=epoch,
                seed=f"{server.seed} {settings.name} stream",
            )

    def advance(self, now: float) -> None:
        """Makes up for what takes effect late, and for what happens to the stream."""
        while self._late and self._late[0][0] <= now:
            at, _, effect = heapq.heappop(self._late)
            effect(at)
        if self.items is not None:
            self.items.forget(now)
        if self.streams is not None:
            self.streams.advance(now, self.model.offer().partitions)

    def sized(self, change: ItemChange) -> SizedKey:
        """What the model needs to know: a write costs the larger of what was and what will be."""
        size_bytes = 0 if change.body is None else change.size_bytes
        if self.items is not None and (before := self.items.get(change.key)) is not None:
            size_bytes = max(size_bytes, before.size_bytes)
        return SizedKey(change.key[0], size_bytes)

    def carry_out(self, effect: Effect, answer: Answer, now: float) -> Answer:
        """Lets a write take effect, as a rule at once, and returns what its writer learns."""
        lost = self.settings.lost_answers
        if lost is None or self._chance.random() >= lost.share:
            effect(now)
            return answer
        self._lost_answers += 1
        late_seconds = self._chance.uniform(0.0, lost.late_seconds)
        heapq.heappush(self._late, (now + late_seconds, next(self._effects), effect))
        match self._chance.randrange(3):
            case 0:
                return replace(answer, is_lost=True)
            case 1:
                return refused(unavailable("500"), answer.latency_seconds)
            case _:
                return replace(answer, latency_seconds=answer.latency_seconds + late_seconds)

    def apply(self, changes: Sequence[ItemChange], now: float) -> None:
        """Writes, and notes in the stream what has changed."""
        for change in changes:
            if self.written is not None and change.body is not None:
                self.written.add(bytes(change.body))
            if self.items is not None:
                self._apply(self.items, change, now)

    def expire(self, count: int, now: float) -> int:
        """Deletes so many items as time to live does; returns how many there were."""
        if self.items is None:
            return 0
        keys = self.items.keys()
        expired = self._chance.sample(keys, min(count, len(keys)))
        for key in expired:
            self._apply(self.items, ItemChange(key, 0, None), now, is_by_time_to_live=True)
        return len(expired)

    def report(self, now: float) -> TableReport:
        """What this table saw."""
        report = self.model.report(now)
        if self.written is not None:
            report = replace(
                report, distinct_items=self.written.distinct, items_digest=self.written.text
            )
        if self.items is None or self.streams is None:
            return report
        return replace(
            report,
            items=len(self.items),
            lost_answers=self._lost_answers,
            unchanging_writes=self._unchanging,
            refused_items=self.refused_items,
            stream=self.streams.report(),
        )

    def _apply(
        self,
        items: StoredItems,
        change: ItemChange,
        now: float,
        *,
        is_by_time_to_live: bool = False,
    ) -> None:
        before = items.get(change.key)
        # Copied, so that the request does not stay in memory.
        body = None if change.body is None else bytes(change.body)
        item = None if body is None else StoredItem(body, change.size_bytes)
        if _is_same(before, item):
            self._unchanging += 1
            return
        items.replace(change.key, item, now)
        if self.streams is not None and self.streams.current is not None:
            written = Written(
                change.key[0],
                wire_key(change.key, self.settings),
                None if before is None else before.body,
                body,
                is_by_time_to_live,
            )
            self.streams.write(written, now)
        if body is not None:
            self._follow_by_own_write(items, change.key, now)

    def _follow_by_own_write(self, items: StoredItems, key: Key, now: float) -> None:
        """Has the service set its attributes a moment later, as version 2017.11.29 does."""
        settings = self.settings.global_table
        if settings is None or settings.version != LEGACY:
            return

        def set_attributes(at: float) -> None:
            item = items.get(key)
            body = None if item is None else with_own_attributes(item.body, self._region, at)
            if item is not None and body is not None:
                self._apply(items, ItemChange(key, item.size_bytes, Raw(body)), at)

        at = now + settings.own_write_seconds
        heapq.heappush(self._late, (at, next(self._effects), set_attributes))


def _is_same(before: StoredItem | None, item: StoredItem | None) -> bool:
    """Whether a write changes nothing: then it leaves no record [DG:Streams]."""
    if before is None or item is None:
        return before is item
    if before.body == item.body:
        return True
    is_as_large = before.size_bytes == item.size_bytes
    return is_as_large and decode_item(before.body) == decode_item(item.body)


def _stored(settings: Table, seeded: SeededItems, chance: random.Random) -> StoredItems:
    """The items that a table keeps, with those that it holds at the start."""
    items = StoredItems(stale_seconds=settings.stale_read_seconds, chance=chance)
    sizes, start = settings.sizes, 0
    while start < seeded.count:
        page = seeded.extent(start, seeded.count, None)
        for rank, body in enumerate(seeded.items(page), start):
            partition, sort = seeded.key(rank)
            key = place_of(partition), partition, sort or ""
            items.seed(key, StoredItem(body, sizes[rank % len(sizes)]))
        start = page.end
    return items
