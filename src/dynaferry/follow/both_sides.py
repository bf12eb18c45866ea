"""Keys compared on both sides, each read consistently: what the switch rests on."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import anyio
from msgspec import Raw

from dynaferry.dynamodb.client import open_client
from dynaferry.dynamodb.items.batch_get import BatchGetLookup
from dynaferry.dynamodb.items.canonical import canonical
from dynaferry.dynamodb.items.keys import KeyReader
from dynaferry.dynamodb.items.replication_attributes import lookup_of
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.dynamodb.tables.replication import with_replication
from dynaferry.follow.applier_work import KEYS_A_LOOKUP
from dynaferry.ports import KeyLookup
from dynaferry.run.sides import Sides
from dynaferry.throttle.retry import Patience, RetryPolicy

LOOKUPS_AT_ONCE: Final = 8
# Somebody waits: longer than this no side is waited for.
PATIENCE_SECONDS: Final = 20.0


class BothSides:
    """Looks keys up in both tables."""

    def __init__(
        self,
        source: KeyLookup,
        target: KeyLookup,
        key_of: Callable[[Raw], bytes],
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._source = source
        self._target = target
        self._key_of = key_of
        self._patience_seconds = patience_seconds

    async def differing(self, keys: Sequence[bytes]) -> list[bytes]:
        """The keys, in canonical wire form, under which the tables do not hold the same.

        :raises DynaferryError: a side does not respond, or may not be read
        """
        found: list[bytes] = []
        slots = anyio.Semaphore(LOOKUPS_AT_ONCE)

        async def compare(part: Sequence[bytes]) -> None:
            async with slots:
                here: dict[bytes, bytes] = {}
                there: dict[bytes, bytes] = {}
                async with anyio.create_task_group() as both:
                    both.start_soon(self._find, "source", self._source, part, there)
                    both.start_soon(self._find, "target", self._target, part, here)
            found.extend(key for key in part if here.get(key) != there.get(key))

        async with anyio.create_task_group() as group:
            for start in range(0, len(keys), KEYS_A_LOOKUP):
                group.start_soon(compare, keys[start : start + KEYS_A_LOOKUP])
        return found

    async def of_source(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """What the source holds under these keys, by key, canonical both.

        :raises DynaferryError: it does not respond, or may not be read
        """
        found: dict[bytes, bytes] = {}
        slots = anyio.Semaphore(LOOKUPS_AT_ONCE)

        async def find(part: Sequence[bytes]) -> None:
            async with slots:
                await self._find("source", self._source, part, found)

        async with anyio.create_task_group() as group:
            for start in range(0, len(keys), KEYS_A_LOOKUP):
                group.start_soon(find, keys[start : start + KEYS_A_LOOKUP])
        return found

    async def _find(
        self, side: str, lookup: KeyLookup, keys: Sequence[bytes], found: dict[bytes, bytes]
    ) -> None:
        """Puts into `found` what is there, by key, canonical both."""
        retry = RetryPolicy(side, Patience(self._patience_seconds))
        left: Sequence[bytes] = keys
        while left:
            result = await retry.call(partial(lookup.find_items, left))
            for item in result.items:
                found[canonical(self._key_of(item))] = canonical(item)
            if len(result.unprocessed) == len(left):
                await anyio.sleep(0.05)
            left = result.unprocessed


@asynccontextmanager
async def open_both_sides(
    sides: Sides, source: TableDescription, target: TableDescription
) -> AsyncIterator[BothSides]:
    """Both tables, to be looked up in; with connections of their own, so that nothing waits."""
    keys = KeyReader([key.name for key in source.keys])
    seen = [await with_replication(sides.source, source)]
    seen += [await with_replication(sides.target, target)]
    leave_out = any(table.is_legacy_global for table in seen)
    async with (
        open_client(
            sides.source,
            table=source.called,
            endpoint=source.endpoint,
            connections=LOOKUPS_AT_ONCE,
        ) as source_client,
        open_client(
            sides.target,
            table=target.called,
            endpoint=target.endpoint,
            connections=LOOKUPS_AT_ONCE,
        ) as target_client,
    ):
        yield BothSides(
            lookup_of(
                BatchGetLookup(source_client, table=source.called, side="source"),
                leave_out=leave_out,
            ),
            lookup_of(
                BatchGetLookup(target_client, table=target.called, side="target"),
                leave_out=leave_out,
            ),
            keys.wire_key,
        )
