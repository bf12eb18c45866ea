"""What to copy, from where to where, and how: one frozen tree of settings.

A plan comes from the command line, from a TOML file, or from code; `validate()` is the one place
that says what makes sense, wherever it came from.
"""

import hashlib
import math
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from dynaferry import limits
from dynaferry.errors import PlanError
from dynaferry.plan.schedule import Schedule, ScheduleEntry, Weekday, check_limits
from dynaferry.shared.files import decoded, expanded, read_bounded
from dynaferry.shared.urls import checked_url

OnReject = Literal["dead-letter", "stop"]
Compress = Literal["auto", "on", "off"]
IfPresent = Literal["keep", "overwrite", "accept"]

DEFAULT_READERS = 32
DEFAULT_WRITERS = 128
DEFAULT_STATE_DIR = Path(".dynaferry")
DEFAULT_PATIENCE_SECONDS = 300.0
DEFAULT_MAX_REJECTED = 1000
MOST_PLAN_BYTES = 16 * 1024 * 1024

_TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
_TABLE_ARN = re.compile(
    r"arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:[0-9]{12}:table/(?P<name>[a-zA-Z0-9_.-]{3,255})"
)
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+")
# Of the file beside a run's own that keeps its verification.
RESERVED_RUN_SUFFIX: Final = ".verify"
# With what is added to it, a run's name is that of a file: 255 bytes everywhere.
MAX_RUN_NAME = 200
_RUN_NAME = re.compile(rf"[a-zA-Z0-9_][a-zA-Z0-9_.-]{{0,{MAX_RUN_NAME - 1}}}")
_DIGEST_DIGITS = 16


class Account(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach one side. What is left out comes from the environment, as in the AWS CLI."""

    region: str | None = None
    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    endpoint_url: str | None = None

    def __repr__(self) -> str:
        """Everything but the external id, which is a secret (invariant 8)."""
        return (
            f"Account(region={self.region!r}, profile={self.profile!r}, "
            f"role_arn={self.role_arn!r}, endpoint_url={self.endpoint_url!r})"
        )


class TablePlan(Struct, frozen=True, forbid_unknown_fields=True):
    """One table to copy: names or ARNs, and limits of its own in capacity units a second."""

    source: str
    target: str
    segments: Annotated[int, Meta(ge=1, le=limits.SCAN_MAX_TOTAL_SEGMENTS)] | None = None
    max_read_units: Annotated[float, Meta(ge=limits.LEAST_CAP_UNITS)] | None = None
    max_write_units: Annotated[float, Meta(ge=limits.LEAST_CAP_UNITS)] | None = None

    @property
    def source_name(self) -> str:
        """The source's table name, without the rest of an ARN."""
        return table_name(self.source)

    @property
    def target_name(self) -> str:
        """The target's table name, without the rest of an ARN."""
        return table_name(self.target)


class CopyPlan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a copy is told.

    Limits are capacity units a second and hold for the run in total, whatever the number of
    tables; `TablePlan` has limits for one table. `segments` None means: decide by the table's
    size. `patience_seconds` is how long a side may accept nothing before the run stops, and
    `max_rejected` how many items the targets may refuse, in total, before it does.
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
    tables_at_once: Annotated[int, Meta(ge=1, le=64)] = 1
    consistent_read: bool = False
    create_target: bool = False
    warm_target: Annotated[int, Meta(ge=1)] | None = None
    allow_non_empty_target: bool = False
    state_dir: Path = DEFAULT_STATE_DIR
    restart: bool = False
    compress: Compress = "auto"
    on_reject: OnReject = "dead-letter"
    max_rejected: Annotated[int, Meta(ge=0)] = DEFAULT_MAX_REJECTED
    patience_seconds: Annotated[float, Meta(gt=0)] = DEFAULT_PATIENCE_SECONDS
    price_per_million_writes: Annotated[float, Meta(ge=0)] = limits.PRICE_PER_MILLION_WRITES
    price_per_million_reads: Annotated[float, Meta(ge=0)] = limits.PRICE_PER_MILLION_READS
    limits: Schedule = Schedule()  # last: its name hides that of the module from here on

    @classmethod
    def for_table(
        cls, source: str, target: str, *, from_: Account | None = None, to: Account | None = None
    ) -> "CopyPlan":
        """The plan that copies one table, all else at its default.

        :raises PlanError: a name, ARN or URL is not one
        """
        return validate(
            cls(
                tables=(TablePlan(source, target),),
                source=from_ or Account(),
                target=to or Account(),
            )
        )

    @property
    def run_name(self) -> str:
        """The name of the run and of its state file, the same each time for the same tables."""
        if self.run is not None:
            return self.run
        first = self.tables[0]
        if first.source_name == first.target_name:
            return _as_run_name(first.source_name)
        return _as_run_name(f"{first.source_name}-to-{first.target_name}")


def _as_run_name(name: str) -> str:
    """A name that a run may have: tables may have longer ones, and begin with a dot or a dash."""
    if name[:1] in (".", "-"):
        name = f"_{name}"
    if len(name) <= MAX_RUN_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST_DIGITS]
    return f"{name[: MAX_RUN_NAME - _DIGEST_DIGITS - 1]}-{digest}"


