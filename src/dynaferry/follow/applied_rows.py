"""What the target holds, until the spool knows: taken out of it many rows at a time.

A row that leaves touches a page of the index somewhere: the more leave together, the fewer pages
are written for each. So while much waits, rows are held back for a moment, and are not handed out
again meanwhile. Whoever follows closely takes out at once, and knows at any time how far it is.
After a crash what was held back is applied once more: the newest state of each key, as after any.
"""

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

import anyio

from dynaferry.follow.spool import Spool
from dynaferry.follow.spool_connection import COPYING_PAGES, FOLLOWING_PAGES
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_records import Arrivals, Waiting, arrivals_of

MOST_ROWS: Final = 60_000
MOST_SECONDS: Final = 2.0


class Held(NamedTuple):
    """The rows that the target holds, as of one moment; none is behind the number `last`."""

    leaving: Arrivals
    held: Arrivals
    last: int

    def without(self, rows: Sequence[Waiting]) -> Sequence[Waiting]:
        """Those of the rows, in order, of which the target does not hold just this state."""
        if not rows or rows[0].number > self.last:
            return rows
        held, leaving = self.held.get, self.leaving.get
        return [
            row
            for row in rows
            if held(row.number) != row.arrival and leaving(row.number) != row.arrival
        ]


class AppliedRows:
    """The rows of one spool that the target holds. `is_behind` says that much waits."""

    def __init__(self, spool: Spool, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._spool = spool
        self._clock = clock
        self._held: Arrivals = {}
        self._leaving: Arrivals = {}
        self._last = 0
        self._sent_at = math.inf
        self._due_at = 0.0
        self._turn = anyio.Lock()
        self.is_behind = False

    @property
    def is_empty(self) -> bool:
        """Whether the spool knows of everything."""
        return not (self._held or self._leaving)

    def held(self) -> Held:
        """What is held now: to be asked before rows are read that may be among them."""
        return Held(self._leaving, self._held, self._last)

    def add(self, rows: Sequence[Waiting], sent_at: float) -> None:
        """The target holds these; they were sent at `sent_at` or later."""
        self._sent_at = min(self._sent_at, sent_at)
        self._held.update(arrivals_of(rows))
        self._last = max(self._last, rows[-1].number)

    async def lags_behind(self, is_behind: bool) -> None:
        """Tells whether much waits; once no more, everything is taken out."""
        if is_behind != self.is_behind:
            self.is_behind = is_behind
            # A long log saves writing the same pages of the index again and again.
            pages = COPYING_PAGES if is_behind else FOLLOWING_PAGES
            await self._spool.run(partial(SpoolFile.keep_log_below, pages=pages))
        if not is_behind and self._held:
            await self.take_out()

    async def take_out_if_due(self) -> None:
        """Takes out what is held, unless more may be waited for."""
        is_early = self._clock() < self._due_at and len(self._held) < MOST_ROWS
        if not (self.is_behind and is_early):
            await self.take_out()

    async def take_out(self) -> None:
        """Takes out of the spool what is held."""
        async with self._turn:
            sent_at = self._sent_at
            if not self._held:
                return
            self._leaving, self._held = self._held, {}
            self._sent_at = math.inf
            await self._spool.insist(
                partial(SpoolFile.applied, arrivals=self._leaving, sent_at=sent_at)
            )
            self._leaving = {}
            self._due_at = self._clock() + MOST_SECONDS
