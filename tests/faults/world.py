"""A source and a target behind one faulty endpoint, and a plan that copies one into the other."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from dynaferry.plan.settings import Account, CopyPlan, TablePlan
from tests.faults.service import Service
from tests.faults.stored import StoredTable
from tests.faults.weather import Fault, Weather
from tests.worlds.endpoint import Decide, Endpoint, running_endpoint
from tests.worlds.table_client import KeyAttribute

RUN = "copy"
SOURCE, TARGET = "orders", "orders-copy"
ROLE = "arn:aws:iam::222222222222:role/ferry"
PATIENCE_SECONDS = 20.0


@dataclass(slots=True)
class World:
    """Both tables, what serves them, and what happens on the way."""

    source: StoredTable
    target: StoredTable
    service: Service
    weather: Weather
    url: str
    endpoint: Endpoint

    def plan(self, state_dir: Path, *, role: bool = False, **settings: object) -> CopyPlan:
        """The plan of the copy, with these settings."""
        here = Account(region="us-east-1", endpoint_url=self.url)
        plan = CopyPlan(
            tables=(TablePlan(SOURCE, TARGET),),
            source=here,
            target=replace(here, role_arn=ROLE) if role else here,
            sts_endpoint_url=self.url,
            state_dir=state_dir,
            run=RUN,
            segments=4,
            readers=2,
            writers=3,
            patience_seconds=PATIENCE_SECONDS,
        )
        return replace(plan, **settings)

    def create_target_again(self) -> None:
        """The target was dropped; here is an empty one of the same name."""
        old = self.target
        number = int(old.table_id.rpartition("-")[2]) + 1
        self.target = a_target(old.keys, f"target-{number}")
        self.service.tables[TARGET] = self.target


def a_target(keys: Sequence[KeyAttribute], table_id: str = "target-1") -> StoredTable:
    """An empty target."""
    return StoredTable(TARGET, keys, account="222222222222", table_id=table_id)


def some_items(count: int, *, filler: int = 40, seed: int = 0) -> list[bytes]:
    """Plain items with a key of text."""
    chance = random.Random(seed)
    return [
        b'{"pk":{"S":"order %d"},"note":{"S":"%b"}}' % (number, b"x" * chance.randrange(filler))
        for number in range(count)
    ]


@asynccontextmanager
async def faulty_world(
    items: Sequence[bytes],
    *,
    keys: Sequence[KeyAttribute] = (("pk", "S"),),
    page_items: int = 20,
    seed: int = 0,
    shares: Mapping[Fault, float] | None = None,
) -> AsyncIterator[World]:
    """Runs the endpoint with these items on the source; `shares` is how often each fault is met."""
    source = StoredTable(
        SOURCE, keys, account="111111111111", table_id="source-1", page_items=page_items
    )
    for item in items:
        source.put(item)
    target = a_target(keys)
    service = Service([source, target], seed=seed)
    weather = Weather(service, seed, shares or {})
    async with running_endpoint() as endpoint:
        endpoint.otherwise = Decide(weather.behaviour)
        yield World(source, target, service, weather, endpoint.url, endpoint)