def table_name(name_or_arn: str) -> str:
    """The table's name, from its name or its ARN."""
    return name_or_arn.rpartition("/")[2]


def with_region(account: Account, tables: Sequence[str]) -> Account:
    """The account with the region that its table ARNs name, where it names none itself."""
    if account.region is None:
        for table in tables:
            if table.startswith("arn:"):
                return msgspec.structs.replace(account, region=table.split(":")[3])
    return account


def read_plan(path: Path) -> CopyPlan:
    """Reads a plan file (TOML). A run is named after the file unless the plan names it.

    :raises PlanError: the file cannot be read, is not TOML, or holds what a plan does not know
    """
    document = _read_document(path)
    document.setdefault("run", path.stem)

    def named(key: str) -> str:
        return f"{key} in the plan {path}" if key else f"the plan {path}"

    try:
        plan = _convert(document)
    except msgspec.ValidationError as error:
        raise _in_words(error, document, named) from error
    _check_finite(plan, named)
    check_limits(plan.limits, named)
    return plan


def _read_document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(decoded(read_bounded(path, MOST_PLAN_BYTES)))
    except OSError as error:
        raise PlanError(
            f"the plan {path} cannot be read: {error.strerror}", hint="name a TOML file"
        ) from error
    except UnicodeError as error:
        raise PlanError(
            f"the plan {path} is not UTF-8 text",
            hint="save it as UTF-8; in PowerShell: Set-Content -Encoding utf8",
        ) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PlanError(f"the plan {path} is not valid TOML: {error}") from error


def _convert(document: object) -> CopyPlan:
    return msgspec.convert(document, CopyPlan, dec_hook=_to_path)


def _to_path(_: object, value: object) -> Path:
    if not isinstance(value, str):
        raise TypeError(f"Expected `str`, got `{_type_name(value)}`")
    if "\0" in value:
        raise ValueError("no path has a zero byte")
    return expanded(value)


def _type_name(value: object) -> str:
    names = {bool: "bool", int: "int", float: "float", list: "array", dict: "object"}
    return names.get(type(value), "null")


def validate(plan: CopyPlan) -> CopyPlan:
    """Returns the plan if it makes sense.

    :raises PlanError: names the first setting that does not, and what it should be
    """
    settings = msgspec.to_builtins(plan, enc_hook=str)
    _check_finite(plan, _flag)
    try:
        _convert(settings)
    except msgspec.ValidationError as error:
        raise _in_words(error, settings, _flag) from error
    check_limits(plan.limits, str)
    _check_tables(plan)
    check_account("source", plan.source)
    check_account("target", plan.target)
    if plan.sts_endpoint_url is not None:
        checked_url("--sts-endpoint-url", plan.sts_endpoint_url)
    if not _RUN_NAME.fullmatch(plan.run_name):
        raise PlanError(
            f"a run cannot be named {plan.run_name!r}",
            hint=f"use at most {MAX_RUN_NAME} letters, digits, '.', '_' and '-'",
        )
    if plan.run_name.endswith(RESERVED_RUN_SUFFIX):
        raise PlanError(
            f"a run cannot be named {plan.run_name!r}: such names are those of verifications",
            hint="give the run another name with --run",
        )
    return plan


# What msgspec says of a value, and what people read.
_FAULTS: Final = (
    (re.compile(r"Expected `\w+` >= (.+)"), "must be at least {}"),
    (re.compile(r"Expected `\w+` <= (.+)"), "must be at most {}"),
    (re.compile(r"Expected `\w+` > (.+)"), "must be more than {}"),
    (re.compile(r"Expected `(\w+).*`, got `(\w+)`"), "must be {}, not {}"),
    (re.compile(r"Object missing required field `(.+)`"), "has no {}"),
    (re.compile(r"Invalid enum value '(.+)'"), "cannot be {!r}"),
)
_TYPES: Final = {
    "int": "a whole number",
    "null": "nothing",
    "float": "a number",
    "fraction": "a fraction",
    "str": "text in quotes",
    "bool": "true or false",
    "array": "a list",
    "object": "a section",
}
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(.+)`")
_SECTIONS: Final = {
    "source": Account,
    "target": Account,
    "tables": TablePlan,
    "limits": Schedule,
    "schedule": ScheduleEntry,
}


def _in_words(
    error: msgspec.ValidationError, document: Mapping[str, Any], named: Callable[[str], str]
) -> PlanError:
    """The error in the words of whoever wrote the plan; `named` gives a key as it was written."""
    what, _, path = str(error).replace("got `float`", "got `fraction`").partition(" - at `$")
    section, _, key = path.rstrip("`").lstrip(".").rpartition(".")
    unknown = _UNKNOWN_FIELD.fullmatch(what)
    if unknown is not None:
        return _unknown_key(unknown[1], key, named(_place(key, document)))
    if section.startswith("tables"):
        key = f"{key} of {_place(section, document)}"
    elif key.startswith("tables["):
        key = _place(key, document)
    elif section.startswith("limits.schedule"):
        key = f"{key.partition('[')[0]} of {_place(section.removeprefix('limits.'), document)}"
    elif section:
        key = f"{section}.{key}"
    hint = _choice(key) if "enum" in what else None
    return PlanError(f"{named(key)} {_fault(what)}", hint=hint)


