"""The bottleneck of a copy, and the one call that would raise it. Pure.

A call is written out as it would be typed, and never made: what it raises is billed, and somebody
else's decision.
"""

import json
import math
import shlex

from msgspec import Struct

from dynaferry import limits
from dynaferry.dynamodb.tables.description import TableDescription, Throughput
from dynaferry.observe.formatting import count, duration
from dynaferry.preflight.estimate import Estimate, ExpectedRate, PaceKind
from dynaferry.shared.arn import arn_region

# What is over soon needs no advice.
LEAST_ADVISED_SECONDS = 60.0
WANTED_SECONDS = 3600.0
_WARM_COST = "billed once it is raised, by a price that is not known here; it never decreases"


_SHORT: dict[PaceKind, str] = {
    "provisioned": "{where} capacity",
    "warm": "{where} throughput",
    "new": "{where} throughput",
    "on-demand limit": "{where} limit",
    "given": "your cap",
    "segments": "segments",
}


class Advice(Struct, frozen=True, kw_only=True):
    """The slowest place and how long the copy takes for it; `call` raises it, for `cost`."""

    bottleneck: str
    seconds: float
    call: str | None
    cost: str | None

    @property
    def words(self) -> str:
        """All of it in one line."""
        took = "no end" if math.isinf(self.seconds) else duration(self.seconds)
        line = f"bottleneck: {self.bottleneck} ({took})"
        if self.call is None:
            return line
        return f"{line}; to raise it: {self.call} ({self.cost})"


def advise(
    estimate: Estimate, source: TableDescription, target: TableDescription | None
) -> Advice | None:
    """The advice for one table; None where the copy is over soon. A target may be yet to be made.

    A call names its table by the ARN: a person with the right to make it types it, with
    credentials of their own.
    """
    if estimate.seconds < LEAST_ADVISED_SECONDS:
        return None
    reads = estimate.read_pace.seconds > estimate.write_pace.seconds
    pace = estimate.read_pace if reads else estimate.write_pace
    table = source if reads else target
    call, cost = _raise(pace, table, reads=reads)
    return Advice(
        bottleneck=f"{pace.reason}, {per_second(pace)} {'RCU' if reads else 'WCU'}/s",
        seconds=pace.seconds,
        call=call,
        cost=cost,
    )


def short_bottleneck(estimate: Estimate) -> str:
    """The bottleneck in a word or three, for a column of a table."""
    pace = estimate.bottleneck
    where = "source" if pace is estimate.read_pace else "target"
    if pace.index is not None:
        where = f"index {pace.index}"
    return _SHORT[pace.kind].format(where=where)


def per_second(pace: ExpectedRate) -> str:
    """A rate for people: half a unit is not 0."""
    rate = pace.units_per_second
    return f"{rate:g}" if rate < 10 else count(rate)


def _raise(
    pace: ExpectedRate, table: TableDescription | None, *, reads: bool
) -> tuple[str | None, str | None]:
    if pace.kind == "given":
        flag = "--max-read-units" if reads else "--max-write-units"
        return f"dynaferry set RUN {flag} N while it runs", "your own cap"
    if pace.kind == "segments":
        return "dynaferry copy --restart with a larger --segments", "it starts over"
    if table is None:
        return _raise_at_its_creation(pace)
    if pace.kind == "on-demand limit":
        field = "MaxReadRequestUnits" if reads else "MaxWriteRequestUnits"
        return _call(table, pace.index, "OnDemandThroughput", {field: -1}), (
            "it takes the limit away; only what is used is billed"
        )
    wanted = _wanted(pace)
    if pace.kind == "provisioned":
        now = _provisioned(table, pace.index)
        before = now.read_units if reads else now.write_units
        wanted = round(wanted * before / pace.units_per_second) if pace.units_per_second else wanted
        units = {"ReadCapacityUnits": now.read_units, "WriteCapacityUnits": now.write_units}
        units["ReadCapacityUnits" if reads else "WriteCapacityUnits"] = wanted
        price = limits.PRICE_PER_READ_UNIT_HOUR if reads else limits.PRICE_PER_WRITE_UNIT_HOUR
        more = wanted - before
        cost = f"about ${more * price:,.2f} more an hour, {limits.HOURLY_PRICES_FOR}"
        return _call(table, pace.index, "ProvisionedThroughput", units), cost
    warm = {"ReadUnitsPerSecond" if reads else "WriteUnitsPerSecond": wanted}
    return _call(table, pace.index, "WarmThroughput", warm), _WARM_COST


def _raise_at_its_creation(pace: ExpectedRate) -> tuple[str | None, str | None]:
    """What is yet to be made has no ARN, and under its name may be somebody else's."""
    if pace.kind in ("new", "warm"):
        return f"dynaferry copy --warm-target {_wanted(pace)}", _WARM_COST
    return None, None


def _wanted(pace: ExpectedRate) -> int:
    """Twice of what there is, or what makes it an hour, within the default quota."""
    for_an_hour = math.ceil(pace.units / WANTED_SECONDS / 1000) * 1000
    most = max(limits.TABLE_WRITE_UNITS_QUOTA, round(pace.units_per_second))
    return max(1, min(most, max(2 * round(pace.units_per_second), for_an_hour)))


def _provisioned(table: TableDescription, index: str | None) -> Throughput:
    of_index = {each.name: each.provisioned for each in table.gsis}
    return (table.provisioned if index is None else of_index.get(index)) or Throughput(1, 1)


_THROUGHPUT_OPTIONS = {
    "OnDemandThroughput": "--on-demand-throughput",
    "ProvisionedThroughput": "--provisioned-throughput",
    "WarmThroughput": "--warm-throughput",
}


def _call(table: TableDescription, index: str | None, field: str, units: dict[str, int]) -> str:
    words = ["aws", "dynamodb", "update-table", "--table-name", table.called]
    region = arn_region(table.arn)
    if region is not None:
        words += ["--region", region]
    if index is None:
        pairs = ",".join(f"{name}={value}" for name, value in units.items())
        words += [_THROUGHPUT_OPTIONS[field], pairs]
    else:
        update = [{"Update": {"IndexName": index, field: units}}]
        words += ["--global-secondary-index-updates", json.dumps(update, separators=(",", ":"))]
    return shlex.join(words)
