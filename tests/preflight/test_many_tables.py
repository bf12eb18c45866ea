"""Many tables, each call of whose service takes its time."""

from typing import Any

import anyio

from benchmarks.virtual_time import now, run_virtually
from dynaferry.dynamodb.account.session import Side
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.preflight.inspection import preflight
from tests.worlds.described import ScriptedSession, described_on_the_wire, scripted

CALL_SECONDS = 0.02
TABLES = 150


class SlowClient:
    """A side that has every table, empty, and takes its time for each call."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self.calls: list[tuple[str, str]] = []

    def __getattr__(self, method: str) -> Any:
        async def call(TableName: str, **_: Any) -> dict[str, Any]:  # noqa: N803  # the service's
            name = TableName.rpartition("/")[2]
            self.calls.append((method, name))
            await anyio.sleep(CALL_SECONDS)
            if method == "describe_table":
                return described_on_the_wire(name, TableId=f"{name} of the {self._side}")
            return {}

        return call


def slow(side: Side) -> ScriptedSession:
    session = scripted(side)
    session.client = SlowClient(side)
    return session


def test_very_many_tables_are_inspected_in_seconds_and_each_is_described_once() -> None:
    source, target = slow("source"), slow("target")
    names = [f"table-{number}" for number in range(TABLES)]
    plan = CopyPlan(tables=tuple(TablePlan(name) for name in names))

    async def main() -> float:
        seen = await preflight(plan, source, target, resuming=False, dry_run=True)
        assert [table.table.source for table in seen] == names
        return now()

    # Of four calls in turn, and eight tables at once, it would be 1.5 s.
    assert run_virtually(main()) < 1.0
    for session in (source, target):
        described = [name for method, name in session.client.calls if method == "describe_table"]
        assert sorted(described) == sorted(names)
