"""What crosses between the rooms: pages, batches, results, and the two ports of a copy.

`copy/` knows a source and a target only through the Protocols here, so that DynamoDB, a
simulator, a test's fake or another engine can stand behind them. Items travel as
`msgspec.Raw`: slices of the response they came in, never decoded (invariant 3). A `Raw` keeps
its whole response alive, so its holder releases it once it is acknowledged.
"""

from collections.abc import Generator, Sequence
from enum import IntEnum
from typing import Literal, Protocol, TypeAlias

from msgspec import Raw, Struct


class Page(Struct, frozen=True):
    """One page of a Scan.

    `items` are in wire form. `last_evaluated_key` is the wire form of the key to go on from;
    None, and only None, means that the segment ends here. `scanned_count` counts what was
    evaluated: `scanned_count - len(items)` were left out by a filter. `consumed_units` is None
    where the service did not say.
    """

    items: list[Raw]
    last_evaluated_key: bytes | None
    scanned_count: int
    body_bytes: int
    consumed_units: float | None = None


class Delete(Struct, frozen=True):
    """A change after which no item is under `key`: its attributes in wire form, and no others.

    Its length is that of the key: what the item under it measured is not known.
    """

    key: Raw

    def __len__(self) -> int:
        return len(self.key)


# An item in wire form is put under its key, in the place of what is there.
Change: TypeAlias = Raw | Delete


class WriteResult(Struct, frozen=True):
    """What the service made of one BatchWriteItem.

    `unprocessed` is the remainder that must be sent again, as the very objects that were sent;
    everything else is written. `consumed_units` is None where the service did not say.
    """

    unprocessed: Sequence[Change]
    consumed_units: float | None = None


class PutResult(Struct, frozen=True):
    """What became of one item that was put by itself.

    `present` is None if it was written, or else what the target holds under its key: the same
    item or another. `consumed_units` is None where the service did not say.
    """

    present: Literal["same", "other"] | None
    consumed_units: float | None = None


class FoundItems(Struct, frozen=True):
    """The items that one lookup by keys found.

    `items` are in wire form, in any order, and only those that are there; `unprocessed` are the
    keys that must be asked for again. `consumed_units` is None where the service did not say.
    """

    items: Sequence[Raw]
    unprocessed: Sequence[bytes]
    consumed_units: float | None = None


class PageSource(Protocol):
    """Gives the pages of one table, segment by segment."""

    @property
    def full_page_units(self) -> float:
        """The read units of a full page: what to expect before anything is known."""
        ...

    async def read_page(
        self, segment: int, exclusive_start_key: bytes | None, limit: int | None = None
    ) -> Page:
        """Reads one page of `segment`, from its start or from behind `exclusive_start_key`.

        It ends after `limit` items, where that is given, and after 1 MB in any case.

        :raises RetryableError: the same call may succeed after a wait
        :raises StoppedError: it will not, until somebody acts
        """
        ...


# The next batch is yielded when it is known what became of the one before.
BatchExchange: TypeAlias = Generator[Sequence[Change], WriteResult, None]


class BatchTarget(Protocol):
    """Takes the batches of one table."""

    async def write_batches(self, batches: BatchExchange) -> None:
        """Writes what `batches` yields, one after the other, and sends it what became of each.

        A batch has up to 25 changes, each of another key; each is made whole or is in the
        remainder. What a batch costs beside its own bytes is paid once for all of them. There is
        one at least, and it is taken before anything can fail: an error is that of the batch that
        was yielded last.

        :raises RetryableError: nothing is known to be written; the same call is safe to repeat
        :raises ItemRefusedError: at least one item is refused for its content; none may be
            assumed written
        :raises StoppedError: no wait and no split will help
        """
        ...

    def units_of(self, changes: Sequence[Change], /) -> float:
        """The write units that `changes` are likely to consume."""
        ...

    def key_of(self, change: Change, /) -> bytes:
        """The key attributes in wire form, for people and for dead letters."""
        ...


class ItemTarget(Protocol):
    """Takes the items of one table one by one."""

    async def put_item(self, item: Raw, *, overwrite: bool) -> PutResult:
        """Puts an item in wire form; with `overwrite` false only where its key is not there yet.

        :raises RetryableError: nothing is known to be written; the same call is safe to repeat
        :raises ItemRefusedError: the item is refused for its content
        :raises StoppedError: no wait will help
        """
        ...

    def units_of(self, items: Sequence[Raw]) -> float:
        """The write units that putting `items` is likely to consume."""
        ...


