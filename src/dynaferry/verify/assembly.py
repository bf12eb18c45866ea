"""The assembly of one table's verification: the network edge of both sides behind its ports."""

import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec
from msgspec import Raw

from dynaferry.control.run_limits import RunCaps, TableCaps
from dynaferry.dynamodb.client import DynamoClient, open_client
from dynaferry.dynamodb.items.batch_get import BatchGetLookup
from dynaferry.dynamodb.items.canonical import canonical
from dynaferry.dynamodb.items.conditional_write import ConditionalWriter
from dynaferry.dynamodb.items.keys import KeyReader
from dynaferry.dynamodb.items.replication_attributes import (
    RepairerWithoutReplicationAttributes,
    lookup_of,
    pages_of,
)
from dynaferry.dynamodb.items.scan import ScanSource
from dynaferry.errors import CorruptAnswerError
from dynaferry.ports import ItemRepairer
from dynaferry.run.sides import Sides
from dynaferry.throttle.retry import Patience, RetryPolicy
from dynaferry.verify.certificate import iso_time
from dynaferry.verify.compare.conditional_writer import Keep, RepairWriter
from dynaferry.verify.compare.confirm import KEYS_AT_ONCE, READS_AT_ONCE, Confirmer
from dynaferry.verify.compare.join import Side
from dynaferry.verify.compare.repair import Repair
from dynaferry.verify.compare.side_reader import SideReader
from dynaferry.verify.compare.table_comparison import TableComparison
from dynaferry.verify.compare.written_since import WrittenSince
from dynaferry.verify.preflight import TablePair
from dynaferry.verify.settings import VerifyPlan
from dynaferry.verify.state.overwritten import OverwrittenItems
from dynaferry.verify.state.store import VerificationStore
from dynaferry.verify.stats import ComparisonStats


class VerifyCaps:
    """The caps given for the verification: the one on reads holds on each side by itself.

    Beside others who read the source, `source` are the caps that they share.
    """

    def __init__(self, plan: VerifyPlan, source: RunCaps | None = None) -> None:
        self.source = source or RunCaps(plan.copy)
        self.target = RunCaps(plan.copy)


class TableTools(NamedTuple):
    """The tools that verify and repair one table."""

    comparison: TableComparison
    confirmer: Confirmer
    repair: Repair


@asynccontextmanager
async def open_tools(
    plan: VerifyPlan,
    table: int,
    sides: Sides,
    pair: TablePair,
    *,
    total_segments: int,
    store: VerificationStore,
    stats: ComparisonStats,
    caps: VerifyCaps,
    rejected: Collection[bytes],
    written_since: WrittenSince | None = None,
) -> AsyncIterator[TableTools]:
    """Opens the data path to both sides of the table number `table`."""
    key_names = [key.name for key in pair.source.keys]
    key_of = key_reader(key_names)
    async with _opened(plan, sides, pair, caps) as (source, target):
        yield assemble(
            plan,
            table,
            source.reader(plan, pair, stats, key_of, total_segments),
            target.reader(plan, pair, stats, key_of, total_segments),
            target.repairer(pair, key_names),
            store=store,
            stats=stats,
            caps=caps,
            key_of=key_of,
            target_arn=pair.target.arn,
            rejected=rejected,
            written_since=written_since,
        )


class _OpenSide(NamedTuple):
    """One side of a table, whose data path is open."""

    side: Side
    called: str
    client: DynamoClient
    caps: TableCaps
    patience: Patience

    def reader(
        self,
        plan: VerifyPlan,
        pair: TablePair,
        stats: ComparisonStats,
        key_of: Callable[[bytes], bytes],
        total_segments: int,
    ) -> SideReader:
        scans = ScanSource(
            self.client,
            table=self.called,
            total_segments=total_segments,
            consistent_read=plan.scans_consistently,
            side=self.side,
        )
        lookup = BatchGetLookup(self.client, table=self.called, side=self.side)
        leaves_out = pair.has_replication_attributes
        return SideReader(
            pages_of(scans, leave_out=leaves_out),
            lookup_of(lookup, leave_out=leaves_out),
            stats,
            key_of=key_of,
            limiter=self.caps.read_limiter(),
            retry=RetryPolicy(self.side, self.patience),
            # A target that was just filled says 0, and should be as large as its source.
            table_bytes=max(pair.source.size_bytes, pair.target.size_bytes),
        )

    def repairer(self, pair: TablePair, key_names: list[str]) -> ItemRepairer:
        repairer = ConditionalWriter(self.client, table=self.called, keys=key_names)
        return (
            RepairerWithoutReplicationAttributes(repairer)
            if pair.has_replication_attributes
            else repairer
        )


