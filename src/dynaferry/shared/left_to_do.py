"""What a copy does not carry over to a target: found before a copy, kept in its state file, and
told at its end as the next steps.
"""

from msgspec import Struct


class LeftToDo(Struct, frozen=True, kw_only=True):
    """What the source of one table has and its target had not, when they were looked at last.

    `ttl_attribute` says when items expire, None where nothing expires or the target has it too.
    `stream_view` is that of a stream which the target lacks; `has_stream_readers` says that the
    source has a stream, so that whatever reads it is to be attached at the target.
    `replica_regions` are those in which a created target has no replica. `target_arn` is None for
    a target that is not there yet.
    """

    source: str
    target: str
    target_arn: str | None = None
    ttl_attribute: str | None = None
    point_in_time_recovery: bool = False
    stream_view: str | None = None
    has_stream_readers: bool = False
    replica_regions: tuple[str, ...] = ()
