"""The `dynaferry` command: what can be typed, and the last place where an error can be told."""

import io
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, cast

import typer

from dynaferry._version import __version__
from dynaferry.cli import exit_codes, failure, screen
from dynaferry.cli.app import options
from dynaferry.cli.app.bench import bench_app
from dynaferry.cli.app.control import add_control_commands
from dynaferry.cli.app.dead_letters import letters_app
from dynaferry.cli.app.panels import (
    OUTPUT,
    SAFETY,
    SOURCE,
    SPEED,
    TARGET,
    PanelCommand,
    PanelGroup,
    examples,
    option,
    path_option,
)
from dynaferry.cli.app.verify import VERIFY_EXAMPLES, verify
from dynaferry.cli.flags import (
    CompressFlag,
    CopyFlags,
    LogFormatFlag,
    LogLevelFlag,
    OnRejectFlag,
    ProgressFlag,
)
from dynaferry.errors import PlanError
from dynaferry.plan.settings import DEFAULT_MAX_REJECTED, DEFAULT_STATE_DIR
from dynaferry.shared.printable import printable

# Typer takes click's errors from click or from a copy of its own, depending on its version. The
# root that knows how to show itself stands second above BadParameter in both.
_CommandLineError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[2])

# These log what they were answered, and what they sign with: never heard (invariant 8).
_TELLERS = ("aiobotocore", "boto3", "botocore", "urllib3")
_LIBRARIES = ("aiohttp", "asyncio")