@asynccontextmanager
async def _opened(
    plan: VerifyPlan, sides: Sides, pair: TablePair, caps: VerifyCaps
) -> AsyncIterator[tuple[_OpenSide, _OpenSide]]:
    reads, seconds = plan.copy.readers + READS_AT_ONCE, plan.copy.patience_seconds
    source_caps, target_caps = caps.source.of_table(pair.table), caps.target.of_table(pair.table)
    of_source, of_target = source_caps.patience(seconds), target_caps.patience(seconds)
    async with (
        open_client(
            sides.source,
            table=pair.source.called,
            endpoint=pair.source.endpoint,
            connections=reads,
            patience=of_source,
        ) as source,
        open_client(
            sides.target,
            table=pair.target.called,
            endpoint=pair.target.endpoint,
            connections=reads + KEYS_AT_ONCE,
            patience=of_target,
        ) as target,
    ):
        yield (
            _OpenSide("source", pair.source.called, source, source_caps, of_source),
            _OpenSide("target", pair.target.called, target, target_caps, of_target),
        )


def assemble(
    plan: VerifyPlan,
    table: int,
    source: SideReader,
    target: SideReader,
    repairer: ItemRepairer,
    *,
    store: VerificationStore,
    stats: ComparisonStats,
    caps: VerifyCaps,
    key_of: Callable[[bytes], bytes],
    target_arn: str,
    rejected: Collection[bytes] = (),
    written_since: WrittenSince | None = None,
    clock: Callable[[], float] = time.time,
) -> TableTools:
    """The tools for any two sides, with the plan's settings."""
    confirmer = Confirmer(
        source, target, rejected=rejected, written_since=written_since, clock=clock
    )
    comparison = TableComparison(
        source,
        target,
        confirmer,
        store,
        stats,
        table=table,
        key_of=key_of,
        readers=plan.copy.readers,
        settle_seconds=plan.settle_seconds,
        consistent_read=plan.scans_consistently,
        clock=clock,
    )
    own = caps.target.of_table(plan.copy.tables[table])
    writer = RepairWriter(
        repairer,
        stats,
        limiter=own.write_limiter(),
        retry=RetryPolicy("target", own.patience(plan.copy.patience_seconds)),
        keep=keeper(plan, target_arn, clock),
    )
    repair = Repair(writer, confirmer, store, stats, table=table, kinds=kinds_to_repair(plan))
    return TableTools(comparison, confirmer, repair)


def keeper(plan: VerifyPlan, target_arn: str, clock: Callable[[], float]) -> Keep:
    """Keeps what a repair of this target replaced unseen, in the run's file."""
    items = OverwrittenItems(plan.copy.state_dir, plan.copy.run_name)

    async def keep(key: bytes, item: bytes, words: str) -> None:
        await items.keep(target_arn, key, item, words, iso_time(clock()))

    return keep


def kinds_to_repair(plan: VerifyPlan) -> frozenset[str]:
    """The kinds of differences that the plan asks to repair."""
    written = {"missing", "different"} if plan.repair else set()
    return frozenset(written | ({"extra"} if plan.delete_extra else set()))


def key_reader(names: list[str]) -> Callable[[bytes], bytes]:
    """Gives the canonical key of an item; `names` are the table's key attributes."""
    keys = KeyReader(names)

    def key_of(item: bytes) -> bytes:
        try:
            return canonical(keys.wire_key(Raw(item)))
        except msgspec.MsgspecError as error:
            raise CorruptAnswerError(f"an item came without its key: {error}") from error

    return key_of
