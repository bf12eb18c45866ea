"""Conditional writes, one item at a time, with what each of them replaced.

A condition keeps most of what is newer from being replaced, not all: it sees no attribute that it
does not name. So the response, which gives what was there, is compared with what was seen. A newer
item is kept before anything else happens, and where no response came, or one that does not say,
that is known as well: nothing is ever called written of which it is not known what it replaced.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal

from msgspec import Struct

from dynaferry.dynamodb import capacity
from dynaferry.dynamodb.items.canonical import digest_of
from dynaferry.errors import (
    ConditionFailedError,
    ItemRefusedError,
    ThrottledError,
)
from dynaferry.ports import ItemRepairer, Replaced
from dynaferry.throttle.limited_call import LimitedCall
from dynaferry.throttle.limiter import RateLimiter
from dynaferry.throttle.retry import RetryPolicy
from dynaferry.verify.state.store import ReplacedKind
from dynaferry.verify.stats import ComparisonStats, RepairWrites

# Keeps an item that was replaced unseen: its key, the item, and why in words.
Keep = Callable[[bytes, bytes, str], Awaitable[None]]


class Written(Struct, frozen=True):
    """The result of one write, and what it replaced: None is what was seen, or nothing.

    It was `done`, or somebody else did the same first (`agrees`), or the target was `left` alone.
    """

    outcome: Literal["done", "agrees", "left"]
    replaced: ReplacedKind | None = None


class RepairWriter:
    """A writer of single items of one target, at its rate. Any number of tasks may call it.

    `in_doubt` are the keys of which a write was sent without a response so far.
    `refusals` are in the target's words, `overwritten` are the keys of what was kept.
    """

    def __init__(
        self,
        target: ItemRepairer,
        stats: ComparisonStats,
        *,
        limiter: RateLimiter,
        retry: RetryPolicy,
        keep: Keep,
    ) -> None:
        self._target = target
        self._retry = retry
        self._call = LimitedCall(limiter, retry, RepairWrites(stats))
        self._keep = keep
        self.in_doubt: set[bytes] = set()
        self.refusals: list[str] = []
        self.overwritten: list[str] = []

    async def put(self, key: bytes, item: bytes, seen: bytes | None) -> Written:
        """Puts the source's `item` in the place of what was seen on the target.

        :raises StoppedError: it cannot be done now, or what it replaced cannot be kept
        """
        units = float(capacity.write_units([item]))
        write = partial(self._target.put_if_unchanged, item, seen)
        return await self._write(key, write, units, wanted=item, seen=seen)

    async def delete(self, key: bytes, seen: bytes) -> Written:
        """Deletes what was seen on the target.

        :raises StoppedError: it cannot be done now, or what it replaced cannot be kept
        """
        units = float(capacity.write_units([seen]))
        write = partial(self._target.delete_if_unchanged, key, seen)
        return await self._write(key, write, units, wanted=None, seen=seen)

    async def _write(
        self,
        key: bytes,
        write: Callable[[], Awaitable[Replaced]],
        units: float,
        *,
        wanted: bytes | None,
        seen: bytes | None,
    ) -> Written:
        try:
            response = await self._retry.call(
                partial(self._send, key, write, units, deletes=wanted is None)
            )
        except ConditionFailedError as error:
            # A write that took effect without a response fails when it is tried again.
            is_ours = key in self.in_doubt
            doubt = self._doubt_about(key, seen)
            if _digest(error.item) != _digest(wanted):
                return Written("left", doubt)
            return Written("done" if is_ours else "agrees", doubt)
        except ItemRefusedError as error:
            self.refusals.append(f"{key.decode()}: {error.code}: {error.message}")
            return Written("left", self._doubt_about(key, seen))
        replaced = await self._what_was_replaced(key, response.item, wanted, seen)
        # Not before: what cannot be kept stays unknown.
        self.in_doubt.discard(key)
        return Written("done", replaced)

    def _doubt_about(self, key: bytes, seen: bytes | None) -> ReplacedKind | None:
        """What an earlier attempt without a response may have replaced."""
        if key not in self.in_doubt:
            return None
        self.in_doubt.discard(key)
        # Nothing is replaced by a put that asks for nothing to be there.
        return None if seen is None else "unseen"

    async def _what_was_replaced(
        self, key: bytes, replaced: bytes | None, wanted: bytes | None, seen: bytes | None
    ) -> ReplacedKind | None:
        if replaced is None:
            return None if seen is None else "unseen"
        if _digest(replaced) in (_digest(seen), _digest(wanted)):
            return None
        how = "deleted" if wanted is None else "overwrote"
        await self._keep(key, replaced, f"a repair {how} it, which had not seen it as it was")
        self.overwritten.append(key.decode("utf-8", "replace"))
        return "overwritten"

    async def _send(
        self, key: bytes, write: Callable[[], Awaitable[Replaced]], units: float, *, deletes: bool
    ) -> Replaced:
        operation = "DeleteItem" if deletes else "PutItem"
        return await self._call.send(operation, partial(self._attempt, key, write), units)

    async def _attempt(self, key: bytes, write: Callable[[], Awaitable[Replaced]]) -> Replaced:
        """Sends it. What is certain not to have taken effect leaves no doubt that was not there."""
        was_in_doubt = key in self.in_doubt
        self.in_doubt.add(key)
        try:
            return await write()
        except (ThrottledError, ConditionFailedError, ItemRefusedError):
            if not was_in_doubt:
                self.in_doubt.discard(key)
            raise


def _digest(item: bytes | None) -> bytes | None:
    return None if item is None else digest_of(item)
