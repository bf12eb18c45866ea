"""What a person should know of a source's stream before a move, and what is refused. Pure."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from dynaferry.dynamodb.tables.describe import NotKnown
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.errors import PreflightError
from dynaferry.observe.formatting import duration
from dynaferry.preflight.following import has_new_images, units_to_read_again
from dynaferry.preflight.item_cost import average_item_bytes
from dynaferry.preflight.notice import Notice, note, warning
from dynaferry.preflight.replication_words import on_moved_replicas

# No eventually consistent read is older than this [INF: the service says "usually a second"].
STREAM_HISTORY_SECONDS: Final = 60.0
READERS_A_SHARD: Final = 2


class StreamFindings(Struct, frozen=True, kw_only=True):
    """What was found of one source's stream.

    `status` is None where there is none yet, and one is to be enabled. `is_shared` says that a
    shard refused to be read because others read it, and `functions` which Lambda functions do.
    """

    source: TableDescription
    status: str | None
    open_shards: int = 0
    is_shared: bool = False
    functions: tuple[str, ...] | NotKnown = NotKnown("not looked at")

    @property
    def readers(self) -> tuple[str, ...]:
        """Who is known to read each shard beside us, in words."""
        functions = () if isinstance(self.functions, NotKnown) else self.functions
        named = [f"the function {name}" for name in functions]
        # A strongly consistent global table does not replicate by its stream.
        if self.source.late_regions:
            named.append("the replication of this global table")
        return tuple(named)


def call_that_enables(table: TableDescription, region: str) -> str:
    """The one call that enables the stream of a table, as it is typed."""
    return (
        f"aws dynamodb update-table --region {region} --table-name {table.called} "
        "--stream-specification StreamEnabled=true,StreamViewType=NEW_IMAGE"
    )


def no_stream(table: TableDescription, region: str, acting_as: str) -> PreflightError:
    """The refusal of a table whose changes nobody could see."""
    last = table.last_stream_arn
    any_more = "" if last is None else f" any more (the last one was switched off: {last})"
    return PreflightError(
        f"the source table {table.name} has no stream{any_more}, so what changes in it cannot be "
        "followed",
        hint=f"enable one: {call_that_enables(table, region)} (it needs dynamodb:UpdateTable on "
        f"the table); or add --enable-stream, where {acting_as} may do that",
        table=table.name,
    )


def not_enabled(table: TableDescription, status: str) -> PreflightError:
    """The refusal of a stream that gets no more changes."""
    return PreflightError(
        f"the stream of the source table {table.name} is {status}: what changes from now on is not "
        f"in it ({table.stream_arn})",
        hint="wait until it is DISABLED, then enable another: every stream has a name of its own",
        table=table.name,
    )


def stream_notices(found: StreamFindings, now: float) -> tuple[Notice, ...]:
    """The notices on one source's stream at the moment `now`."""
    return (
        *_on_view(found),
        *_on_age(found, now),
        *_on_readers(found),
        *on_moved_replicas(found.source),
    )


def _on_view(found: StreamFindings) -> Iterator[Notice]:
    source = found.source
    if found.status is None:
        yield note(
            "the source has no stream: --enable-stream enables one with NEW_IMAGE before anything "
            "else, which nothing undoes by itself"
        )
    elif found.status == "ENABLING":
        yield note("the source's stream is being enabled: the move waits until it is")
    if found.status is not None and not has_new_images(source):
        units = units_to_read_again(average_item_bytes(source))
        several = "unit" if units == 1 else "units"
        yield note(
            f"the source's stream has {source.stream_view_type}: it says which items change, not "
            f"what they become, so that each is read again from the source, for {units} read "
            f"{several} beside what production reads; NEW_IMAGE spares that, but takes another "
            "stream, since a view never changes"
        )


def _on_age(found: StreamFindings, now: float) -> Iterator[Notice]:
    since = found.source.stream_enabled_at
    if since is None or found.status is None:
        return
    age = max(0.0, now - since)
    if age < STREAM_HISTORY_SECONDS:
        yield note(
            f"the source's stream was enabled {duration(age)} ago, so the source is read "
            "consistently, or where it is large once the stream is a minute old"
        )


def _on_readers(found: StreamFindings) -> Iterator[Notice]:
    if found.status is None:
        return
    readers = ", ".join(found.readers)
    if found.is_shared:
        yield warning(
            "the source's stream has other readers: a shard refused to be read "
            f"(LimitExceededException), since it takes two{f' ({readers})' if readers else ''}; "
            "take one of them away, or what changes comes late"
        )
    elif len(found.readers) >= READERS_A_SHARD:
        yield warning(
            f"the source's stream has {len(found.readers)} readers already ({readers}), and a "
            "shard takes two: with the move one more, all of them are refused now and then "
            "(LimitExceededException), and what changes comes late"
        )
    elif readers:
        yield note(
            f"the source's stream is read by {readers}; the move is the second reader of each "
            "shard, which takes no third"
        )
    yield note(_on_unseen_readers(found.functions))


def _on_unseen_readers(functions: tuple[str, ...] | NotKnown) -> str:
    if isinstance(functions, NotKnown):
        return (
            f"which Lambda functions read the source's stream is {functions}: each is one of the "
            "two readers that a shard takes, as are pipes and programs"
        )
    which = "other Lambda functions" if functions else "Lambda functions"
    return (
        f"no {which} of this account read the source's stream; those of other accounts, pipes and "
        "programs cannot be seen"
    )
