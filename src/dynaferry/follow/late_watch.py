"""The watch for late writes of a move's sources: from when on it is, and what is said of them."""

import math
from collections.abc import Callable, Sequence
from typing import Final

from dynaferry.follow.move_state import Side
from dynaferry.follow.switched_table import SwitchedTable
from dynaferry.run.lifecycle import Say

# A stream shows within this what we wrote to its table.
OWN_WRITES_SECONDS: Final = 10.0


class LateWatch:
    """Notes what comes to the sources as late, or does not."""

    def __init__(
        self, tables: Sequence[SwitchedTable], say: Say, clock: Callable[[], float]
    ) -> None:
        self._tables = tables
        self._say = say
        self._clock = clock
        self._is_on: bool | None = None  # as a process before may have left it
        self._again_at = math.inf
        self._told = 0

    async def take_up(self) -> None:
        """Behind a switch, as a process starts: goes on, or soon where a cut-back has ended it, as
        what the streams show next may be what that one wrote.
        """
        if any([await table.has_ended_late_writes() for table in self._tables]):
            self.turn_on_soon()
        else:
            await self.turn(True)

    async def turn(self, is_on: bool, *, forget: bool = True) -> None:
        """Notes what comes from now on as late, or does not; `forget` what no go has followed."""
        if not is_on:
            self._again_at = math.inf  # not by itself either, as a process before wanted it
        if is_on == self._is_on:
            return
        for table in self._tables:
            if is_on:
                await table.begin_late_writes(takes_waiting=self._again_at == math.inf)
            else:
                await table.end_late_writes(forget=forget)
        self._is_on, self._again_at = is_on, math.inf

    def turn_on_soon(self) -> None:
        """Once the sources' streams have shown what we wrote to them."""
        self._again_at = self._clock() + OWN_WRITES_SECONDS

    async def tell(self, left: Side = "source") -> None:
        """Behind a switch: says that there are more of them on the side that was `left`."""
        used = "target" if left == "source" else "source"
        if self._clock() >= self._again_at:
            await self.turn(True)
        late = sum([await table.late_writes() for table in self._tables])
        if late > self._told:
            self._told = late
            self._say(
                f"LATE WRITES: {late:,} keys of the {left} were written behind the switch, and are"
                f" not in the {used}; dynaferry late-writes list says which"
            )
