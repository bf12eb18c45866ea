"""The flags of the commands, and the plan that they make.

A flag that is not given leaves what the plan file says.
"""

import os
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from dynaferry.errors import PlanError
from dynaferry.plan.resume_command import (
    Invocation,
    RecordedCommand,
    current_directory,
    recorded_command,
)
from dynaferry.plan.settings import Account, CopyPlan, PlanDraft, TablePlan

# Holds a whole plan, where a container can be given a variable and no file; and its run's name.
PLAN_TEXT: Final = "DYNAFERRY_PLAN_TOML"
PLAN_TEXT_RUN: Final = "plan"


class OnRejectFlag(StrEnum):
    """The values of --on-reject."""

    DEAD_LETTER = "dead-letter"
    STOP = "stop"


class CompressFlag(StrEnum):
    """The values of --compress."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class IfPresentFlag(StrEnum):
    """The values of --if-present."""

    KEEP = "keep"
    OVERWRITE = "overwrite"
    ACCEPT = "accept"


class WayBackFlag(StrEnum):
    """The values of --way-back."""

    KEEP = "keep"
    NONE = "none"


class ProgressFlag(StrEnum):
    """The values of --progress."""

    AUTO = "auto"
    PLAIN = "plain"
    NONE = "none"


class LogFormatFlag(StrEnum):
    """The values of --log-format."""

    TEXT = "text"
    JSON = "json"


class LogLevelFlag(StrEnum):
    """The values of --log-level."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class CopyFlags(Struct, frozen=True, kw_only=True):
    """The command line of `copy` as it was typed; None stands for a flag that was not given."""

    source: str | None = None
    target: str | None = None
    exclude: list[str] | None = None
    plan: Path | None = None
    run: str | None = None
    source_region: str | None = None
    source_profile: str | None = None
    source_role_arn: str | None = None
    source_external_id: str | None = None
    source_endpoint_url: str | None = None
    target_region: str | None = None
    target_profile: str | None = None
    target_role_arn: str | None = None
    target_external_id: str | None = None
    target_endpoint_url: str | None = None
    sts_endpoint_url: str | None = None
    warm_target: int | None = None
    segments: str | None = None
    readers: int | None = None
    writers: int | None = None
    max_read_units: float | None = None
    max_write_units: float | None = None
    tables_at_once: int | None = None
    compress: CompressFlag | None = None
    patience: float | None = None
    consistent_read: bool | None = None
    create_target: bool | None = None
    allow_non_empty_target: bool | None = None
    state_dir: Path | None = None
    restart: bool | None = None
    fail_fast: bool | None = None
    only: list[str] | None = None
    skip: list[str] | None = None
    restart_table: list[str] | None = None
    on_reject: OnRejectFlag | None = None
    max_rejected: int | None = None
    price_per_million_writes: float | None = None
    price_per_million_reads: float | None = None
    dry_run: bool = False
    after_copy: bool = False
    allow_control: bool = False
    log_format: LogFormatFlag = LogFormatFlag.TEXT
    log_level: LogLevelFlag = LogLevelFlag.WARNING
    metrics_listen: str | None = None
    metrics_push: str | None = None
    metrics_textfile: Path | None = None
    metrics_linger: float = 0.0
    finish_by: str | None = None
    on_end: str | None = None
    progress: ProgressFlag = ProgressFlag.AUTO
    json: bool = False

    def __repr__(self) -> str:
        """Nothing of what was typed: there may be an external id in it (invariant 8)."""
        return "CopyFlags(…)"


class ReplayFlags(Struct, frozen=True, kw_only=True):
    """The command line of `dead-letters replay` as it was typed."""

    run: str | None
    state_dir: Path
    target_region: str | None = None
    target_profile: str | None = None
    target_role_arn: str | None = None
    target_external_id: str | None = None
    sts_endpoint_url: str | None = None
    max_write_units: float | None = None
    if_present: IfPresentFlag = IfPresentFlag.KEEP
    json: bool = False

    def __repr__(self) -> str:
        """Nothing of what was typed: there may be an external id in it (invariant 8)."""
        return "ReplayFlags(…)"


# Flags that are settings of the plan under the same name. These mean something else here: the two
# tables, and segments and what is excluded as they are typed.
_OTHERWISE = ("source", "target", "segments", "exclude")
_SAME_NAME = tuple(
    name
    for name in CopyPlan.__struct_fields__
    if name in CopyFlags.__struct_fields__ and name not in _OTHERWISE
)
_ACCOUNT_SETTINGS = ("region", "profile", "role_arn", "external_id", "endpoint_url")


class MoveFlags(Struct, frozen=True, kw_only=True):
    """The command line of `move` as it was typed: that of `copy`, and how to follow."""

    copy: CopyFlags
    source_streams_endpoint_url: str | None = None
    target_streams_endpoint_url: str | None = None
    without_stream: bool | None = None
    enable_stream: bool | None = None
    yes: bool = False
    spool_max_bytes: int | None = None
    way_back: WayBackFlag | None = None
    forward: bool = False


def invocation_of(flags: CopyFlags | MoveFlags) -> Invocation:
    """How an attempt is begun with these flags, typed now in this directory."""
    name = "move" if isinstance(flags, MoveFlags) else "copy"
    of_copy = flags.copy if isinstance(flags, MoveFlags) else flags
    variables = (PLAN_TEXT,) if of_copy.plan is None and names_a_plan(of_copy) else ()
    return Invocation(recorded_command(name, _builtins(flags), current_directory(), variables))


