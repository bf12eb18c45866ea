"""What the simulator is told: one frozen tree, from Python, JSON or TOML.

Every figure that the service publishes is the default, with its source; the others say that they
are assumptions. [DG:page] is the DynamoDB Developer Guide, [M:X] the API model in botocore.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

PARTITION_WRITE_UNITS = 1000.0  # a second, and the most for one key [DG:burst-adaptive-capacity]
PARTITION_READ_UNITS = 3000.0  # a second [DG:burst-adaptive-capacity]
BURST_SECONDS = 300.0  # "up to 300 s of unused capacity" [DG:burst-adaptive-capacity]
NEW_ON_DEMAND_WRITE_UNITS = 4000.0  # a second [DG:on-demand-capacity-mode]
NEW_ON_DEMAND_READ_UNITS = 12_000.0  # a second [DG:on-demand-capacity-mode]
DOUBLING_SECONDS = 1800.0  # "beyond 2x within 30 minutes may throttle" [DG:on-demand-capacity-mode]
TABLE_QUOTA_UNITS = 40_000.0  # a second and direction, on-demand [DG:ServiceQuotas]
RETENTION_SECONDS = 24 * 3600.0  # of a stream's records [DG:Streams]
ITERATOR_SECONDS = 15 * 60.0  # [M:GetRecords]
SHARD_READERS = 2  # more than two at a time are throttled [M:LimitExceededException]
SHARD_READS = 5.0  # a second (a comment in aws-sdk-java-v2#470: assumption)
SHARD_BYTES = 2.0 * 1024 * 1024  # a second (the same)

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
ItemBytes = Annotated[int, Meta(ge=64, le=400 * 1024)]  # 400 KB is the service's [DG:Constraints]
BrownOutAnswer = Literal["throttle", "500", "503"]
StreamView = Literal["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"]
StreamAction = Literal["split", "roll", "trim", "delay", "disable", "enable"]


class _Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all settings have in common: a typing error is an error."""


class Provisioned(_Settings, frozen=True, kw_only=True, tag_field="mode", tag="provisioned"):
    """Capacity that somebody set.

    `burst_seconds` of it are saved up while nobody takes them; `saved_seconds` are there at the
    start, None for all that fits: a table that nobody used for five minutes.
    """

    write_units: Positive
    read_units: Positive
    burst_seconds: NotNegative = BURST_SECONDS
    saved_seconds: NotNegative | None = None


class OnDemand(_Settings, frozen=True, kw_only=True, tag_field="mode", tag="on-demand"):
    """Capacity that follows use: up to twice the previous peak, at most the quota.

    `write_units` and `read_units` are what it sustains at the start (twice the previous peak).
    `doubling_seconds` is how long a use must last to count as a peak. `max_*` are the owner's own
    limits. `burst_seconds` of either are saved up: an assumption.
    """

    write_units: Positive = NEW_ON_DEMAND_WRITE_UNITS
    read_units: Positive = NEW_ON_DEMAND_READ_UNITS
    doubling_seconds: Positive = DOUBLING_SECONDS
    write_quota: Positive = TABLE_QUOTA_UNITS
    read_quota: Positive = TABLE_QUOTA_UNITS
    max_write_units: Positive | None = None
    max_read_units: Positive | None = None
    burst_seconds: NotNegative = 1.0


Capacity = Provisioned | OnDemand


class Partitions(_Settings, frozen=True, kw_only=True):
    """Equal ranges of the hash, each with its own hard limits.

    `count` None is what the capacity needs. A partition saves nothing beyond `burst_seconds`: an
    assumption, since bursting happens within what a partition can do. `saved_seconds` as of a
    table.
    """

    count: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    write_units: Positive = PARTITION_WRITE_UNITS
    read_units: Positive = PARTITION_READ_UNITS
    burst_seconds: NotNegative = 1.0
    saved_seconds: NotNegative | None = None


class Latency(_Settings, frozen=True, kw_only=True):
    """Seconds that an answer takes. All assumptions: the service publishes none for batches.

    `write_seconds` and `read_seconds` (a full page) are the least; a lognormal tail with the
    median `tail_seconds` comes on top, and `queue_seconds` times load² / (1 - load).
    """

    write_seconds: NotNegative = 0.008
    read_seconds: NotNegative = 0.030
    tail_seconds: NotNegative = 0.002
    tail_sigma: NotNegative = 1.0
    queue_seconds: NotNegative = 0.005
    max_seconds: Positive = 5.0


NO_LATENCY = Latency(write_seconds=0, read_seconds=0, tail_seconds=0, queue_seconds=0)


