"""Many tables side by side: what is told of them does not depend on whose answer came first."""

from collections.abc import Awaitable, Callable

import anyio
import pytest

from benchmarks.virtual_time import now, run_virtually
from dynaferry.errors import (
    AccessDeniedError,
    DynaferryError,
    PreflightError,
    UnavailableError,
)
from dynaferry.preflight.side_by_side import TABLES_AT_ONCE, all_done, for_each_table
from dynaferry.shared.problems import all_of

LOOK_SECONDS = 0.5


def looked(
    tables: int, look: Callable[[int], Awaitable[int]], *, all_problems: bool = False
) -> tuple[list[int], list[str], float]:
    """What came of it, what was said meanwhile, and how long it took."""

    async def main() -> tuple[list[int], list[str], float]:
        said: list[str] = []
        seen = await for_each_table(
            range(tables), look, say=said.append, done="looked at", all_problems=all_problems
        )
        return seen, said, now()

    return run_virtually(main())


async def square(table: int) -> int:
    await anyio.sleep(LOOK_SECONDS)
    return table * table


def test_many_are_inspected_side_by_side_and_come_in_their_order() -> None:
    seen, _, seconds = looked(150, square)
    assert seen == [table * table for table in range(150)]
    assert seconds < LOOK_SECONDS * 150 / TABLES_AT_ONCE * 1.1


def test_there_is_a_word_soon_and_then_every_few_seconds() -> None:
    _, said, _ = looked(150, square)
    assert said == ["24 of 150 tables looked at", "104 of 150 tables looked at"]


def test_what_is_soon_over_needs_no_word() -> None:
    assert looked(8, square)[1] == []
    assert looked(0, square)[0] == []


def test_one_table_needs_no_count() -> None:
    async def slow(table: int) -> int:
        await anyio.sleep(60.0)
        return table

    assert looked(1, slow)[1] == []


@pytest.mark.parametrize("slow_one", [2, 4])
def test_the_error_is_that_of_the_first_table_whoever_responds_first(slow_one: int) -> None:
    begun: list[int] = []

    async def look(table: int) -> int:
        begun.append(table)
        await anyio.sleep(9.0 if table == slow_one else 1.0)
        if table == 2:
            raise PreflightError("table 2")
        if table == 4:
            raise AccessDeniedError("table 4")
        return table

    with pytest.raises(DynaferryError, match="table 2"):
        looked(150, look)
    assert len(begun) < 2 * TABLES_AT_ONCE, "and hardly anything is begun after it"


@pytest.mark.parametrize("slow_one", [2, 4])
def test_an_inspection_reports_the_problems_of_all_tables_whoever_responds_first(
    slow_one: int,
) -> None:
    begun: list[int] = []

    async def look(table: int) -> int:
        begun.append(table)
        await anyio.sleep(9.0 if table == slow_one else 1.0)
        if table == 2:
            raise all_of([PreflightError("table 2, first"), PreflightError("table 2, second")])
        if table == 4:
            raise AccessDeniedError("table 4")
        return table

    with pytest.raises(PreflightError) as caught:
        looked(20, look, all_problems=True)
    assert (
        caught.value.message == "3 problems: (1) table 2, first; (2) table 2, second; (3) table 4"
    )
    assert sorted(begun) == list(range(20))


def test_a_service_that_does_not_respond_ends_an_inspection_and_is_the_reason() -> None:
    begun: list[int] = []

    async def look(table: int) -> int:
        begun.append(table)
        await anyio.sleep(1.0)
        if table == 2:
            raise PreflightError("table 2")
        raise UnavailableError("the service is gone")

    with pytest.raises(UnavailableError):
        looked(150, look, all_problems=True)
    assert len(begun) <= 2 * TABLES_AT_ONCE


def test_steps_go_on_side_by_side_whatever_one_of_them_raises() -> None:
    done: list[str] = []

    async def fails() -> None:
        await anyio.sleep(0.1)
        raise PreflightError("first")

    async def fails_sooner() -> None:
        raise PreflightError("second")

    async def succeeds() -> None:
        await anyio.sleep(0.2)
        done.append("third")

    with pytest.raises(PreflightError, match=r"^2 problems: \(1\) first; \(2\) second$"):
        run_virtually(all_done(fails, fails_sooner, succeeds))
    assert done == ["third"]


def test_those_behind_an_error_are_not_waited_for() -> None:
    async def look(table: int) -> int:
        if table == 1:
            raise PreflightError("table 1")
        await anyio.sleep(2.0 if table == 0 else 1e6)
        return table

    async def main() -> float:
        with pytest.raises(PreflightError):
            await for_each_table(range(5), look, say=lambda _: None, done="looked at")
        return now()

    assert run_virtually(main()) == pytest.approx(2.0, abs=0.1)
