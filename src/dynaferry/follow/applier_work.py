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


class Work(Struct, frozen=True):
    """Changes of different keys that go out together: batches of images, or keys to read again."""

    rows: Sequence[Waiting]
    reads: bool


class Settled(Struct, frozen=True):
    """What became of rows: the target holds them, or they are left for later."""

    done: Sequence[Waiting]
    sent_at: float = 0.0
    left: Sequence[Waiting] = ()


def portions(rows: Sequence[Waiting]) -> list[Work]:
    """Requests of images and of keys to read again, each in the rows' order."""
    reads = [row for row in rows if row.kind is ChangeKind.READ_AGAIN]
    writes = [row for row in rows if row.kind is not ChangeKind.READ_AGAIN]
    return [
        Work(part[start : start + size], is_read)
        for part, size, is_read in (
            (writes, BATCH_MAX_ITEMS, False),
            (reads, KEYS_A_LOOKUP, True),
        )
        for start in range(0, len(part), size)
    ]


def change_of(row: Waiting) -> Change:
    """What an image or a deletion asks of the target."""
    if row.image is None:
        return Delete(Raw(row.key))
    return Raw(row.image)
