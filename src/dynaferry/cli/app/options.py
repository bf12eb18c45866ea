"""The options that several commands share: declared once, so that they read the same."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from dynaferry.cli.app.about import run_names
from dynaferry.cli.app.panels import (
    OUTPUT,
    SAFETY,
    SOURCE,
    SPEED,
    TARGET,
    WATCH,
    option,
    path_option,
)
from dynaferry.cli.flags import LogFormatFlag, LogLevelFlag, ProgressFlag
from dynaferry.plan.settings import CopyPlan

# What a setting of the plan is where nobody says it.
_DEFAULTS: Final = dict(
    zip(reversed(CopyPlan.__struct_fields__), reversed(CopyPlan.__struct_defaults__), strict=False)
)


def default(setting: str) -> str:
    """The plan's default for this setting, as --help shows it."""
    value = _DEFAULTS[setting]
    return f"[default: {value:.0f}]" if isinstance(value, float) else f"[default: {value}]"


SourceTable = Annotated[
    str | None,
    typer.Argument(
        help="The source table: its name or ARN, or a pattern of names such as 'prod-*'.",
        metavar="SOURCE",
    ),
]
TargetTable = Annotated[
    str | None,
    typer.Argument(
        help="The target table: its name or ARN; of a pattern as many wildcards."
        " [default: the source's name]",
        metavar="TARGET",
        show_default=False,
    ),
]
Exclude = Annotated[
    list[str] | None,
    option(
        SOURCE,
        "Leave out this one of the tables that a pattern matches; may be given again.",
        "--exclude",
        metavar="PATTERN",
    ),
]


def plan_file(verb: str) -> Any:
    """The option --plan of a command; `verb` is what it does to tables, as --help says it."""
    help_text = f"{verb} the tables of this plan file instead."
    return path_option(SOURCE, help_text, metavar="PLAN.toml")


# How each side is reached --------------------------------------------------------------------


def _region(side: str) -> Any:
    return option(side, f"Region of the {side.lower()}. [default: as the AWS CLI finds it]")


def _profile(side: str) -> Any:
    return option(side, f"AWS profile to reach the {side.lower()} with.")


def _role_arn(side: str) -> Any:
    return option(side, f"Role to assume for the {side.lower()}.", metavar="ARN")


def _external_id(side: str) -> Any:
    return option(
        side,
        "External id for that role; the variable keeps it out of the process list.",
        envvar=f"DYNAFERRY_{side.upper()}_EXTERNAL_ID",
        show_envvar=True,
    )


def _endpoint_url(side: str) -> Any:
    help_text = f"Endpoint of the {side.lower()}, for a local DynamoDB."
    return option(side, help_text, metavar="URL")


SourceRegion = Annotated[str | None, _region(SOURCE)]
SourceProfile = Annotated[str | None, _profile(SOURCE)]
SourceRoleArn = Annotated[str | None, _role_arn(SOURCE)]
SourceExternalId = Annotated[str | None, _external_id(SOURCE)]
SourceEndpointUrl = Annotated[str | None, _endpoint_url(SOURCE)]
TargetRegion = Annotated[str | None, _region(TARGET)]
TargetProfile = Annotated[str | None, _profile(TARGET)]
TargetRoleArn = Annotated[str | None, _role_arn(TARGET)]
TargetExternalId = Annotated[str | None, _external_id(TARGET)]
TargetEndpointUrl = Annotated[str | None, _endpoint_url(TARGET)]
StsEndpointUrl = Annotated[
    str | None, option(TARGET, "Endpoint of STS, for both sides' roles.", metavar="URL")
]

# How fast ------------------------------------------------------------------------------------

Segments = Annotated[
    str | None,
    option(
        SPEED,
        "How many segments each table is cut into. [default: auto, by its size]",
        metavar="N|auto",
    ),
]
Writers = Annotated[
    int | None,
    option(SPEED, f"Most write requests in flight. {default('writers')}", metavar="N"),
]
Readers = Annotated[
    int | None,
    option(SPEED, f"Segments read at once. {default('readers')}", metavar="N"),
]
Patience = Annotated[
    float | None,
    option(
        SPEED,
        f"Give up when a side accepts nothing for this long. {default('patience_seconds')}",
        "--give-up-after",
        "--patience",
        metavar="SECONDS",
    ),
]

# Caps: their words say what each holds for in its command --------------------------------------


def _cap(kind: Literal["read", "write"], holds_for: str, *, begins: str = "Never") -> Any:
    help_text = f"{begins} use more {kind} capacity units a second than this{holds_for}"
    return option(SPEED, help_text, metavar="RCU/s" if kind == "read" else "WCU/s")


