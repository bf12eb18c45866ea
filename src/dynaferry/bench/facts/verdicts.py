"""What the figures mean: for each assumption, whether it holds, and a line for people. Pure."""

from collections.abc import Sequence
from typing import Any, Final

from dynaferry.bench.facts.closing import Closing
from dynaferry.bench.facts.hash_order import HashOrder
from dynaferry.bench.facts.headers import Heads
from dynaferry.bench.facts.new_table import NewTableFound
from dynaferry.bench.facts.packing import Packing
from dynaferry.bench.facts.record_delay import RecordDelays
from dynaferry.bench.facts.refused_batch import RefusedBatches
from dynaferry.bench.facts.shard_reads import READS_PER_SECOND, ShardReads
from dynaferry.dynamodb.items.new_table import FOUND_EVERYWHERE_SECONDS
from dynaferry.state.facts_file import CLOSED_SHARDS, Fact, FactVerdict

# The shortest silence that a cut-over takes for quiet.
QUIET_SECONDS: Final = 5.0

DELAY: Final = "record-delay"
SHARD_READS: Final = "shard-reads"
CHECKSUMS: Final = "stream-checksums"
POSITIONS: Final = "positions-survive-closing"
ORDER: Final = "hash-order"
PACKING: Final = "gzip"
NEW_TABLE: Final = "new-table-found"
REFUSED: Final = "refused-batch"

# In the order in which they are told; the first two are what a switch rests on.
ASSUMPTIONS: Final = {
    CLOSED_SHARDS: "the shards of a stream that was disabled hold every write from before",
    DELAY: f"a change shows in the stream within {QUIET_SECONDS:g} s of its write",
    POSITIONS: "a position in a shard is good after the shard was closed",
    SHARD_READS: f"a shard gives {READS_PER_SECOND} pages a second to one reader",
    CHECKSUMS: "what a stream responds has a checksum (x-amz-crc32)",
    ORDER: "two tables have the same keys in the same order",
    PACKING: "longer responses come packed where that is asked for",
    NEW_TABLE: "every request finds a table within two minutes of its being ACTIVE",
    REFUSED: "a batch of which nothing fits is refused with the reasons",
}


def not_measured(name: str, why: str) -> Fact:
    """The fact of an assumption of which nobody knows, and why."""
    return _fact(name, "not-measured", why)


def of_record_delay(delays: RecordDelays) -> Fact:
    """Whether each record showed in time."""
    if not delays.delays:
        return not_measured(DELAY, f"none of {delays.written:,} writes had a record")
    half, most_of_them = delays.percentile(0.5), delays.percentile(0.999)
    slowest = delays.delays[-1]
    words = (
        f"of {delays.written:,} writes half were seen within {half:.2f} s, 99.9% within"
        f" {most_of_them:.2f} s, the slowest after {slowest:.2f} s"
    )
    if delays.missing:
        words += f", {delays.missing:,} not at all"
    return _fact(
        DELAY,
        _verdict(not delays.missing and slowest <= QUIET_SECONDS),
        words,
        writes=delays.written,
        missing=delays.missing,
        p50_seconds=round(half, 3),
        p99_9_seconds=round(most_of_them, 3),
        max_seconds=round(slowest, 3),
    )


def of_shard_reads(reads: ShardReads) -> Fact:
    """Whether a shard was read as often as a follower reads it, and refused none of it."""
    words = (
        f"{reads.steady_refused:,} of {reads.steady:,} reads at {READS_PER_SECOND} a second were"
        f" refused; as fast as they went, it gave {reads.given_per_second:,.1f} a second and"
        f" refused {reads.flat_out_refused:,} of {reads.flat_out:,}"
    )
    return _fact(
        SHARD_READS,
        _verdict(not reads.steady_refused),
        words,
        reads=reads.steady,
        refused=reads.steady_refused,
        given_per_second_flat_out=round(reads.given_per_second, 1),
        refused_flat_out=reads.flat_out_refused,
    )


def of_checksums(heads: Heads) -> Fact:
    """Whether each response of the stream had a checksum."""
    if not heads.responses:
        return not_measured(CHECKSUMS, "there was no response")
    return _fact(
        CHECKSUMS,
        _verdict(heads.with_checksum == heads.responses),
        f"{heads.with_checksum:,} of {heads.responses:,} responses had one",
        responses=heads.responses,
        with_checksum=heads.with_checksum,
    )


