"""From when on what comes to a source is late, and when it is not any more."""

from collections.abc import Callable
from typing import Any, cast

from dynaferry.follow.late_watch import OWN_WRITES_SECONDS, LateWatch

NOW = 1_800_000_000.0


class Table:
    def __init__(self) -> None:
        self.told: list[str] = []

    async def begin_late_writes(self, *, takes_waiting: bool) -> None:
        self.told.append("all is late" if takes_waiting else "what comes is late")

    async def end_late_writes(self, *, forget: bool) -> None:
        self.told.append("forgotten" if forget else "not late")

    async def late_writes(self) -> int:
        return 0


def watched(clock: Callable[[], float]) -> tuple[LateWatch, Table]:
    table = Table()
    return LateWatch(cast("Any", [table]), lambda _: None, clock), table


async def test_what_comes_is_late_again_once_the_stream_has_shown_what_we_wrote() -> None:
    now = NOW
    watch, table = watched(lambda: now)
    await watch.turn(False, forget=False)
    watch.turn_on_soon()
    await watch.tell()
    now += OWN_WRITES_SECONDS
    await watch.tell()
    await watch.tell()
    assert table.told == ["not late", "what comes is late"]


async def test_a_second_cut_back_ends_what_an_earlier_one_was_to_begin() -> None:
    """The first was killed. Behind the return the source is in use: nothing there is late."""
    now = NOW
    watch, table = watched(lambda: now)
    await watch.turn(False, forget=False)
    watch.turn_on_soon()
    await watch.turn(False, forget=False)
    now += 10 * OWN_WRITES_SECONDS
    await watch.tell("target")
    assert table.told == ["not late"]
