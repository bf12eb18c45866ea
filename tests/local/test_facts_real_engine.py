"""What a move assumes of the service, measured at the service's own engine."""

from pathlib import Path

import anyio.to_thread

from dynaferry.bench.facts import verdicts
from dynaferry.bench.facts.run import FactsBench
from dynaferry.bench.facts.settings import facts_plan
from dynaferry.dynamodb.environment.settings import THE_SERVICE_ITSELF, whose_endpoint
from dynaferry.state.facts_file import CLOSED_SHARDS, closed_proof
from dynaferry.stop import StopSignal
from tests.local.dynamodb_local import LocalWorld


async def test_the_engine_holds_every_write_in_a_closed_shard_and_orders_two_tables_alike(
    local_world: LocalWorld, tmp_path: Path
) -> None:
    before = await local_world.source_tables.call("ListTables", {})
    plan = facts_plan(local_world.source, seconds=1.0, state_dir=tmp_path, patience_seconds=10.0)
    summary, error = await FactsBench(plan, stop=StopSignal(), say=lambda _: None).run()
    assert error is None
    assert (summary.status, summary.scratch_dropped) == ("complete", True)
    assert await local_world.source_tables.call("ListTables", {}) == before
    assert summary.facts is not None
    found = {fact.name: fact.verdict for fact in summary.facts.facts}
    assert found == {
        CLOSED_SHARDS: "holds",
        verdicts.DELAY: "holds",
        verdicts.POSITIONS: "holds",
        verdicts.SHARD_READS: "holds",
        verdicts.CHECKSUMS: "holds",
        verdicts.ORDER: "holds",
        verdicts.PACKING: "fails",
        verdicts.NEW_TABLE: "holds",
        verdicts.REFUSED: "not-measured",
    }
    # Of the engine on this machine alone: it says nothing of the service.
    arn = "arn:aws:dynamodb:ddblocal:000000000000:table/orders"
    for service, is_proof in ((whose_endpoint(local_world.url), True), (THE_SERVICE_ITSELF, False)):
        proof = await anyio.to_thread.run_sync(closed_proof, tmp_path, arn, service)
        assert proof.is_proof is is_proof
