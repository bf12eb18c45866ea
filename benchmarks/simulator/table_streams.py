"""The streams of one table: the one that is enabled, and those before it, while they are kept.

What happens to them by plan happens whenever somebody looks: each look is told the time first.
"""

import random
from collections import Counter

from benchmarks.simulator.brown_outs import BrownOuts
from benchmarks.simulator.refusals import Refusal, RefusedError, invalid
from benchmarks.simulator.report import StreamReport
from benchmarks.simulator.settings import BrownOut, Stream, StreamEvent, StreamView
from benchmarks.simulator.shard_limits import ShardLimits
from benchmarks.simulator.stream import FIRST_NUMBER, SimulatedStream, Written
from benchmarks.simulator.stream_shard import Shard

# So often records are trimmed for their age: the service does it within minutes of the 24 hours.
TRIM_SECONDS = 1.0


class TableStreams:
    """A table's streams. `epoch` is the wall clock's time at 0."""

    def __init__(
        self,
        settings: Stream,
        table_arn: str,
        *,
        partitions: int,
        now: float,
        epoch: float,
        seed: str,
    ) -> None:
        self.settings = settings
        self.chance = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.limits: dict[str, ShardLimits] = {}
        self.current: SimulatedStream | None = None
        self.latest: SimulatedStream | None = None
        self.brown_outs = BrownOuts(settings.brown_outs, table_arn, on_demand=True)
        self._arn = table_arn
        self._epoch = epoch
        self._started_at = now
        self._partitions = partitions
        self._is_disabling = False
        self._streams: dict[str, SimulatedStream] = {}
        self._due = sorted(((event.at_seconds, event) for event in settings.events), key=_at)
        self._trims_at = now + TRIM_SECONDS
        if settings.enabled:
            self._begin(now - settings.enabled_before_seconds, settings.view)

    def stream(self, arn: str) -> SimulatedStream:
        """The stream with this ARN, though it be disabled.

        :raises RefusedError: it is not there
        """
        if arn not in self._streams:
            raise no_such_stream(f"Stream: {arn} not found")
        return self._streams[arn]

    def all(self) -> list[SimulatedStream]:
        """Every stream that is kept, the oldest first."""
        return list(self._streams.values())

    def shard(self, stream: SimulatedStream, shard_id: str) -> Shard:
        """A shard of the stream.

        :raises RefusedError: it is not there
        """
        if shard_id not in stream.shards:
            raise no_such_stream(f"Shard: {shard_id} in Stream: {stream.arn} not found")
        return stream.shards[shard_id]

    def limits_of(self, shard: Shard, now: float) -> ShardLimits:
        """What the shard takes from its readers."""
        if shard.id not in self.limits:
            self.limits[shard.id] = ShardLimits(self.settings, now)
        return self.limits[shard.id]

    def write(self, change: Written, now: float) -> None:
        """Notes a change, unless it changes nothing or no stream is enabled."""
        if self.current is not None:
            self.current.write(change, now)

    def enable(self, view: StreamView, now: float) -> None:
        """Begins a stream.

        :raises RefusedError: one is enabled
        """
        if self.current is not None:
            raise invalid("Table already has an enabled stream")
        self._begin(now + self.settings.enabling_seconds, view)

    def disable(self, now: float) -> None:
        """Ends the stream; its records are there until they are trimmed.

        :raises RefusedError: none is enabled
        """
        if self.current is None or self._is_disabling:
            raise invalid("Table does not have a stream to disable")
        event, seconds = StreamEvent(do="disable"), self.settings.disabling_seconds
        if not seconds:
            self.do(event, now)
            return
        self._is_disabling = True
        self._due.append((now - self._started_at + seconds, event))
        self._due.sort(key=_at)

    def do(self, event: StreamEvent, now: float) -> None:
        """Lets it happen now."""
        self.counts[event.do] += 1
        if event.do == "enable":
            self.enable(event.view or self.settings.view, now)
        elif event.do == "trim":
            self._trim(now - event.older_than_seconds)
        elif self.current is not None:
            self.current.do(event, now)
            if event.do == "disable":
                self.current, self._is_disabling = None, False

    def brown_out(self, brown_out: BrownOut, now: float) -> None:
        """Refuses every read for a while; `start_seconds` counts from now."""
        self.brown_outs.add(brown_out, now - self._started_at)

    def advance(self, now: float, partitions: int) -> None:
        """Makes up for what was to happen until now."""
        while self._due and self._started_at + self._due[0][0] <= now:
            at, event = self._due.pop(0)
            self.do(event, self._started_at + at)
            if event.every_seconds is not None:
                self._due.append((at + event.every_seconds, event))
                self._due.sort(key=_at)
        if now >= self._trims_at:
            self._trim(now - self.settings.retention_seconds)
            self._trims_at = now + TRIM_SECONDS
        if partitions > self._partitions:
            if self.current is not None:
                added = partitions - self._partitions
                self.current.split_to(self.current.open_shards + added, now)
            self._partitions = partitions

    def seconds(self, now: float) -> float:
        """The time since the table's start."""
        return now - self._started_at

    def report(self) -> StreamReport:
        """What was written into them and read from them."""
        streams = self._streams.values()
        return StreamReport(
            arn=None if self.latest is None else self.latest.arn,
            records=sum(stream.records for stream in streams),
            unread=0 if self.latest is None else self.latest.unread,
            shards=sum(len(stream.shards) for stream in streams),
            open_shards=0 if self.current is None else self.current.open_shards,
            counts=dict(self.counts),
        )

    def _begin(self, enabled_at: float, view: StreamView) -> None:
        before = self.latest
        stream = SimulatedStream(
            self.settings,
            self._arn,
            shards=self.settings.shards or self._partitions,
            enabled_at=enabled_at,
            epoch=self._epoch,
            view=view,
            chance=self.chance,
            first_number=FIRST_NUMBER if before is None else before.last_number,
        )
        self._streams[stream.arn] = self.current = self.latest = stream

    def _trim(self, before: float) -> None:
        for arn, stream in list(self._streams.items()):
            stream.trim(before)
            if stream.disabled_at is not None and stream.disabled_at < before:
                del self._streams[arn]


def _at(due: tuple[float, StreamEvent]) -> float:
    return due[0]


def no_such_stream(message: str) -> RefusedError:
    """What is asked for is not in any stream."""
    words = f"Requested resource not found: {message}"
    return RefusedError(Refusal(400, "ResourceNotFoundException", words))
