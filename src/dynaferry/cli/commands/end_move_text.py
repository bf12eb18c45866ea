"""What is left to be done by hand once a move has ended, with the calls that do it. Pure."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

from dynaferry.follow.after_go_certificate import AfterGoCertificate, lines_of
from dynaferry.follow.after_go_pending import PendingComparison
from dynaferry.follow.deny_writes import call_that_allows
from dynaferry.follow.enabled_streams import EnabledStream
from dynaferry.observe import formatting
from dynaferry.shared.arn import arn_region, resource_name
from dynaferry.state.move_records import MoveRecord
from dynaferry.state.records import TableIdentity

EndCommand = Literal["abort", "finish"]

_LATE: Final = (
    "{keys:,} keys were written to the source behind the switch, and are not in the target:"
    " dynaferry late-writes list {run}"
)


def left_of(
    command: EndCommand,
    move: MoveRecord,
    tables: Sequence[TableIdentity],
    enabled: Sequence[EnabledStream],
    created: Collection[str] = (),
) -> Iterator[str]:
    """What a move leaves that has `enabled` these streams, some of them perhaps disabled again, and
    `created` the targets of these names with one.
    """
    for stream in enabled:
        if stream.is_ours:
            perhaps = "" if stream.closed_at is None else ", and may be disabled already"
            yield (
                f"the stream of {resource_name(stream.table)} was enabled for this move{perhaps};"
                f" to disable it: aws dynamodb update-table --table-name {stream.table}"
                " --stream-specification StreamEnabled=false"
            )
    for table in tables:
        if command == "finish" and resource_name(table.target_arn) in created:
            yield _of_a_stream_created(table)
        if command == "abort":
            yield from _of_an_aborted(table)
        elif _went_back(move):
            yield from _of_a_returned(table)
        else:
            yield from _of_a_finished(table)


def pending_lines(run: str, pending: PendingComparison) -> Iterator[str]:
    """Why a move is not finished: the comparison behind its go is not; and what can be done."""
    if pending.is_switching:
        yield "not ready: a switch is under way: ask again once it has ended"
        return
    compares = f"the comparison behind the go {_far(pending)}"
    if pending.is_running:
        yield f"not ready: {compares}; the running move certifies it: finish behind that"
    else:
        yield (
            f"not ready: {compares}, and no process works on it: run the same move command"
            " until it says the certificate, then finish"
        )
    kept = ", with the way back" if pending.has_way_back else ""
    yield f"nothing was ended: the move stays as it is{kept}"
    lost = " and without the way back" if pending.has_way_back else ""
    yield (
        f"to end it now, without knowing that every key arrived{lost}:"
        f" dynaferry finish {run} --without-comparison"
    )


def _far(pending: PendingComparison) -> str:
    """How far it is, and how long it may take."""
    share, seconds = pending.share, pending.seconds
    if share is None or seconds is None:
        return "has not started; it takes about as long as dynaferry verify of all keys"
    told = f"has not ended: {formatting.percent(share)} of the segments are compared"
    if not share:
        return f"{told}; it takes about as long as dynaferry verify of all keys"
    took = formatting.duration(seconds)
    left = formatting.time_left(seconds / share - seconds)
    return f"{told}, {took} after it began; at that rate it takes {left} more"


def compared_lines(move: MoveRecord, found: AfterGoCertificate | None, path: Path) -> Iterator[str]:
    """What is said of the comparison behind a go, which `found` this, as the file at `path` has it,
    or has not ended.
    """
    if _went_back(move) or move.switched_at is None:
        return
    if found is None or found.go != move.switched_at:
        yield "not every key was compared behind the go: dynaferry verify compares them"
    else:
        yield f"behind the go every key was compared: {found.status}"
        if found.status != "equal":
            yield from lines_of(found, path)


def late_lines(run: str, keys: int, kept: Sequence[Path], lost: Sequence[str]) -> Iterator[str]:
    """What is said of late writes at the end, `kept` in these files; of `lost` nobody knows."""
    if keys:
        yield _LATE.format(keys=keys, run=run)
        yield f"what was written is kept in {', '.join(map(str, kept))}"
    for why in lost:
        yield f"there may be more late writes: {why}"


def late_lines_of_targets(keys: int, kept: Sequence[Path]) -> Iterator[str]:
    """What is said of writes to the targets behind a return, `kept` in these files."""
    if keys:
        yield (
            f"{keys:,} keys were written to the target behind the way back, and are not in the"
            f" source (dynaferry late-writes list); kept in {', '.join(map(str, kept))}"
        )


def _went_back(move: MoveRecord) -> bool:
    """Whether the source is in use again."""
    returned, switched = move.returned_at, move.switched_at
    return returned is not None and (switched is None or returned > switched)


def _of_an_aborted(table: TableIdentity) -> Iterator[str]:
    source, target = _names(table)
    yield f"the source {source} is as it was; the target {target} holds a copy of it"
    yield f"to drop that: {_drop(table.target_arn)}"
    yield f"if a policy denies writes to {source}: {call_that_allows(table.source_arn)}"


def _of_a_returned(table: TableIdentity) -> Iterator[str]:
    source, target = _names(table)
    yield f"the source {source} is in use; the target {target} is there still"
    yield f"to drop that: {_drop(table.target_arn)}"
    yield f"if a policy denies writes to {source}: {call_that_allows(table.source_arn)}"
    yield f"if a policy denies writes to {target}: {call_that_allows(table.target_arn)}"


def _of_a_finished(table: TableIdentity) -> Iterator[str]:
    source, target = _names(table)
    yield f"the source {source} is there still, and is yours to keep or to drop"
    yield f"a policy that denies writes to {source} stays: {call_that_allows(table.source_arn)}"
    yield (
        f"time to live, if {source} has it: aws dynamodb update-time-to-live"
        f" --table-name {target}{_in_region(table.target_arn)}"
        " --time-to-live-specification Enabled=true,AttributeName=ATTRIBUTE"
    )
    yield (
        f"triggers of {source} are to be attached to the stream of {target}, from LATEST on: aws"
        f" lambda list-event-source-mappings{_in_region(table.source_arn)}"
    )


def _of_a_stream_created(table: TableIdentity) -> str:
    target = resource_name(table.target_arn)
    return (
        f"the stream of {target} was created with it for the way back; to disable it, unless"
        f" something else reads it: aws dynamodb update-table --table-name {target}"
        f"{_in_region(table.target_arn)} --stream-specification StreamEnabled=false"
    )


def _names(table: TableIdentity) -> tuple[str, str]:
    return resource_name(table.source_arn), resource_name(table.target_arn)


def _drop(arn: str) -> str:
    return f"aws dynamodb delete-table --table-name {resource_name(arn)}{_in_region(arn)}"


def _in_region(arn: str) -> str:
    region = arn_region(arn)
    return "" if region is None else f" --region {region}"
