"""The ways back of a move's tables, as the switch has them armed, kept, and taken over again."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dynaferry.follow.switched_table import SwitchedTable

if TYPE_CHECKING:
    from dynaferry.follow.target_capture import TargetCapture


class WaysBack:
    """The captures of a move's targets; none where it was begun without a way back."""

    def __init__(self, tables: Sequence[SwitchedTable]) -> None:
        self._tables = tables
        self.captures: list[TargetCapture] = [
            table.way_back for table in tables if table.way_back is not None
        ]

    @property
    def is_wanted(self) -> bool:
        """Whether every table has one."""
        return len(self.captures) == len(self._tables)

    async def begin(self, *, has_returned: bool) -> None:
        """Before anything is applied to the targets. Where a move follows again behind a way back,
        what the targets show of the time before is taken first: else ours would be among it.
        """
        for capture in self.captures:
            if has_returned and not capture.spool.passes_over:
                capture.begin_to_catch_up()
            else:
                await capture.arm()
        for table in self._tables:
            table.hold(False)

    async def take_over(self) -> None:
        """What was written to the targets behind a return is read again from the sources, once all
        of it was seen.
        """
        for table in self._tables:
            if table.way_back is not None and table.way_back.has_caught_up:
                await table.take_over_target()
                table.hold(False)

    async def keep(self) -> None:
        """Keeps all that is read from now on, durably."""
        for capture in self.captures:
            await capture.keep()

    async def pass_over(self) -> None:
        """Keeps nothing, and forgets what was kept: it was no switch."""
        for capture in self.captures:
            await capture.pass_over()