class KeyLookup(Protocol):
    """Finds the items of one table by their keys, read consistently."""

    async def find_items(self, keys: Sequence[bytes]) -> FoundItems:
        """Asks once for up to 100 different keys in wire form.

        :raises RetryableError: the same call may succeed after a wait
        :raises StoppedError: it will not, until somebody acts
        """
        ...


class Replaced(Struct, frozen=True):
    """The item that a write replaced, in wire form; None where the response had none.

    `consumed_units` is None where the service did not say.
    """

    item: bytes | None
    consumed_units: float | None = None


class ItemRepairer(Protocol):
    """Changes single items of one table, each only if it still is what was seen there.

    As far as a condition can say that: it sees no attribute that it does not name. So both methods
    return what they replaced, and the caller compares it with what was seen.
    """

    async def put_if_unchanged(self, item: bytes, seen: bytes | None, /) -> Replaced:
        """Puts `item` in the place of `seen`, which has its key, or where nothing was seen.

        :raises ConditionFailedError: there is something else by now; nothing was done
        :raises ItemRefusedError: the item is refused for its content
        :raises RetryableError: the same call may succeed after a wait; it may have taken effect
        :raises StoppedError: no wait will help
        """
        ...

    async def delete_if_unchanged(self, key: bytes, seen: bytes, /) -> Replaced:
        """Deletes the item with this key if it still is `seen`.

        :raises ConditionFailedError: there is something else by now; nothing was done
        :raises RetryableError: the same call may succeed after a wait; it may have taken effect
        :raises StoppedError: no wait will help
        """
        ...


class Shard(Struct, frozen=True):
    """A shard of a stream as a listing shows it; `ending` is None while it shows it as open.

    Sequence numbers are integers of 21 to 40 digits: they order the records of one shard only.
    """

    id: str
    parent: str | None = None
    ending: int | None = None


class StreamListing(Struct, frozen=True):
    """All shards of a stream, and whether it is enabled: a disabled one is readable for 24 h.

    `status` is the service's word for that.
    """

    shards: Sequence[Shard]
    is_enabled: bool
    view: str
    status: str = "ENABLED"


class ChangeKind(IntEnum):
    """What is to be done for a key; stored, so a number never changes its meaning."""

    PUT = 0  # the image is written as it is
    DELETE = 1
    READ_AGAIN = 2  # the source is asked what the item is now


class ChangeRecord(Struct, frozen=True, gc=False):
    """One record of a stream: the state of one item after it.

    `key` is the canonical wire form of the key, `digest` 16 bytes of its hash; `image` is the item
    in wire form where `kind` is PUT, and None otherwise: bytes of their own, not of the page.
    `created_at` is the service's time, in seconds since the epoch, rounded down to the second.
    `is_expiry`: the service deleted the item since its time to live was over; nobody wrote.
    """

    digest: bytes
    key: bytes
    kind: ChangeKind
    image: bytes | None = None
    created_at: float = 0.0
    is_expiry: bool = False


class ChangePage(Struct, frozen=True):
    """The records behind an iterator, in the shard's order.

    An empty page proves nothing: records may follow. `next_iterator` is None, and only None, at
    the end of a closed shard. `last_sequence` is None on an empty page.
    """

    changes: Sequence[ChangeRecord]
    last_sequence: int | None
    next_iterator: str | None
    body_bytes: int


class ChangeSource(Protocol):
    """The stream of one table."""

    async def list_shards(self, seconds_a_page: float = 0.0) -> StreamListing:
        """Lists all shards, and waits between its pages of 100 for so long.

        Listings are eventually consistent: one may lack a shard.

        :raises RetryableError: the same call may succeed after a wait
        :raises StoppedError: it will not, until somebody acts
        """
        ...

    async def children_of(self, shard: str) -> Sequence[Shard]:
        """The shards that have `shard` as their parent, as far as the listing shows them."""
        ...

    async def iterator(self, shard: str, after: int | None) -> str:
        """An iterator behind the record number `after`, or at the shard's beginning.

        :raises TrimmedError: that record is not kept any more
        :raises ShardGoneError: there is no such shard, or it is not shown yet
        """
        ...

    async def read_changes(self, iterator: str) -> ChangePage:
        """Reads the next records.

        :raises ExpiredIteratorError: it is older than 15 minutes
        :raises TrimmedError: records behind it are not kept any more
        """
        ...