class Index(_Settings, frozen=True, kw_only=True):
    """A global secondary index: its own capacity, which holds the table's writes back.

    `share` of the items have an entry (a sparse index has fewer than all); an entry has
    `entry_bytes`, None for the whole item; `keys` is the number of different index keys, None for
    as many as items.
    """

    name: str
    capacity: Capacity = OnDemand()
    partitions: Partitions = Partitions()
    share: Share = 1.0
    entry_bytes: ItemBytes | None = None
    keys: Annotated[int, Meta(ge=1)] | None = None


class Change(_Settings, frozen=True, kw_only=True):
    """Capacity that is set anew, of the table or of one index. None leaves a direction as it is.

    An on-demand table then sustains this much at once, as after raising its warm throughput.
    """

    at_seconds: NotNegative = 0.0
    write_units: Positive | None = None
    read_units: Positive | None = None
    index: str | None = None


class BrownOut(_Settings, frozen=True, kw_only=True):
    """A span in which a table takes nothing."""

    start_seconds: NotNegative = 0.0
    seconds: Positive
    answer: BrownOutAnswer = "throttle"


class StreamEvent(_Settings, frozen=True, kw_only=True):
    """What happens to a stream, once or `every_seconds`.

    `split` and `roll` close so many `shards` that are open, chosen by chance, 0 for all of them:
    each is followed by two children, or by one. `trim` drops what is `older_than_seconds`, whatever
    the retention. What is written behind a `delay` shows after `delay_seconds`, at least and at
    most. `disable` closes every shard for good; `enable` begins another stream, of another `view`
    where one is given.
    """

    do: StreamAction
    at_seconds: NotNegative = 0.0
    every_seconds: Positive | None = None
    shards: Annotated[int, Meta(ge=0)] = 1
    older_than_seconds: NotNegative = 0.0
    delay_seconds: tuple[NotNegative, NotNegative] = (0.0, 0.0)
    view: StreamView | None = None


class Stream(_Settings, frozen=True, kw_only=True):
    """A table's stream, or what it would be once it is enabled.

    `shards` None is one for each partition. A record shows `delay_seconds` after its write, at
    least and at most, and not before one that stands in front of it. An `empty_page_share` of the
    pages holds nothing whatever there is, a `short_page_share` less than there is. A
    `stale_listing_share` of the listings is up to `stale_listing_seconds` old. `other_readers` read
    every shard all the time. To enable it takes `enabling_seconds`, in which changes leave no
    record; to disable it takes `disabling_seconds`, in which changes still come into it; what was
    written in the last `lost_at_close_seconds` is then in no shard, for those who look whether the
    service loses anything. All of these are assumptions: the service says that such things occur,
    the last one excepted.
    """

    enabled: bool = True
    view: StreamView = "NEW_IMAGE"
    shards: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    enabled_before_seconds: NotNegative = 3600.0
    enabling_seconds: NotNegative = 0.0
    disabling_seconds: NotNegative = 0.0
    lost_at_close_seconds: NotNegative = 0.0
    delay_seconds: tuple[NotNegative, NotNegative] = (0.2, 0.8)
    retention_seconds: Positive = RETENTION_SECONDS
    iterator_seconds: Positive = ITERATOR_SECONDS
    reads_per_second: Positive = SHARD_READS
    bytes_per_second: Positive = SHARD_BYTES
    readers: Annotated[int, Meta(ge=1)] = SHARD_READERS
    other_readers: Annotated[int, Meta(ge=0)] = 0
    empty_page_share: Share = 0.05
    short_page_share: Share = 0.05
    shards_a_listing: Annotated[int, Meta(ge=1, le=100)] = 100  # [M:DescribeStream]
    stale_listing_share: Share = 0.1
    stale_listing_seconds: NotNegative = 2.0
    read_seconds: NotNegative = 0.005
    events: tuple[StreamEvent, ...] = ()
    brown_outs: tuple[BrownOut, ...] = ()


class LostAnswers(_Settings, frozen=True, kw_only=True):
    """Writes whose writer does not learn what became of them: a `share` of the requests.

    The connection is closed, or a 500 or a late success is the answer. The write takes effect all
    the same, up to `late_seconds` later.
    """

    share: Share
    late_seconds: NotNegative = 0.0


class GlobalTable(_Settings, frozen=True, kw_only=True):
    """That a table is a replica, and in which `regions` the others are.

    Of version 2017.11.29 each put is followed by a write of the service's own, so long after: an
    assumption.
    """

    regions: Annotated[tuple[str, ...], Meta(min_length=1)]
    version: Literal["2017.11.29", "2019.11.21"] = "2019.11.21"
    own_write_seconds: NotNegative = 0.1