def flags_of(command: RecordedCommand) -> CopyFlags | MoveFlags:
    """The flags that were recorded; those that this version does not know are left out.

    :raises PlanError: one of them is not what this version takes
    """
    try:
        copy = msgspec.convert(command.flags, CopyFlags, dec_hook=_to_path)
        if command.name != "move":
            return copy
        move = msgspec.convert({**command.flags, "copy": CopyFlags()}, MoveFlags)
        return msgspec.structs.replace(move, copy=copy)
    except msgspec.ValidationError as error:
        raise PlanError(f"the command of this run cannot be started again: {error}") from error


def _builtins(flags: CopyFlags | MoveFlags) -> dict[str, Any]:
    """The flags that are not at their defaults, as JSON has them."""
    given: dict[str, Any] = {}
    for field in msgspec.structs.fields(flags):
        value = getattr(flags, field.name)
        if isinstance(value, CopyFlags):
            given |= _builtins(value)
        elif value != field.default and value not in ((), []):
            given[field.name] = msgspec.to_builtins(value, enc_hook=str)
    return given


def _to_path(kind: type, value: object) -> Path:
    return Path(str(value))


def plan_from(flags: CopyFlags) -> CopyPlan:
    """The plan that was asked for: the file's or the two tables', with the flags on top.

    :raises PlanError: the command line does not say what to copy, or says it twice, or a setting
        makes no sense
    """
    from dynaferry.plan.validation import validate  # not for --help

    return validate(_apply(_named_tables(flags), flags))


def move_plan_from(flags: MoveFlags) -> CopyPlan:
    """The plan of a move: that of `plan_from`, with the flags that only a move has on top.

    :raises PlanError: as `plan_from`
    """
    from dynaferry.plan.validation import validate  # not for --help

    plan = _apply(_named_tables(flags.copy, command="move"), flags.copy)
    names = ("without_stream", "enable_stream", "spool_max_bytes", "way_back")
    changes = _given(flags, {name: name for name in names})
    for side in ("source", "target"):
        given = _given(flags, {f"{side}_streams_endpoint_url": "streams_endpoint_url"})
        changes[side] = msgspec.structs.replace(getattr(plan, side), **given)
    return validate(msgspec.structs.replace(plan, **changes))


def names_a_plan(flags: CopyFlags) -> bool:
    """Whether the tables are those of a plan: of a file, or of the text in a variable."""
    return flags.plan is not None or (flags.source is None and PLAN_TEXT in os.environ)


def _named_tables(flags: CopyFlags, command: str = "copy") -> PlanDraft:
    if flags.plan is not None:
        if flags.source is not None:
            raise PlanError(
                "tables are named on the command line and by --plan",
                hint="leave out SOURCE and TARGET, or leave out --plan",
            )
        from dynaferry.plan.plan_file import read_draft  # not for --help

        return read_draft(flags.plan)
    text = os.environ.get(PLAN_TEXT)
    if flags.source is None and text:
        from dynaferry.plan.plan_file import plan_of_text  # not for --help

        return plan_of_text(text, f"the variable {PLAN_TEXT}", run=PLAN_TEXT_RUN)
    if flags.source is None:
        raise PlanError(
            "nothing says what to copy",
            hint=f"dynaferry {command} SOURCE TARGET, or dynaferry {command} --plan PLAN.toml",
        )
    if flags.target is None:
        return PlanDraft(tables=(TablePlan(flags.source),))
    return PlanDraft(tables=(TablePlan(flags.source, flags.target),))


def _apply(plan: PlanDraft, flags: CopyFlags) -> PlanDraft:
    changes: dict[str, Any] = _given(flags, {name: name for name in _SAME_NAME})
    changes |= _given(flags, {"patience": "patience_seconds"})
    for side in ("source", "target"):
        account: Account = getattr(plan, side)
        given = _given(flags, {f"{side}_{name}": name for name in _ACCOUNT_SETTINGS})
        changes[side] = msgspec.structs.replace(account, **given)
    if flags.exclude:
        changes["exclude"] = tuple(flags.exclude)
    if flags.segments is not None:
        changes["segments"] = _segments(flags.segments)
        # What is typed counts for every table, also for one with a number of its own.
        changes["tables"] = tuple(
            msgspec.structs.replace(table, segments=None) for table in plan.tables
        )
    return msgspec.structs.replace(plan, **changes)


def _given(flags: CopyFlags | MoveFlags, names: dict[str, str]) -> dict[str, Any]:
    """What was given of these flags, under the names of the settings."""
    values = {setting: getattr(flags, flag) for flag, setting in names.items()}
    return {
        setting: _as_setting(value)
        for setting, value in values.items()
        # What may be given several times is an empty list where it is not given.
        if value is not None and value != []
    }


def _as_setting(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return value.value if isinstance(value, Enum) else value


def _segments(text: str) -> int | None:
    if text == "auto":
        return None
    try:
        return int(text)
    except ValueError:
        raise PlanError(
            f"--segments {text!r} is neither a number nor 'auto'",
            hint="leave it out to have it decided by the table's size",
        ) from None
