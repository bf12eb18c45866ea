"""The settings that a state file keeps: what a later command needs, and no secret."""

from typing import Annotated

from msgspec import Meta, Struct

from dynaferry.plan.resume_command import RecordedCommand, to_be_kept
from dynaferry.plan.schedule import Schedule
from dynaferry.plan.settings import CopyPlan, OnReject, TablePlan
from dynaferry.shared.left_to_do import LeftToDo


class RecordedSettings(Struct, frozen=True, kw_only=True):
    """The settings that a state file keeps: what a later command needs, and no secret.

    A profile names a person's machine and an external id is a secret: neither is kept.
    `left_to_do` is what the copy does not carry over, as the preflight found it. `command` is the
    command line that began the attempt without both, None where it was begun from code.
    """

    tables: tuple[TablePlan, ...]
    source_region: str | None
    source_role_arn: str | None
    source_endpoint_url: str | None
    target_region: str | None
    target_role_arn: str | None
    target_endpoint_url: str | None
    sts_endpoint_url: str | None
    readers: Annotated[int, Meta(ge=1)]
    writers: Annotated[int, Meta(ge=1)]
    max_read_units: Annotated[float, Meta(gt=0)] | None
    max_write_units: Annotated[float, Meta(gt=0)] | None
    consistent_read: bool
    on_reject: OnReject
    limits: Schedule = Schedule()
    left_to_do: tuple[LeftToDo, ...] = ()
    command: RecordedCommand | None = None


def recorded_settings(
    plan: CopyPlan,
    left_to_do: tuple[LeftToDo, ...] = (),
    command: RecordedCommand | None = None,
) -> RecordedSettings:
    """The settings of the plan that the state file keeps, and the command line they came with."""
    return RecordedSettings(
        tables=plan.tables,
        source_region=plan.source.region,
        source_role_arn=plan.source.role_arn,
        source_endpoint_url=plan.source.endpoint_url,
        target_region=plan.target.region,
        target_role_arn=plan.target.role_arn,
        target_endpoint_url=plan.target.endpoint_url,
        sts_endpoint_url=plan.sts_endpoint_url,
        readers=plan.readers,
        writers=plan.writers,
        max_read_units=plan.max_read_units,
        max_write_units=plan.max_write_units,
        consistent_read=plan.consistent_read,
        on_reject=plan.on_reject,
        limits=plan.limits,
        left_to_do=left_to_do,
        command=None if command is None else to_be_kept(command),
    )
