"""A table's stream: shards that split, roll and are trimmed, and records of what changes. Pure.

Each open shard is a range of places, as a partition is; a record goes into the one that its key
lies in, so a key's records follow the lineage. What the service does not publish (how ids are made
beyond their time, how far numbers lie apart) is made up as real ones look.
"""

import random
from bisect import bisect_right
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import Struct

from benchmarks.simulator.places import SPACE
from benchmarks.simulator.settings import Stream, StreamEvent, StreamView
from benchmarks.simulator.stream_shard import Shard

FIRST_NUMBER = 10**21  # sequence numbers have 21 to 40 digits [M:SequenceNumber]
TIME_TO_LIVE = b',"userIdentity":{"PrincipalId":"dynamodb.amazonaws.com","Type":"Service"}'

_encode = msgspec.json.encode


class Written(Struct, frozen=True):
    """A change of one item: its key in wire form, and what it was and is, None for nothing."""

    place: int
    key: Mapping[str, Any]
    before: bytes | None
    after: bytes | None
    is_by_time_to_live: bool = False


class SimulatedStream:
    """One stream, from `now` on. `epoch` is the wall clock's time at 0."""

    def __init__(
        self,
        settings: Stream,
        table_arn: str,
        *,
        shards: int,
        enabled_at: float,
        epoch: float,
        view: StreamView | None = None,
        chance: random.Random,
        first_number: int = FIRST_NUMBER,
    ) -> None:
        self.settings = settings
        self.view: StreamView = view or settings.view
        self.epoch = epoch
        enabled = datetime.fromtimestamp(epoch + enabled_at, UTC).replace(tzinfo=None)
        self.label = enabled.isoformat(timespec="milliseconds")
        self.arn = f"{table_arn}/stream/{self.label}"
        self.region = table_arn.split(":")[3]
        self.enabled_at = enabled_at
        self.disabled_at: float | None = None
        self.records = 0
        self.shards: dict[str, Shard] = {}
        self._delay_seconds = settings.delay_seconds
        self.last_number = first_number
        self._chance = chance
        self._open: list[Shard] = []
        self._lows: list[int] = []
        for number in range(shards):
            places = (number * SPACE // shards, (number + 1) * SPACE // shards)
            self._open.append(self._grow(None, places, enabled_at))
        self._note_open()

    @property
    def is_enabled(self) -> bool:
        """Whether changes still come into it."""
        return self.disabled_at is None

    def status(self, now: float) -> str:
        """The service's word for whether it is."""
        if not self.is_enabled:
            return "DISABLED"
        return "ENABLED" if now >= self.enabled_at else "ENABLING"

    @property
    def open_shards(self) -> int:
        """How many shards records may still come into."""
        return len(self._open)

    @property
    def unread(self) -> int:
        """How many of its records no page has held yet."""
        return sum(shard.unread for shard in self.shards.values())

    def write(self, change: Written, now: float) -> None:
        """Makes the record of a change, once it is enabled."""
        if now < self.enabled_at:
            return
        shard = self._open[bisect_right(self._lows, change.place) - 1]
        least, most = self._delay_seconds
        number = self._next_number()
        body = self._record(change, number, now)
        shard.append(number, now, now + self._chance.uniform(least, most), body)
        self.records += 1

    def do(self, event: StreamEvent, now: float) -> None:
        """Splits, rolls, trims, slows or ends it. To enable another is the table's."""
        if event.do == "trim":
            self.trim(now - event.older_than_seconds)
        elif event.do == "delay":
            self._delay_seconds = event.delay_seconds
        elif event.do == "disable":
            for shard in self._open:
                shard.lose(now - self.settings.lost_at_close_seconds)
            self._close(self._open, 0, now)
            self.disabled_at = now
        elif event.do in ("split", "roll") and self.is_enabled:
            count = event.shards or len(self._open)
            closed = self._chance.sample(self._open, min(count, len(self._open)))
            self._close(closed, 2 if event.do == "split" else 1, now)

    def split_to(self, shards: int, now: float) -> None:
        """Splits the widest until there are so many, as where a table's partitions do."""
        while self.is_enabled and len(self._open) < shards:
            self._close([max(self._open, key=lambda shard: shard.high - shard.low)], 2, now)

    def trim(self, before: float) -> None:
        """Drops what was written before, and the shards that were closed before."""
        for shard in list(self.shards.values()):
            shard.trim(before)
            if shard.is_gone(before):
                del self.shards[shard.id]

    # ---------------------------------------------------------------------------------------------

    def _close(self, shards: list[Shard], children: int, now: float) -> None:
        for shard in list(shards):
            shard.close(now)
            self._open.remove(shard)
            cuts = [
                shard.low + (shard.high - shard.low) * n // children for n in range(1, children)
            ]
            bounds = [shard.low, *cuts, shard.high] if children else []
            for places in pairwise(bounds):
                self._open.append(self._grow(shard.id, places, now))
        self._note_open()

    def _grow(self, parent: str | None, places: tuple[int, int], now: float) -> Shard:
        millis = int((self.epoch + now) * 1000)
        name = f"shardId-{millis:020d}-{self._chance.getrandbits(32):08x}"
        shard = self.shards[name] = Shard(name, parent, places, now=now, number=self._next_number())
        return shard

    def _note_open(self) -> None:
        self._open.sort(key=lambda shard: shard.low)
        self._lows = [shard.low for shard in self._open]

    def _next_number(self) -> int:
        self.last_number += self._chance.randint(1, 10**6)
        return self.last_number

    def _record(self, change: Written, number: int, now: float) -> bytes:
        event = _event_name(change)
        images = b"".join(
            b'"%b":%b,' % (name, image)
            for name, image in ((b"NewImage", change.after), (b"OldImage", change.before))
            if image is not None and self._shows(name)
        )
        return (
            b'{"eventID":"%032x","eventName":"%b","eventVersion":"1.1","eventSource":"aws:dynamodb",'
            b'"awsRegion":"%b","dynamodb":{"ApproximateCreationDateTime":%b,"Keys":%b,%b'
            b'"SequenceNumber":"%d","SizeBytes":%d,"StreamViewType":"%b"}%b}'
        ) % (
            number,
            event,
            self.region.encode(),
            # Rounded down to the second [M:StreamRecord].
            b"%.9E" % int(self.epoch + now),
            _encode(change.key),
            images,
            number,
            len(images),
            self.view.encode(),
            TIME_TO_LIVE if change.is_by_time_to_live else b"",
        )

    def _shows(self, image: bytes) -> bool:
        named = b"NEW" if image == b"NewImage" else b"OLD"
        return named in self.view.encode()


def _event_name(change: Written) -> bytes:
    if change.after is None:
        return b"REMOVE"
    return b"INSERT" if change.before is None else b"MODIFY"
