"""The notices: what a person should know before a copy, or do after it, in plain sentences. Pure.

A notice never stops a copy. What would make it unsafe is a refusal, in `preflight`.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from dynaferry.dynamodb.tables.describe import NotKnown, SideSettings, Tag
from dynaferry.dynamodb.tables.description import KeyAttribute, TableDescription, Throughput
from dynaferry.limits import NEW_ON_DEMAND_WRITE_UNITS
from dynaferry.preflight.bottleneck import advise
from dynaferry.preflight.estimate import Estimate
from dynaferry.preflight.notice import Notice, after, note, warning
from dynaferry.preflight.replication_words import on_source_replicas, on_target_replicas


class Findings(Struct, frozen=True, kw_only=True):
    """The findings of an inspection: the target's settings are None where it is not there yet.

    `tags` are read only where the target is to be created.
    """

    source: TableDescription
    source_settings: SideSettings
    target: TableDescription | None
    target_settings: SideSettings | None
    tags: tuple[Tag, ...] | NotKnown = ()


# Not said by a move, which captures them.
WRITES_DURING_COPY: Final = (
    "changes made during the copy may be missed: stop the writers first, or verify afterwards"
)


def notices_on(
    findings: Findings, estimate: Estimate, *, target_may_hold_items: bool
) -> tuple[Notice, ...]:
    """The notices on one table: those on the copy first, those for later last."""
    return (
        *_on_creation(findings),
        *_on_target(findings, estimate, target_may_hold_items=target_may_hold_items),
        *_on_speed(findings, estimate),
        *on_source_replicas(findings.source),
        *_on_source(findings.source),
        *_on_time_to_live(findings),
        *_on_backups(findings),
    )


def _on_creation(findings: Findings) -> Iterator[Notice]:
    source = findings.source
    if findings.target is not None:
        return
    yield note("the target does not exist; it is created like the source before the copy")
    if isinstance(findings.tags, NotKnown):
        yield warning(f"the source's tags are {findings.tags}: the target is created without tags")
    if source.kms_key_arn is not None:
        yield note(
            f"the source is encrypted with the key {source.kms_key_arn}; the target is created "
            "with the key that the service owns: set a key of the target's account if it needs one"
        )
    if _is_warmer_than_new(source.warm) and source.billing_mode == "PAY_PER_REQUEST":
        yield note(
            f"the new target takes {NEW_ON_DEMAND_WRITE_UNITS:,} write units a second at once; "
            "raise its warm throughput (and its indexes') first to go faster; it is billed"
        )
    if source.replicas:
        regions = ", ".join(source.other_regions)
        yield after(f"the target is created without the source's replicas ({regions})")


def _is_warmer_than_new(warm: Throughput | None) -> bool:
    return warm is not None and warm.write_units > NEW_ON_DEMAND_WRITE_UNITS


def _on_target(
    findings: Findings, estimate: Estimate, *, target_may_hold_items: bool
) -> Iterator[Notice]:
    target = findings.target or findings.source
    if target_may_hold_items:
        yield warning(
            "the target may hold items: those with a key that the source has too are overwritten, "
            "all others stay"
        )
    if estimate.index_costs:
        yield note(_what_indexes_cost(estimate))
    yield from _slow_indexes(target)
    yield from _stricter_indexes(findings.source, target)
    if target.stream_view_type is not None:
        yield warning(
            f"the target's stream is on ({target.stream_view_type}): whatever listens to it, such "
            "as a Lambda trigger, will see every copied item as a new one"
        )
    if findings.target is not None:
        yield from on_target_replicas(target)
    if findings.target is not None and target.status == "CREATING":
        yield note("the target is being created: the copy waits until it is ACTIVE")
    if findings.target is not None and target.status == "UPDATING":
        yield note("the target is UPDATING: it takes writes, perhaps fewer until it is done")


def _on_speed(findings: Findings, estimate: Estimate) -> Iterator[Notice]:
    advice = advise(estimate, findings.source, findings.target)
    if advice is not None:
        yield Notice("speed", advice.words)


def _what_indexes_cost(estimate: Estimate) -> str:
    each = ", ".join(
        f"{cost.index.kind} {cost.index.name} ({cost.index.projection}) {cost.units_per_item}"
        for cost in estimate.index_costs
    )
    return (
        f"the target's indexes add write units to each item that has their keys: {each}; a GSI "
        "that is built after the copy costs the same units, but does not slow the copy down"
    )


def _slow_indexes(target: TableDescription) -> Iterator[Notice]:
    """A global index that is short of write units throttles the table [DG:gsi-throttling]."""
    for index in target.gsis:
        if index.provisioned is None or target.provisioned is None:
            continue
        if index.provisioned.write_units < target.provisioned.write_units:
            yield warning(
                f"the target's GSI {index.name} has {index.provisioned.write_units:,} write units, "
                f"the table {target.provisioned.write_units:,}: the index will slow the table down"
            )


def _stricter_indexes(source: TableDescription, target: TableDescription) -> Iterator[Notice]:
    """An item that does not fit an index's key is refused by the whole table [DG:GSI]."""
    known = {(key.name, key.type) for key in _all_keys(source)}
    for index in target.indexes:
        new = [key for key in index.keys if (key.name, key.type) not in known]
        if new:
            attributes = ", ".join(f"{key.name} ({key.type})" for key in new)
            yield warning(
                f"the target's {index.kind} {index.name} asks for {attributes}, which no key of "
                "the source promises: items where it is of another type, or empty, will be rejected"
            )


def _all_keys(table: TableDescription) -> Iterator[KeyAttribute]:
    yield from table.keys
    for index in table.indexes:
        yield from index.keys


def _on_source(source: TableDescription) -> Iterator[Notice]:
    if source.item_count == 0:
        yield warning(
            "the source's ItemCount is 0; the service updates it about every six hours, so that a "
            "table filled since then shows none, and the estimate says nothing"
        )
    if source.status == "UPDATING":
        yield note("the source is UPDATING: it can be read all the same")
    if source.stream_view_type is not None:
        yield after(
            f"the source has a stream ({source.stream_view_type}): what listens to it stays with "
            "the source, and has to be set up at the target for the cut-over"
        )
    yield warning(WRITES_DURING_COPY)


def _on_time_to_live(findings: Findings) -> Iterator[Notice]:
    attribute = findings.source_settings.ttl_attribute
    if isinstance(attribute, NotKnown):
        yield note(f"the source's time to live is {attribute}")
    elif attribute is not None:
        yield after(
            f"the source's items expire by {attribute}: expired ones that are still there are "
            "copied too; switch time to live on at the target after the cut-over"
        )
    if findings.target_settings is None:
        return
    attribute = findings.target_settings.ttl_attribute
    if isinstance(attribute, str):
        yield warning(
            f"the target's time to live is on ({attribute}): it deletes copied items that have "
            "expired, and a comparison will miss them"
        )


def _on_backups(findings: Findings) -> Iterator[Notice]:
    recovery = findings.source_settings.point_in_time_recovery
    if isinstance(recovery, NotKnown):
        yield note(f"the source's point-in-time recovery is {recovery}")
        return
    target = findings.target_settings
    if recovery and (target is None or target.point_in_time_recovery is not True):
        yield after(
            "the source has point-in-time recovery: switch it on at the target after the cut-over"
        )