CopyReadCap = Annotated[float | None, _cap("read", ", in total.")]
CopyWriteCap = Annotated[float | None, _cap("write", ", in total.")]
VerifyReadCap = Annotated[float | None, _cap("read", ", on each side.")]
RepairWriteCap = Annotated[float | None, _cap("write", ".", begins="For a repair: never")]
ReplayWriteCap = Annotated[
    float | None,
    _cap("write", ". [default: the copy's] What dynaferry set has set counts first."),
]
NewWriteCap = Annotated[
    str | None,
    option(
        SPEED,
        "Most write capacity units a second from now on; none: no cap; default: what the plan"
        " or its flag says.",
        metavar="N|none|default",
    ),
]
NewReadCap = Annotated[
    str | None,
    option(SPEED, "The same for read capacity units.", metavar="N|none|default"),
]


def tables_at_once(done: str) -> Any:
    """The option --tables-at-once; `done` is what is done to tables, as --help says it."""
    help_text = f"Tables {done} at once. {default('tables_at_once')}"
    return option(SPEED, help_text, metavar="N")


# Watched from outside ------------------------------------------------------------------------

MetricsListen = Annotated[
    str | None,
    option(
        WATCH,
        "Serve the live page, /metrics and /healthz there while it runs.",
        metavar="HOST:PORT",
    ),
]
MetricsPush = Annotated[
    str | None,
    option(WATCH, "Push metrics to this Pushgateway every 15 seconds.", metavar="URL"),
]
MetricsTextfile = Annotated[
    Path | None,
    path_option(WATCH, "Write metrics to this *.prom file, for node_exporter.", metavar="FILE"),
]
MetricsLinger = Annotated[
    float,
    option(
        WATCH,
        "Keep serving after the end, so that the last scrape has it. [default: 0]",
        min=0,
        metavar="SECONDS",
        show_default=False,
    ),
]
FinishBy = Annotated[
    str | None,
    option(
        WATCH,
        "When the copy has to be done, for an alert: 2026-03-01T06:00, or with a zone"
        " 2026-03-01T06:00+01:00.",
        metavar="TIME",
    ),
]

OnEnd = Annotated[
    str | None,
    option(
        WATCH,
        "A command of yours that is run when it has ended, however it ended but for a kill; it"
        " finds run, status and exit code in DYNAFERRY_ENDED_RUN, _STATUS and _EXIT_CODE.",
        metavar="COMMAND",
    ),
]
AllowControl = Annotated[
    bool,
    option(
        WATCH,
        "Let the live page pause the run and change its limits: on this machine, with the token"
        " that is printed.",
        "--allow-control",
        show_default=False,
    ),
]
LogFormat = Annotated[
    LogFormatFlag,
    option(
        OUTPUT, "Write events as text lines, or all that goes to stderr as one JSON object a line."
    ),
]
LogLevel = Annotated[
    LogLevelFlag,
    option(
        OUTPUT, "Which events are written: info has tables and failed requests, debug segments."
    ),
]

# State and output ----------------------------------------------------------------------------

RunName = Annotated[
    str | None,
    option(SAFETY, "Name of the run. [default: after the tables or the plan]", metavar="NAME"),
]
StateDir = Annotated[
    Path | None,
    path_option(
        SAFETY,
        f"Where runs are kept, to resume them. {default('state_dir')}",
        metavar="DIR",
    ),
]
Restart = Annotated[
    bool | None,
    option(SAFETY, "Forget what an earlier attempt did and start over.", "--restart/--no-restart"),
]
FailFast = Annotated[
    bool | None,
    option(
        SAFETY,
        "Stop all tables when one fails; else it ends alone, and the others continue.",
        "--fail-fast/--no-fail-fast",
    ),
]


def _tables(help_text: str) -> Any:
    return option(SAFETY, f"{help_text} Repeatable.", metavar="TABLE")


Only = Annotated[list[str] | None, _tables("Only this table of the plan, or these: 'prod-*'.")]
Skip = Annotated[list[str] | None, _tables("Leave this table of the plan out, or these.")]
RestartTable = Annotated[
    list[str] | None, _tables("Begin this table again; the others keep what they have.")
]
Run = Annotated[
    str | None,
    typer.Argument(
        help="The run; may be left out where there is one.",
        metavar="RUN",
        autocompletion=run_names,
    ),
]
RunsDir = Annotated[Path, path_option(SAFETY, "Where runs are kept.", metavar="DIR")]
Progress = Annotated[
    ProgressFlag,
    option(
        OUTPUT,
        "A live display, a line every 10 seconds, or nothing; auto checks whether stderr"
        " is a terminal.",
    ),
]
Json = Annotated[
    bool,
    option(OUTPUT, "Print one JSON document on stdout at the end.", "--json", show_default=False),
]
Document = Annotated[
    bool, option(OUTPUT, "Print one JSON document on stdout.", "--json", show_default=False)
]
ExportFile = Annotated[
    Path | None,
    path_option(
        OUTPUT,
        "The file to write, readable by you alone. [default: stdout]",
        "--output",
        "-o",
        metavar="FILE",
    ),
]
