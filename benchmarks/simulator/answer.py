"""What the simulator sends back."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from benchmarks.simulator.refusals import Refusal


class Answer(Struct, frozen=True):
    """What to send, and how many seconds after the request came; lost, the connection is closed.

    Checked, it goes with its checksum; packed, `body` is gzip.
    """

    status: int
    body: bytes
    latency_seconds: float = 0.0
    is_lost: bool = False
    is_checked: bool = True
    is_packed: bool = False


def refused(refusal: Refusal, latency_seconds: float = 0.0) -> Answer:
    """The answer that says no."""
    return Answer(refusal.status, refusal.body(), latency_seconds)


def consumed(
    detail: str, table: str, table_units: float, index_units: Mapping[str, float]
) -> dict[str, Any]:
    """TOTAL is the sum with the indexes, INDEXES says the parts as well [M:ConsumedCapacity]."""
    told: dict[str, Any] = {
        "TableName": table,
        "CapacityUnits": table_units + sum(index_units.values()),
    }
    if detail == "INDEXES":
        told["Table"] = {"CapacityUnits": table_units}
        told["GlobalSecondaryIndexes"] = {
            name: {"CapacityUnits": units} for name, units in index_units.items()
        }
    return told
