"""What an applier hands from task to task: requests of waiting changes, and what became of them."""

from collections.abc import Sequence
from typing import Final, Protocol

from msgspec import Raw, Struct

from dynaferry.errors import ItemRefusedError
from dynaferry.follow.spool_records import Waiting
from dynaferry.limits import BATCH_MAX_ITEMS
from dynaferry.ports import Change, ChangeKind, Delete

KEYS_A_LOOKUP: Final = 100  # the most that BatchGetItem takes [M:BatchGetItem]


class RejectedChanges(Protocol):
    """Where items go that the target refuses, as the source holds them."""

    def check(self, key: bytes, error: ItemRefusedError) -> None:
        """Returns if the item under this key may be set aside, and counts it.

        :raises StoppedError: the move is to stop, by its settings or for too many of them
        """
        ...

    async def accepted(self, keys: Sequence[bytes]) -> None:
        """The target holds the newest state of these keys: their dead letters are over."""
        ...


# Where much waits, batches are handed on several at a time, up to so much of images.
BATCHES_AT_ONCE: Final = 4
_WORK_BYTES: Final = 512 * 1024


class Work(Struct, frozen=True):
    """Changes of different keys that go out one batch after the other, or keys to read again."""

    rows: list[Waiting]
    reads: bool


class Settled(Struct):
    """What became of rows, sent at `sent_at` or later: the target holds them, or they are left."""

    done: list[Waiting]
    sent_at: float
    left: list[Waiting]


def portions(rows: list[Waiting], *, is_behind: bool) -> list[Work]:
    """Requests of images and of keys to read again, each in the rows' order; with `is_behind`
    several of them in one.
    """
    reads = [row for row in rows if row.kind is ChangeKind.READ_AGAIN]
    writes = [row for row in rows if row.kind is not ChangeKind.READ_AGAIN] if reads else rows
    at_once = BATCHES_AT_ONCE if is_behind and bytes_of(writes) < _WORK_BYTES else 1
    return [
        Work(part[start : start + size], is_read)
        for part, size, is_read in (
            (writes, at_once * BATCH_MAX_ITEMS, False),
            (reads, KEYS_A_LOOKUP, True),
        )
        for start in range(0, len(part), size)
    ]


def bytes_of(rows: Sequence[Waiting]) -> int:
    """What their images take."""
    return sum([len(row.image) for row in rows if row.image is not None])


def change_of(row: Waiting) -> Change:
    """What an image or a deletion asks of the target."""
    if row.image is None:
        return Delete(Raw(row.key))
    return Raw(row.image)
