"""The application of the demo: it goes on writing the source, and knows what it has written."""

import random
from collections.abc import Iterable
from typing import Any, Final

import anyio
from msgspec import Struct

from dynaferry.demo import accounts
from dynaferry.demo.items import Item, as_sdk, key_of

# Between two writes: moto serves one request at a time, and has a copy to serve as well.
PAUSE_SECONDS: Final = 0.02
_SEED: Final = 7
_FEW_KEYS: Final = 10  # of so few none is deleted
_OF_THE_WRITER: Final = "written meanwhile"


class WriteCounts(Struct):
    """The writes so far, by what they did."""

    put: int = 0
    changed: int = 0
    deleted: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.put + self.changed + self.deleted


class SourceWriter:
    """Puts, changes and deletes items of the source, one after the other, until it is stopped.

    Every write changes something, so that each is one record of the stream.
    """

    def __init__(self, client: Any, items: Iterable[Item]) -> None:
        self._client = client
        self._items = {key_of(item): item for item in items}
        self._keys = list(self._items)
        self._random = random.Random(_SEED)  # noqa: S311  # nothing here is a secret
        self._stopped = anyio.Event()
        self.written = WriteCounts()

    @property
    def items(self) -> list[Item]:
        """What the table must hold now, in wire form."""
        return list(self._items.values())

    def stop(self) -> None:
        """The write under way is the last one."""
        self._stopped.set()

    async def run(self) -> None:
        """Writes until it is stopped."""
        while not self._stopped.is_set():
            await self._write(self._random.random())
            with anyio.move_on_after(PAUSE_SECONDS):
                await self._stopped.wait()

    async def write_to(self, client: Any, writes: int) -> None:
        """Writes so many times to another place that holds the same."""
        self._client = client
        for _ in range(writes):
            await self._write(self._random.random())

    async def _write(self, chance: float) -> None:
        number = self.written.total
        if chance < 0.2:
            item = _new_item(number)
            self._keys.append(key_of(item))
            self.written.put += 1
            return await self._put(item)
        key = self._keys[place := self._random.randrange(len(self._keys))]
        if chance < 0.8 or len(self._keys) < _FEW_KEYS:
            self.written.changed += 1
            note = {"note": {"S": f"{_OF_THE_WRITER}, {number}"}}
            return await self._put(self._items[key] | note)
        self._keys[place] = self._keys[-1]
        self._keys.pop()
        item = self._items.pop(key)
        await self._client.delete_item(
            TableName=accounts.TABLE, Key={name: item[name] for name in ("customer", "order")}
        )
        self.written.deleted += 1
        return None

    async def _put(self, item: Item) -> None:
        await self._client.put_item(TableName=accounts.TABLE, Item=as_sdk(item))
        self._items[key_of(item)] = item


def _new_item(number: int) -> Item:
    return {
        "customer": {"S": "customer-new"},
        "order": {"N": str(1_000_000_000 + number)},
        "note": {"S": f"{_OF_THE_WRITER}, {number}"},
    }
