"""A simulated replica, described and written to as the documentation says of one."""

import pytest

from benchmarks.simulator import GlobalTable
from benchmarks.simulator.global_table import LEGACY
from dynaferry.errors import RequestRefusedError, TableNotFoundError
from dynaferry.ports import ChangeRecord
from tests.simulator.streamed import StreamedTable, an_item

OFF = {"StreamEnabled": False}


def replica(version: str) -> StreamedTable:
    settings = {"regions": ("eu-west-1",), "version": version, "own_write_seconds": 0.5}
    return StreamedTable(global_table=GlobalTable(**settings))  # type: ignore[arg-type]


async def records_of(table: StreamedTable) -> list[ChangeRecord]:
    reader = table.reader()
    (shard,) = (await reader.list_shards()).shards
    return list((await reader.read_changes(await reader.iterator(shard.id, None))).changes)


async def test_a_put_of_the_old_version_is_followed_by_one_of_the_services_own() -> None:
    table = replica(LEGACY)
    await table.put("a", 7)
    assert len(await records_of(table)) == 1
    table.now = 1.0
    plain, with_own = await records_of(table)
    assert plain.image == an_item("a", 7)
    item = (await table.ask("Scan", TableName="orders"))["Items"][0]
    assert item["version"] == {"N": "7"}
    assert item["aws:rep:updateregion"] == {"S": "us-east-1"}
    assert with_own.key == plain.key
    table.now = 9.0
    assert len(await records_of(table)) == 2
    await table.delete("a")
    table.now = 10.0
    assert len(await records_of(table)) == 3


async def test_the_newer_version_writes_nothing_of_its_own_and_names_its_replicas() -> None:
    table = replica("2019.11.21")
    await table.put("a")
    table.now = 9.0
    assert len(await records_of(table)) == 1
    described = (await table.ask("DescribeTable", TableName="orders"))["Table"]
    assert described["GlobalTableVersion"] == "2019.11.21"
    assert [each["RegionName"] for each in described["Replicas"]] == ["eu-west-1"]
    with pytest.raises(TableNotFoundError, match="there is no such table"):
        await table.ask("DescribeGlobalTable", GlobalTableName="orders")


async def test_only_its_own_call_describes_the_old_version() -> None:
    table = replica(LEGACY)
    described = (await table.ask("DescribeTable", TableName="orders"))["Table"]
    assert not {"GlobalTableVersion", "Replicas"} & described.keys()
    told = (await table.ask("DescribeGlobalTable", GlobalTableName="orders"))[
        "GlobalTableDescription"
    ]
    regions = [each["RegionName"] for each in told["ReplicationGroup"]]
    assert regions == ["us-east-1", "eu-west-1"]


@pytest.mark.parametrize("version", [LEGACY, "2019.11.21"])
async def test_the_stream_of_a_replica_cannot_be_disabled(version: str) -> None:
    table = replica(version)
    with pytest.raises(RequestRefusedError, match="not allowed for a Global Table replica"):
        await table.ask("UpdateTable", TableName="orders", StreamSpecification=OFF)
