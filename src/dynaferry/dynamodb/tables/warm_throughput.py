"""Asks for warm throughput: what a table and its indexes take at once, without growing into it.

It is asked for by UpdateTable, of the table and of each global index apart, takes effect some time
later, is billed where it is raised by hand, and never decreases [DG:warm-throughput].
"""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from msgspec import Struct
from msgspec.structs import replace

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.tables.create import call_when_allowed, is_active
from dynaferry.dynamodb.tables.describe import describe_table
from dynaferry.dynamodb.tables.description import TableDescription, Throughput
from dynaferry.errors import TableNotFoundError
from dynaferry.limits import NEW_ON_DEMAND_READ_UNITS, NEW_ON_DEMAND_WRITE_UNITS

WARM_UP_POLL_SECONDS = 5.0
SAY_EVERY_POLLS = 12
# What a new on-demand table or index has, where the service does not say [DG:warm-throughput].
COLD = Throughput(NEW_ON_DEMAND_READ_UNITS, NEW_ON_DEMAND_WRITE_UNITS)


class Raise(Struct, frozen=True):
    """One call: the table (`index` None) or one of its global indexes, from what to what."""

    index: str | None
    before: Throughput
    write_units: int

    @property
    def what(self) -> str:
        """The place in words."""
        return "the table" if self.index is None else f"the index {self.index}"

    def parameters(self) -> dict[str, Any]:
        """The parameters of its UpdateTable, without the table's name."""
        warm = {
            "ReadUnitsPerSecond": self.before.read_units,
            "WriteUnitsPerSecond": self.write_units,
        }
        if self.index is None:
            return {"WarmThroughput": warm}
        update = {"Update": {"IndexName": self.index, "WarmThroughput": warm}}
        return {"GlobalSecondaryIndexUpdates": [update]}


def raises_for(target: TableDescription, write_units: int) -> tuple[Raise, ...]:
    """What has to be asked for, so that the table and every global index take `write_units`."""
    places = [(None, target.warm), *((index.name, index.warm) for index in target.gsis)]
    return tuple(
        Raise(name, warm or COLD, write_units)
        for name, warm in places
        if (warm or COLD).write_units < write_units
    )


def as_warmed(target: TableDescription, write_units: int) -> TableDescription:
    """What `target` will be once it is warm for `write_units`."""
    return replace(
        target,
        warm=_warmed(target.warm, write_units),
        indexes=tuple(
            replace(index, warm=_warmed(index.warm, write_units)) if index.kind == "GSI" else index
            for index in target.indexes
        ),
    )


def _warmed(warm: Throughput | None, write_units: int) -> Throughput:
    before = warm or COLD
    return Throughput(before.read_units, max(before.write_units, write_units))


async def warm_up(
    session: AccountSession,
    target: TableDescription,
    write_units: int,
    *,
    say: Callable[[str], None],
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> TableDescription:
    """Asks for one place after the other, since a table takes one change at a time, and waits.

    Cancelled, it leaves the table to the service, which goes on with what was asked for.

    :raises AccessDeniedError: the role lacks dynamodb:UpdateTable
    :raises RequestRefusedError: the service will not, for its quota or by its state
    """
    seen = await _until_ready(session, target, say, sleep)
    for wanted in raises_for(seen, write_units):
        say(
            f"{target.called}: asking for {write_units:,} warm write units a second of "
            f"{wanted.what} (it has {wanted.before.write_units:,}); this is billed and never "
            "decreases"
        )
        await call_when_allowed(
            session,
            "UpdateTable",
            target.called,
            say=say,
            sleep=sleep,
            TableName=target.called,
            **wanted.parameters(),
        )
        seen = await _until_ready(session, seen, say, sleep)
    return seen


async def _until_ready(
    session: AccountSession,
    target: TableDescription,
    say: Callable[[str], None],
    sleep: Callable[[float], Awaitable[None]],
) -> TableDescription:
    polls = 0
    while True:
        seen = await _describe_if_found(session, target, polls)
        if seen is not None and is_active(seen) and seen.is_warmed_up:
            return seen
        if polls % SAY_EVERY_POLLS == 0:
            say(f"{target.called}: waiting until its warm throughput is ready; Ctrl-C is safe")
        polls += 1
        await sleep(WARM_UP_POLL_SECONDS)


async def _describe_if_found(
    session: AccountSession, target: TableDescription, polls: int
) -> TableDescription | None:
    """The table, or None for a while where one that was just made is not found everywhere yet."""
    try:
        return await describe_table(session, target.called)
    except TableNotFoundError:
        if polls >= SAY_EVERY_POLLS:
            raise
        return None
