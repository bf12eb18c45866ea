"""The settings of a copy: one frozen tree of tables, accounts and limits.

A plan comes from the command line, from a TOML file (`plan_file`), or from code; `validation` is
the one place that says what makes sense, wherever it came from.
"""

import hashlib
import re
from pathlib import Path
from typing import Annotated, Final, Literal, TypedDict, Unpack

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from dynaferry import limits
from dynaferry.plan.schedule import Schedule
from dynaferry.shared.arn import resource_name

OnReject = Literal["dead-letter", "stop"]
Compress = Literal["auto", "on", "off"]
IfPresent = Literal["keep", "overwrite", "accept"]
WayBack = Literal["keep", "none"]

DEFAULT_READERS = 32
DEFAULT_WRITERS = 128
DEFAULT_TABLES_AT_ONCE = 4
DEFAULT_STATE_DIR = Path(".dynaferry")
DEFAULT_PATIENCE_SECONDS = 300.0
DEFAULT_MAX_REJECTED = 1000
# Stands for a target that has the source's name.
SAME_NAME: Final = "="
# Of the file beside a run's own that keeps its verification.
RESERVED_RUN_SUFFIX: Final = ".verify"
# Where a move's spools are kept.
SPOOL_RUN_NAME: Final = re.compile(r"\.(spool|way-back)(\.[0-9]+)?$")
# With what is added to it, a run's name is that of a file: 255 bytes everywhere.
MAX_RUN_NAME = 200
_DIGEST_DIGITS = 16


