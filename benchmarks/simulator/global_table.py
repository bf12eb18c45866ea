"""What being a replica adds to a table: what is told of it, and what version 2017.11.29 writes.

Each put of that version is followed by a write of the service's own, which sets three attributes,
and leaves a second record in the stream. Where the other replicas are nothing is simulated: what
they replicate to here somebody has to write.
"""

from typing import Any

import msgspec

from benchmarks.simulator.answer import Answer
from benchmarks.simulator.refusals import Refusal, RefusedError, invalid
from benchmarks.simulator.settings import GlobalTable, Table

LEGACY = "2017.11.29"
_OWN = (
    b',"aws:rep:deleting":{"BOOL":false},"aws:rep:updateregion":{"S":"%b"},'
    b'"aws:rep:updatetime":{"N":"%.6f"}}'
)
_MARK = b'"aws:rep:updatetime"'


def described(settings: GlobalTable) -> dict[str, Any]:
    """What DescribeTable adds: nothing for the old version."""
    if settings.version == LEGACY:
        return {}
    return {
        "GlobalTableVersion": settings.version,
        "Replicas": [
            {"RegionName": region, "ReplicaStatus": "ACTIVE"} for region in settings.regions
        ],
    }


def describe_global_table(table: Table, region: str, account: str) -> Answer:
    """The answer to DescribeGlobalTable.

    :raises RefusedError: it is no global table of the old version
    """
    settings = table.global_table
    if settings is None or settings.version != LEGACY:
        raise RefusedError(Refusal(400, "GlobalTableNotFoundException", "Global table not found"))
    group = [{"RegionName": each} for each in (region, *settings.regions)]
    told = {
        "GlobalTableName": table.name,
        "GlobalTableArn": f"arn:aws:dynamodb::{account}:global-table/{table.name}",
        "GlobalTableStatus": "ACTIVE",
        "ReplicationGroup": group,
    }
    return Answer(200, msgspec.json.encode({"GlobalTableDescription": told}))


def check_may_be_disabled(table: Table) -> None:
    """Refuses what would end the replication, in the service's words."""
    if table.global_table is not None:
        raise invalid("Disabling Stream is not allowed for a Global Table replica.")


def with_own_attributes(body: bytes, region: str, at: float) -> bytes | None:
    """The item as the service leaves it; None where it has them already."""
    if _MARK in body:
        return None
    return body.rstrip()[:-1] + _OWN % (region.encode(), at)
