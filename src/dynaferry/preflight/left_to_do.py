"""What a copy leaves to do on one table, by what was found of both sides. Pure."""

from dynaferry.dynamodb.tables.describe import NotKnown, SideSettings
from dynaferry.preflight.notices import Findings
from dynaferry.shared.left_to_do import LeftToDo


def left_to_do(found: Findings, source: str, target: str) -> LeftToDo:
    """What the source has and the target has not; `source` and `target` are their names.

    A target that is yet to be created will have the stream, and no replicas.
    """
    of_source, there = found.source, found.target
    return LeftToDo(
        source=source,
        target=target,
        target_arn=None if there is None else there.arn,
        ttl_attribute=_ttl_attribute(found.source_settings, found.target_settings),
        point_in_time_recovery=_wants_recovery(found.source_settings, found.target_settings),
        stream_view=(
            None
            if there is None or there.stream_view_type is not None
            else of_source.stream_view_type
        ),
        has_stream_readers=of_source.stream_view_type is not None,
        replica_regions=of_source.other_regions if there is None else (),
    )


def _ttl_attribute(source: SideSettings, target: SideSettings | None) -> str | None:
    attribute = source.ttl_attribute
    if attribute is None or isinstance(attribute, NotKnown):
        return None
    has_it = target is not None and target.ttl_attribute == attribute
    return None if has_it else attribute


def _wants_recovery(source: SideSettings, target: SideSettings | None) -> bool:
    has_it = target is not None and target.point_in_time_recovery is True
    return source.point_in_time_recovery is True and not has_it