def of_closings(closings: Sequence[Closing]) -> list[Fact]:
    """Whether nothing was missing from any stream that was closed, and the positions good."""
    if not closings:
        return [not_measured(name, "no stream was closed") for name in (CLOSED_SHARDS, POSITIONS)]
    writes = sum(closing.writes for closing in closings)
    missing = sum(closing.missing for closing in closings)
    lost = sum(closing.records_lost for closing in closings)
    longest = max(closing.closed_seconds for closing in closings)
    found = "every one is in the closed shards"
    if missing:
        found = f"{missing:,} are in no closed shard"
    rounds = "once" if len(closings) == 1 else f"{len(closings)} times"
    return [
        _fact(
            CLOSED_SHARDS,
            _verdict(not missing),
            f"of {writes:,} writes, the last one acknowledged just before the stream was disabled"
            f" ({rounds}), {found}; it took up to {longest:.1f} s until it was",
            rounds=len(closings),
            writes=writes,
            missing=missing,
            closed_seconds=[closing.closed_seconds for closing in closings],
            shards=[closing.shards for closing in closings],
        ),
        _fact(
            POSITIONS,
            _verdict(not lost),
            "behind the positions of before, "
            + (f"{lost:,} records were missing" if lost else "no record was missing"),
            records_lost=lost,
        ),
    ]


def of_hash_order(order: HashOrder) -> Fact:
    """Whether both tables had one order."""
    if order.keys < 2:
        return not_measured(ORDER, "no keys were read")
    words = f"{order.keys:,} keys in two tables: "
    words += "one order" if order.same_order else "another order in each"
    words += ", and the same keys" if order.same_segments else ", and other keys"
    return _fact(
        ORDER,
        _verdict(order.same_order and order.same_segments),
        f"{words} in each segment",
        keys=order.keys,
        same_order=order.same_order,
        same_segments=order.same_segments,
    )


def of_packing(packing: Packing) -> Fact:
    """Whether any response came packed, and from which length on."""
    plain, packed = packing.longest_plain, packing.shortest_packed
    if packed is None:
        words = f"none of {packing.responses} responses came packed, up to {plain or 0:,} bytes"
    else:
        words = f"packed from {packed:,} bytes on, plain up to {plain or 0:,}"
    return _fact(
        PACKING,
        _verdict(packed is not None),
        words,
        responses=packing.responses,
        longest_plain_bytes=plain,
        shortest_packed_bytes=packed,
    )


def of_new_tables(found: Sequence[NewTableFound]) -> Fact:
    """Whether each new table was found by all in time."""
    requests = sum(table.requests for table in found)
    if not requests:
        return not_measured(NEW_TABLE, "no request was made")
    not_found = sum(table.not_found for table in found)
    lost_seconds = max(table.lost_seconds for table in found)
    active = max(table.active_seconds for table in found)
    seen = f"found by each of {requests:,} requests"
    if not_found:
        seen = (
            f"not found by {not_found:,} of {requests:,} requests, by the last one"
            f" {lost_seconds:.1f} s later"
        )
    words = f"{len(found)} tables were ACTIVE after up to {active:.1f} s, and then {seen}"
    return _fact(
        NEW_TABLE,
        _verdict(lost_seconds < FOUND_EVERYWHERE_SECONDS),
        words,
        tables=len(found),
        active_seconds=[table.active_seconds for table in found],
        requests=requests,
        not_found=not_found,
        lost_seconds=lost_seconds,
    )


def of_refused_batches(batches: RefusedBatches) -> Fact:
    """Whether a batch of which nothing was written was an exception with its reasons."""
    nothing_written = batches.refused + batches.all_unprocessed
    if not nothing_written:
        return not_measured(REFUSED, f"none of {batches.batches:,} batches was refused as a whole")
    codes = ", ".join(f"{code} {times:,} times" for code, times in sorted(batches.codes.items()))
    words = (
        f"{batches.refused:,} batches were refused ({codes or 'never'}), {batches.with_reasons:,}"
        f" with reasons; {batches.all_unprocessed:,} came back whole as unprocessed"
    )
    holds = not batches.all_unprocessed and batches.with_reasons == batches.refused
    return _fact(
        REFUSED,
        _verdict(holds),
        words,
        batches=batches.batches,
        refused=batches.refused,
        with_reasons=batches.with_reasons,
        all_unprocessed=batches.all_unprocessed,
        codes=batches.codes,
        reasons=batches.reasons,
    )


def _verdict(holds: bool) -> FactVerdict:
    return "holds" if holds else "fails"


def _fact(name: str, verdict: FactVerdict, line: str, **measured: Any) -> Fact:
    return Fact(
        name=name, verdict=verdict, assumption=ASSUMPTIONS[name], line=line, measured=measured
    )
