"""The history of a run, in a bounded number of points.

Points hold totals, not rates: so that when there are too many, every second one can be dropped and
the rates between the remaining ones are still true.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from msgspec import Struct

from dynaferry.observe.stats import RunStats, TableStats

MOST_POINTS = 600


class Point(Struct, frozen=True, array_like=True):
    """The totals of all tables at one moment, and the rate limits that held then.

    `seconds` counts from when the run was begun. A limit is None where nothing limits.
    """

    seconds: float
    items: int
    read_units: float
    write_units: float
    throttled_scans: int
    throttled_batch_writes: int
    read_limit: float | None
    write_limit: float | None


Kept = TypeVar("Kept")


def _later(_: Kept, later: Kept) -> Kept:
    return later


class History(Generic[Kept]):
    """The points of a run, evenly apart; the distance doubles when there are too many.

    A point that is dropped is `merged` into the next one that stays; totals need no merging.
    """

    def __init__(
        self, most: int = MOST_POINTS, merged: Callable[[Kept, Kept], Kept] = _later
    ) -> None:
        self._most = most
        self._merged = merged
        self._every = 1
        self._seen = 0
        self._points: list[Kept] = []
        self._newest: Kept | None = None

    def add(self, point: Kept) -> None:
        """Adds the next point; points come at even intervals."""
        if self._newest is not None:
            point = self._merged(self._newest, point)
        self._newest = point
        if self._seen % self._every == 0:
            self._points.append(point)
            self._newest = None
            if len(self._points) > self._most:
                self._thin_out()
        self._seen += 1

    def _thin_out(self) -> None:
        dropped, kept = self._points[1::2], self._points[2::2]
        merged = [self._merged(*pair) for pair in zip(dropped, kept, strict=False)]
        if len(dropped) > len(kept):
            self._newest = dropped[-1]
        self._points = [self._points[0], *merged]
        self._every *= 2

    def __iter__(self) -> Iterator[Kept]:
        """The points that are kept, and the newest one in any case."""
        yield from self._points
        if self._newest is not None:
            yield self._newest


def point_of(stats: RunStats, now: float) -> Point:
    """The point of a run at this moment, `seconds` after it began."""
    return _point(stats.tables, stats, now)


def table_point(stats: RunStats, table: TableStats, now: float) -> Point:
    """The same of one table; a cap that the tables of the run share holds for it as well."""
    return _point([table], stats, now)


def _point(tables: list[TableStats], stats: RunStats, now: float) -> Point:
    return Point(
        seconds=round(now, 2),
        items=sum(table.items_done for table in tables),
        read_units=round(sum(table.read_units for table in tables), 1),
        write_units=round(sum(table.write_units for table in tables), 1),
        throttled_scans=sum(table.throttled("Scan") for table in tables),
        throttled_batch_writes=sum(table.throttled("BatchWriteItem") for table in tables),
        read_limit=_together(
            (table.read_rate_limit_units for table in _running(tables)), stats.read_cap_units
        ),
        write_limit=_together(
            (table.write_rate_limit_units for table in _running(tables)), stats.write_cap_units
        ),
    )


def _running(tables: list[TableStats]) -> list[TableStats]:
    return [table for table in tables if table.state == "running"]


def _together(limits: Iterable[float | None], cap: float | None) -> float | None:
    """The limits of tables that run side by side, under the cap that they share.

    None as soon as one of them has no limit, for then it has no cap either.
    """
    total, any_limit = 0.0, False
    for limit in limits:
        if limit is None:
            return None
        total, any_limit = total + limit, True
    if not any_limit:
        return None
    return round(total if cap is None else min(total, cap), 1)
