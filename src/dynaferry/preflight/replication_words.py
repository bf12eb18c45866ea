"""What a person should know of a table's replicas, in plain sentences. Pure."""

from collections.abc import Iterator
from typing import Final

from dynaferry.dynamodb.tables.description import Replica, TableDescription
from dynaferry.limits import NEW_ON_DEMAND_WRITE_UNITS
from dynaferry.preflight.notice import Notice, note, warning

# So long a global table has to be silent, before a switch: what was written in another Region may
# be on its way. Replication takes about a second as a rule [DG:V2globaltables_HowItWorks]; no
# bound of it is published.
REPLICATION_SECONDS: Final = 15.0


def on_source_replicas(source: TableDescription) -> Iterator[Notice]:
    """The notices on a source that is one of several replicas."""
    if source.is_legacy_global:
        # The one exception to what is copied as it is: it has to be said, not only in a dry run.
        yield warning(
            "the source is a global table of version 2017.11.29, which writes attributes of its "
            "own into each item (aws:rep:*): they are not copied"
        )
    if source.replicas:
        yield warning(
            f"the source is one replica of a global table (the others: {_regions(source)}): name "
            "the one that the writers write, since what is written elsewhere comes here later"
        )


def on_target_replicas(target: TableDescription) -> Iterator[Notice]:
    """The notices on a target that is one of several replicas."""
    if target.is_legacy_global:
        yield note(
            "the target is a global table of version 2017.11.29: each put becomes two writes, of "
            "which the estimate knows"
        )
    if target.replicas:
        yield note(
            f"the target is a global table: its other replicas ({_regions(target)}) take every "
            "write again, which the cost includes; the transfer between Regions it does not"
        )
    if target.replicates_at_once:
        yield note(
            "the target's writes are in another Region before they are answered (strong "
            "consistency): each takes longer"
        )
    for replica in target.replicas:
        if replica.status != "ACTIVE":
            yield warning(
                f"the target's replica in {replica.region} is {replica.status}: what is written "
                "reaches it later, or not at all"
            )
        elif _is_slower(replica, target):
            yield note(
                f"the target's replica in {replica.region} takes {_warm(replica):,} write units "
                f"a second at once, the target {_warm(target):,}: it will have the items later"
            )


def on_moved_replicas(source: TableDescription) -> Iterator[Notice]:
    """The notices on the switch of a source that is one of several replicas."""
    if not (source.replicas or source.is_legacy_global):
        return
    also = _regions(source) or "others"
    waits = f"stop the writers in all Regions ({also} as well) before the cut-over"
    if source.late_regions:
        waits += f", which then waits {REPLICATION_SECONDS:.0f} s for what they replicate"
    yield warning(
        f"{waits}; the stream of a global table cannot be disabled, so that the cut-over takes no "
        "--proof closed"
    )


def _regions(table: TableDescription) -> str:
    return ", ".join(table.other_regions)


def _is_slower(replica: Replica, target: TableDescription) -> bool:
    """A provisioned table has the same write units in all Regions."""
    return target.provisioned is None and _warm(replica) < _warm(target)


def _warm(place: Replica | TableDescription) -> int:
    return NEW_ON_DEMAND_WRITE_UNITS if place.warm is None else place.warm.write_units