app = typer.Typer(
    name="dynaferry",
    cls=PanelGroup,
    help="Copies DynamoDB tables between AWS accounts: parallel Scan on the source, BatchWriteItem"
    " on the target, resumable at any moment.",
    epilog=examples(
        "# Try it on this machine, without an account.",
        "dynaferry demo",
        "# Look first, copy, compare.",
        "dynaferry copy orders orders-2026 --create-target --dry-run",
        "dynaferry copy orders orders-2026 --create-target",
        "dynaferry verify orders orders-2026",
    ),
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        screen.print_lines([f"dynaferry {__version__}"])
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """What stands before a command."""


_COPY_EXAMPLES = examples(
    "# Look first: checks both tables, estimates time and cost, writes nothing.",
    "dynaferry copy orders orders --create-target --dry-run \\",
    "    --target-role-arn arn:aws:iam::222222222222:role/dynaferry-target",
    "# Copy, and leave most of the source to production. Again, to resume.",
    "dynaferry copy orders orders --create-target --max-read-units 500 \\",
    "    --target-role-arn arn:aws:iam::222222222222:role/dynaferry-target",
    "# Several tables, for a script.",
    "dynaferry copy --plan move.toml --progress none --json",
    "# Watched in a browser on this machine, with a button to pause it.",
    "dynaferry copy orders orders --metrics-listen 127.0.0.1:9464 --allow-control",
)


@app.command(cls=PanelCommand, epilog=_COPY_EXAMPLES)
def copy(
    source: options.SourceTable = None,
    target: options.TargetTable = None,
    plan: Annotated[
        Path | None,
        path_option(SOURCE, "Copy the tables of this plan file instead.", metavar="PLAN.toml"),
    ] = None,
    source_region: options.SourceRegion = None,
    source_profile: options.SourceProfile = None,
    source_role_arn: options.SourceRoleArn = None,
    source_external_id: options.SourceExternalId = None,
    source_endpoint_url: options.SourceEndpointUrl = None,
    target_region: options.TargetRegion = None,
    target_profile: options.TargetProfile = None,
    target_role_arn: options.TargetRoleArn = None,
    target_external_id: options.TargetExternalId = None,
    target_endpoint_url: options.TargetEndpointUrl = None,
    sts_endpoint_url: options.StsEndpointUrl = None,
    create_target: Annotated[
        bool | None,
        option(
            TARGET,
            "Create the target like the source if it is not there.",
            "--create-target/--no-create-target",
        ),
    ] = None,
    warm_target: Annotated[
        int | None,
        option(
            TARGET,
            "Ask for so many warm write units a second of the target and its indexes, and wait"
            " until they are ready. It is billed and never decreases.",
            metavar="N",
        ),
    ] = None,
    segments: options.Segments = None,
    readers: options.Readers = None,
    writers: options.Writers = None,
    max_read_units: Annotated[
        float | None,
        option(
            SPEED,
            "Never use more read capacity units a second than this, in total.",
            metavar="RCU/s",
        ),
    ] = None,
    max_write_units: Annotated[
        float | None,
        option(
            SPEED,
            "Never use more write capacity units a second than this, in total.",
            metavar="WCU/s",
        ),
    ] = None,
    tables_at_once: Annotated[
        int | None, option(SPEED, "Tables copied at once. [default: 1]", metavar="N")
    ] = None,
    compress: Annotated[
        CompressFlag | None,
        option(
            SPEED,
            "Ask the source for packed answers (gzip); auto does where it is far away."
            " [default: auto]",
        ),
    ] = None,
    patience: options.Patience = None,
    dry_run: Annotated[
        bool,
        option(SAFETY, "Look and estimate; write nothing.", "--dry-run", show_default=False),
    ] = False,
    after_copy: Annotated[
        bool,
        option(
            SAFETY,
            "Verify at once when the copy is done: compare both tables, as `verify` does.",
            "--after-copy",
            show_default=False,
        ),
    ] = False,
    consistent_read: Annotated[
        bool | None,
        option(
            SAFETY,
            "Read the source consistently, for twice the read units.",
            "--consistent-read/--no-consistent-read",
        ),
    ] = None,
    allow_non_empty_target: Annotated[
        bool | None,
        option(
            SAFETY,
            "Copy into a target that holds items; same keys are overwritten.",
            "--allow-non-empty-target/--no-allow-non-empty-target",
        ),
    ] = None,
    on_reject: Annotated[
        OnRejectFlag | None,
        option(
            SAFETY,
            "What to do with an item that the target refuses: keep it aside and go on,"
            " or stop. [default: dead-letter]",
        ),
    ] = None,
    max_rejected: Annotated[
        int | None,
        option(
            SAFETY,
            "Stop when more items than this are refused, in total: that is a wrong target, not"
            f" bad items. [default: {DEFAULT_MAX_REJECTED}]",
            metavar="N",
        ),
    ] = None,
    run: options.RunName = None,
    state_dir: options.StateDir = None,
    restart: options.Restart = None,
    price_per_million_writes: Annotated[
        float | None,
        option(OUTPUT, "For the estimate: price of a million write units.", metavar="DOLLARS"),
    ] = None,
    price_per_million_reads: Annotated[
        float | None,
        option(OUTPUT, "For the estimate: price of a million read units.", metavar="DOLLARS"),
    ] = None,
    metrics_listen: options.MetricsListen = None,
    metrics_push: options.MetricsPush = None,
    metrics_textfile: options.MetricsTextfile = None,
    metrics_linger: options.MetricsLinger = 0.0,
    finish_by: options.FinishBy = None,
    allow_control: options.AllowControl = False,
    log_format: options.LogFormat = LogFormatFlag.TEXT,
    log_level: options.LogLevel = LogLevelFlag.WARNING,
    progress: options.Progress = ProgressFlag.AUTO,
    json: options.Json = False,
) -> int:
    """Copy one table, or the tables of a plan. The same command again resumes.

    Exit codes: 0 done; 2 usage or plan error; 3 refused before anything was written; 4 done, but
    items were rejected; 5 stopped by an error, resumable; 6 done, but --after-copy found other
    differences than the rejected items; 130 interrupted, resumable.
    """
    # CopyFlags has a field for each of these parameters, by the same name.
    flags = CopyFlags(**locals())
    from dynaferry.cli.commands.copy import run_copy

    return run_copy(flags)


@app.command(
    cls=PanelCommand, epilog=examples("dynaferry status", "dynaferry status orders --json")
)
def status(
    run: options.Run = None,
    state_dir: options.RunsDir = DEFAULT_STATE_DIR,
    json: options.Document = False,
) -> int:
    """Say how far a run is, from its state file; works while it runs and after."""
    from dynaferry.cli.commands.status import run_status

    return run_status(run, state_dir, as_json=json)


app.command(cls=PanelCommand, epilog=VERIFY_EXAMPLES)(verify)
app.add_typer(letters_app, name="dead-letters")
app.add_typer(bench_app, name="bench")
add_control_commands(app)


_REPORT_EXAMPLES = examples(
    "dynaferry report orders -o orders.html",
    "# With what `dynaferry verify --certificate orders.json` found.",
    "dynaferry report orders -o orders.html --certificate orders.json",
)


@app.command(cls=PanelCommand, epilog=_REPORT_EXAMPLES)
def report(
    run: options.Run = None,
    output: Annotated[
        Path, path_option(OUTPUT, "The file to write.", "--output", "-o", metavar="FILE.html")
    ] = Path("report.html"),
    certificate: Annotated[
        Path | None,
        path_option(
            OUTPUT,
            "What verify certified of this run's tables after its last write, to be told as well.",
            metavar="FILE",
        ),
    ] = None,
    state_dir: options.RunsDir = DEFAULT_STATE_DIR,
) -> int:
    """Write what a run did into one HTML file that needs nothing else: to keep or to send."""
    from dynaferry.cli.commands.report import run_report

    return run_report(run, state_dir, output, certificate)


@app.command(
    cls=PanelCommand, epilog=examples("dynaferry demo", "dynaferry demo --items 100000 --keep")
)
def demo(
    items: Annotated[
        int, option(SPEED, "How many items to seed and copy.", min=1, metavar="N")
    ] = 20_000,
    keep: Annotated[
        bool, option(SAFETY, "Keep the state directory.", "--keep", show_default=False)
    ] = False,
) -> int:
    """Copy between two accounts on this machine, and check every item. Needs no AWS account."""
    from dynaferry.cli.commands.demo import run_demo

    return run_demo(items, keep=keep)


def run_command(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code. Nothing is raised."""
    as_json = "--json" in arguments
    try:
        code = typer.main.get_command(app).main(
            list(arguments), prog_name="dynaferry", standalone_mode=False
        )
    except _CommandLineError as error:
        return _report_usage(error, as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        return failure.report_interrupt(as_json=as_json)
    except OSError as error:
        # Each command tells its own errors: what is left is that stdout takes nothing.
        screen.say(f"error: stdout cannot be written: {error.strerror}")
        return exit_codes.INTERNAL
    except Exception as error:  # noqa: BLE001  # the edge: everything is told, nothing is raised
        return failure.report(error, as_json=as_json)
    return code if isinstance(code, int) else exit_codes.COMPLETE


def _report_usage(error: typer.BadParameter, *, as_json: bool) -> int:
    # It holds what was typed, which may be anything; the help, where nothing was, has lines.
    if error.ctx is None or error.message != error.ctx.get_help():
        error.message = printable(error.message)
    said = io.StringIO()
    error.show(file=said)
    for line in said.getvalue().splitlines():
        screen.say(line)
    if as_json:
        summary = failure.summarize(PlanError(error.format_message()))
        failure.print_refusal(exit_codes.USAGE, summary, None)
    return exit_codes.USAGE


def _quiet(libraries: Sequence[str]) -> None:
    """Keeps libraries from telling on stderr, by a traceback, what an error of ours tells."""
    for name in libraries:
        logger = logging.getLogger(name)
        logger.addHandler(logging.NullHandler())
        logger.propagate = False


def main() -> None:
    """Runs the command line of this process."""
    screen.open_closed_streams()
    _quiet(_TELLERS)
    if not failure.wants_traceback():
        _quiet(_LIBRARIES)
    code = run_command(sys.argv[1:])
    screen.flush()
    sys.exit(code)