class Account(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The account of one side. What is left out comes from the environment, as in the AWS CLI.

    `streams_endpoint_url` is where a move reads the streams of the side's tables.
    """

    region: str | None = None
    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    endpoint_url: str | None = None
    streams_endpoint_url: str | None = None

    def __repr__(self) -> str:
        """Everything but the external id, which is a secret (invariant 8)."""
        return (
            f"Account(region={self.region!r}, profile={self.profile!r}, "
            f"role_arn={self.role_arn!r}, endpoint_url={self.endpoint_url!r}, "
            f"streams_endpoint_url={self.streams_endpoint_url!r})"
        )


class TablePlan(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One table to copy: names or ARNs, and limits of its own in capacity units a second.

    A target that is left out has the source's name. With wildcards in both it stands for all
    tables that match, but those in `exclude`: see `plan.patterns`.
    """

    source: str
    target: str = SAME_NAME
    segments: Annotated[int, Meta(ge=1, le=limits.SCAN_MAX_TOTAL_SEGMENTS)] | None = None
    max_read_units: Annotated[float, Meta(ge=limits.LEAST_CAP_UNITS)] | None = None
    max_write_units: Annotated[float, Meta(ge=limits.LEAST_CAP_UNITS)] | None = None
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Gives a target that was left out its name."""
        if self.target == SAME_NAME:
            force_setattr(self, "target", self.source_name)

    @property
    def source_name(self) -> str:
        """The source's table name, without the rest of an ARN."""
        return resource_name(self.source)

    @property
    def target_name(self) -> str:
        """The target's table name, without the rest of an ARN."""
        return resource_name(self.target)


class PlanDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a plan as a file has them, before flags: they may make no sense together.

    Limits are capacity units a second and hold for the run in total, whatever the number of
    tables; `TablePlan` has limits for one table. `segments` None means: decide by the table's
    size. Of the tables that patterns match, those in `exclude` are left out. `patience_seconds` is
    how long a side may accept nothing before the run stops, and
    `max_rejected` how many items the targets may refuse, in total, before it does.

    For a move alone: `without_stream` follows by passes that compare all, `enable_stream` enables
    the stream of a source that has none, and the spools of all tables may take `spool_max_bytes` of
    the disk, where None is half of what is free; beyond, they keep keys alone. With `way_back`
    "keep" the targets' streams are captured, too.

    A table that fails ends alone, unless it is to `fail_fast`. Of the tables, `only` some are
    taken, all but those to `skip`; what was copied of those in `restart_table` is forgotten. They
    are named by their sources or targets, or by patterns of them as a shell has.
    """

    tables: tuple[TablePlan, ...]
    source: Account = Account()
    target: Account = Account()
    run: str | None = None
    sts_endpoint_url: str | None = None
    segments: Annotated[int, Meta(ge=1, le=limits.SCAN_MAX_TOTAL_SEGMENTS)] | None = None
    readers: Annotated[int, Meta(ge=1, le=1024)] = DEFAULT_READERS
    writers: Annotated[int, Meta(ge=1, le=4096)] = DEFAULT_WRITERS
    max_read_units: Annotated[float, Meta(ge=limits.LEAST_CAP_UNITS)] | None = None
    max_write_units: Annotated[float, Meta(ge=limits.LEAST_CAP_UNITS)] | None = None
    tables_at_once: Annotated[int, Meta(ge=1, le=64)] = DEFAULT_TABLES_AT_ONCE
    consistent_read: bool = False
    create_target: bool = False
    warm_target: Annotated[int, Meta(ge=1)] | None = None
    allow_non_empty_target: bool = False
    state_dir: Path = DEFAULT_STATE_DIR
    restart: bool = False
    fail_fast: bool = False
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    restart_table: tuple[str, ...] = ()
    compress: Compress = "auto"
    on_reject: OnReject = "dead-letter"
    max_rejected: Annotated[int, Meta(ge=0)] = DEFAULT_MAX_REJECTED
    patience_seconds: Annotated[float, Meta(gt=0)] = DEFAULT_PATIENCE_SECONDS
    price_per_million_writes: Annotated[float, Meta(ge=0)] = limits.PRICE_PER_MILLION_WRITES
    price_per_million_reads: Annotated[float, Meta(ge=0)] = limits.PRICE_PER_MILLION_READS
    without_stream: bool = False
    enable_stream: bool = False
    spool_max_bytes: Annotated[int, Meta(ge=0)] | None = None
    way_back: WayBack = "none"
    exclude: tuple[str, ...] = ()
    limits: Schedule = Schedule()  # last: its name hides that of the module from here on


class CopyPlan(PlanDraft, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The plan of a copy: all of its settings, which make sense. See `PlanDraft` for each.

    :raises PlanError: they do not
    """

    def __post_init__(self) -> None:
        """Refuses at once what a copy would refuse."""
        from dynaferry.plan.validation import check_plan  # which is about this class

        check_plan(self)

    @classmethod
    def for_table(
        cls,
        source: str,
        target: str | None = None,
        *,
        from_: Account | None = None,
        to: Account | None = None,
        **options: Unpack["PlanOptions"],
    ) -> "CopyPlan":
        """The plan that copies one table, under the source's name unless another is given.

        `options` are the settings of a plan by their names; what is left out has its default.

        :raises PlanError: a name, ARN, URL or setting makes no sense
        """
        from dynaferry.plan.validation import validate  # which is about this class

        return validate(
            cls(
                tables=(TablePlan(source, SAME_NAME if target is None else target),),
                source=from_ or Account(),
                target=to or Account(),
                **options,
            )
        )

    @property
    def run_name(self) -> str:
        """The name of the run and of its state file, the same each time for the same tables."""
        return run_name_of(self)


def run_name_of(plan: PlanDraft) -> str:
    """The name of a plan's run: its own, or that of its first table."""
    if plan.run is not None:
        return plan.run
    first = plan.tables[0]
    source, target = _spelt_out(first.source_name), _spelt_out(first.target_name)
    return _as_run_name(source if source == target else f"{source}-to-{target}")


def _spelt_out(name: str) -> str:
    """A name without wildcards, which no file should have in its name."""
    return name.replace("*", "all").replace("?", "any")


def _as_run_name(name: str) -> str:
    """A name that a run may have: tables may have longer ones, and begin with a dot or a dash."""
    if name[:1] in (".", "-"):
        name = f"_{name}"
    if len(name) <= MAX_RUN_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST_DIGITS]
    return f"{name[: MAX_RUN_NAME - _DIGEST_DIGITS - 1]}-{digest}"


class PlanOptions(TypedDict, total=False):
    """The settings of a plan as keywords: all but its tables and their accounts."""

    run: str | None
    sts_endpoint_url: str | None
    segments: int | None
    readers: int
    writers: int
    max_read_units: float | None
    max_write_units: float | None
    tables_at_once: int
    consistent_read: bool
    create_target: bool
    warm_target: int | None
    allow_non_empty_target: bool
    state_dir: Path
    restart: bool
    fail_fast: bool
    only: tuple[str, ...]
    skip: tuple[str, ...]
    restart_table: tuple[str, ...]
    compress: Compress
    on_reject: OnReject
    max_rejected: int
    patience_seconds: float
    price_per_million_writes: float
    price_per_million_reads: float
    without_stream: bool
    enable_stream: bool
    spool_max_bytes: int | None
    way_back: WayBack
    exclude: tuple[str, ...]
    limits: Schedule