class Table(_Settings, frozen=True, kw_only=True):
    """One table: what it holds at the start, what it can take, and what happens to it.

    `item_bytes` is by the service's measure; several sizes take turns. `items_per_key` and
    `hot_key_share`, the share of all items that are under one partition key, need a `sort_key`.
    `undone_share` of the items that it could take it leaves unprocessed by chance, as the service
    may after a failure of its own; without `gives_reasons` its throttles name no reason.
    `remember_items` keeps a digest of every written item (about 100 bytes of memory each).

    With `keeps_items`, or a `stream`, it is a table: what is written is read again, by Scan and
    BatchGetItem, and takes its memory. A read that is not consistent may then show any state of the
    last `stale_read_seconds`. An item with the `refused_attribute` is refused, as one that does not
    suit an index is. `hash_salt` gives it an order of its own, unlike that of other tables.
    """

    name: str
    items: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0
    item_bytes: ItemBytes | Annotated[tuple[ItemBytes, ...], Meta(min_length=1)] = 1024
    items_per_key: Annotated[int, Meta(ge=1)] = 1
    hot_key_share: Share = 0.0
    partition_key: str = "pk"
    sort_key: str | None = None
    capacity: Capacity = OnDemand()
    partitions: Partitions = Partitions()
    indexes: tuple[Index, ...] = ()
    latency: Latency = Latency()
    changes: tuple[Change, ...] = ()
    brown_outs: tuple[BrownOut, ...] = ()
    production_read_units: NotNegative = 0.0
    undone_share: Share = 0.0
    gives_reasons: bool = True
    remember_items: bool = False
    keeps_items: bool = False
    stream: Stream | None = None
    stale_read_seconds: NotNegative = 0.0
    lost_answers: LostAnswers | None = None
    refused_attribute: str | None = None
    hash_salt: str = ""
    global_table: GlobalTable | None = None

    @property
    def is_kept(self) -> bool:
        """Whether what is written to it is there afterwards."""
        return self.keeps_items or self.stream is not None

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes that items take turns in."""
        return (self.item_bytes,) if isinstance(self.item_bytes, int) else self.item_bytes


class NewTables(_Settings, frozen=True, kw_only=True):
    """Tables that callers make by CreateTable, each `like` this one, under its own name and keys
    and with its own capacity; one with `provisioned` capacity saves up `burst_seconds` of it.

    For `absent_seconds` a table that is said to be ACTIVE is not found by requests for its items.
    Each has a hash of its own with `own_hash`. All of these are assumptions.
    """

    like: Table = Table(name="new", stream=Stream(enabled=False))
    absent_seconds: NotNegative = 0.0
    burst_seconds: NotNegative = 10.0
    own_hash: bool = False


class Settings(_Settings, frozen=True, kw_only=True):
    """A server: its tables, and whose they are. The same `seed` gives the same latencies.

    With `new_tables` callers may make and drop tables. Responses have checksums, those of streams
    only where `streams_have_checksums`, and come packed, where that is asked for, from
    `packed_from_bytes` on.
    """

    tables: tuple[Table, ...] = ()
    new_tables: NewTables | None = None
    streams_have_checksums: bool = True
    packed_from_bytes: int | None = None
    account: str = "123456789012"
    region: str = "us-east-1"
    seed: int = 1


def read_settings(path: Path) -> Settings:
    """Reads a settings file, TOML by its name or else JSON.

    :raises ValueError: it is not understood, or makes no sense
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".toml":
        return validate(msgspec.convert(tomllib.loads(text), Settings))
    return validate(msgspec.json.decode(text, type=Settings))


def validate(settings: Settings) -> Settings:
    """Returns the settings if they make sense.

    :raises ValueError: names what does not
    """
    msgspec.convert(msgspec.to_builtins(settings), Settings)
    names = [table.name for table in settings.tables]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the table {name} is there twice")
    for table in settings.tables:
        _check(table)
    return settings


def _check(table: Table) -> None:
    if table.sort_key is None and (table.items_per_key > 1 or table.hot_key_share > 0):
        raise ValueError(f"{table.name}: several items under one key need a sort_key")
    if not table.is_kept and (table.stale_read_seconds or table.lost_answers):
        raise ValueError(f"{table.name}: stale reads and lost answers need keeps_items")
    if table.stream is not None and table.stream.delay_seconds[0] > table.stream.delay_seconds[1]:
        raise ValueError(f"{table.name}: delay_seconds are the least and the most")
    indexes = {index.name for index in table.indexes}
    for change in table.changes:
        check_change(table.name, change, indexes)


def check_change(table: str, change: Change, indexes: set[str]) -> None:
    """Refuses a change of an index that the table does not have.

    :raises ValueError: it has not
    """
    if change.index is not None and change.index not in indexes:
        raise ValueError(f"{table} has no index {change.index}")