def _choice(key: str) -> str:
    if key.startswith("max_"):
        return 'it is a number, or "none"'
    words = get_args(Weekday if key.startswith("weekdays") else OnReject)
    return f"it is one of {', '.join(words)}"


def _unknown_key(unknown: str, section: str, place: str) -> PlanError:
    known = _SECTIONS.get(section.partition("[")[0], CopyPlan).__struct_fields__
    likely = get_close_matches(unknown, known, n=1)
    hint = f"did you mean {likely[0]!r}?" if likely else f"there is {', '.join(known)}"
    return PlanError(f"{unknown!r} is not a key of {place}", hint=hint)


def _place(section: str, document: Mapping[str, Any]) -> str:
    """A section as people know it: a table by its source, or counted from 1."""
    entry = re.fullmatch(r"schedule\[(\d+)\]", section)
    if entry is not None:
        return f"entry {int(entry[1]) + 1} of limits.schedule"
    number = re.fullmatch(r"tables\[(\d+)\]", section)
    if number is None:
        return f"[{section}]" if section else ""
    index = int(number[1])
    table = document["tables"][index]
    source = table.get("source") if isinstance(table, dict) else None
    return f"the table {source}" if isinstance(source, str) else f"table {index + 1}"


def _fault(what: str) -> str:
    for pattern, words in _FAULTS:
        found = pattern.fullmatch(what)
        if found is not None:
            return words.format(*(_word(group) for group in found.groups()))
    return f"is not understood: {what}"


def _word(word: str) -> str:
    try:
        return f"{float(word):,g}" if float(word) < 1000 else f"{float(word):,.0f}"
    except ValueError:
        return _TYPES.get(word, word)


def _flag(key: str) -> str:
    """A setting as it is typed; what is of one table has no flag."""
    if not key or "table " in key:
        return key or "the plan"
    if key.startswith("entry ") or " of entry " in key or key.startswith("limits"):
        return key
    return "--" + key.removesuffix("_seconds").replace("_", "-").replace(".", "-")


def _check_finite(plan: CopyPlan, named: Callable[[str], str]) -> None:
    """No limit is said by leaving it out: `inf` and `nan` would pass as numbers."""
    places = [("", plan), *((f" of the table {table.source}", table) for table in plan.tables)]
    for where, settings in places:
        for key in settings.__struct_fields__:
            value = getattr(settings, key)
            if isinstance(value, float) and not math.isfinite(value):
                raise PlanError(f"{named(key + where)} must be a number, not {value}")


def _check_tables(plan: CopyPlan) -> None:
    if not plan.tables:
        raise PlanError("the plan names no table", hint="add a [[tables]] with source and target")
    for table in plan.tables:
        for side, value in (("source", table.source), ("target", table.target)):
            if not (_TABLE_NAME.fullmatch(value) or _TABLE_ARN.fullmatch(value)):
                raise PlanError(
                    f"the {side} {value!r} is neither a table name nor a table ARN",
                    hint="a name has 3 to 255 letters, digits, '.', '_' or '-'",
                )
    targets = [table.target for table in plan.tables]
    for target in targets:
        if targets.count(target) > 1:
            raise PlanError(f"the target {target!r} is named twice in the plan")


def check_account(side: str, account: Account) -> None:
    """Returns if a side can be reached as it says.

    :raises PlanError: names the setting that makes no sense
    """
    if account.endpoint_url is not None:
        checked_url(f"--{side}-endpoint-url", account.endpoint_url)
    if account.role_arn is not None and not _ROLE_ARN.fullmatch(account.role_arn):
        raise PlanError(
            f"the {side} role {account.role_arn!r} is not a role ARN",
            hint="it looks like arn:aws:iam::123456789012:role/name",
        )
    if account.external_id is not None and account.role_arn is None:
        raise PlanError(
            f"an external id for the {side} needs a role to assume",
            hint=f"add --{side}-role-arn; an external id may also come from the variable "
            f"DYNAFERRY_{side.upper()}_EXTERNAL_ID",
        )
    if account.external_id is not None and not 2 <= len(account.external_id) <= 1224:
        raise PlanError(f"the external id for the {side} must have 2 to 1224 characters")


class RecordedSettings(Struct, frozen=True, kw_only=True):
    """The settings that a state file keeps: what a later command needs, and no secret.

    A profile names a person's machine and an external id is a secret: neither is kept.
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


def recorded_settings(plan: CopyPlan) -> RecordedSettings:
    """What of the plan goes into the state file."""
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
    )
