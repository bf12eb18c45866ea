"""The `dynaferry` command: its commands, and the last place where an error is reported."""

import io
import logging
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, cast

import typer

from dynaferry.cli import exit_codes, failure, screen, usage_words
from dynaferry.cli.app import environment
from dynaferry.cli.app.about import COMPLETE_VARIABLE, VERSION_LINE, add_about_commands
from dynaferry.cli.app.bench import bench_app
from dynaferry.cli.app.control import add_control_commands
from dynaferry.cli.app.copy import COPY_EXAMPLES, copy
from dynaferry.cli.app.cut_over import add_switch_commands
from dynaferry.cli.app.dead_letters import letters_app
from dynaferry.cli.app.demo import DEMO_EXAMPLES, demo
from dynaferry.cli.app.late_writes import late_app
from dynaferry.cli.app.move import MOVE_EXAMPLES, move
from dynaferry.cli.app.panels import PanelCommand, PanelGroup, examples
from dynaferry.cli.app.plan import PLAN_EXAMPLES, plan
from dynaferry.cli.app.report import REPORT_EXAMPLES, report
from dynaferry.cli.app.status import RUNS_EXAMPLES, STATUS_EXAMPLES, runs, status
from dynaferry.cli.app.verify import VERIFY_EXAMPLES, verify
from dynaferry.errors import PlanError
from dynaferry.shared.printable import printable

# Typer takes click's errors from click or from a copy of its own, depending on its version. The
# root that knows how to show itself stands second above BadParameter in both.
_CommandLineError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[2])

# These log responses, and what they sign with: never shown (invariant 8).
_CHATTY_LOGGERS = ("aiobotocore", "boto3", "botocore", "urllib3")
_LIBRARIES = ("aiohttp", "asyncio")

app = typer.Typer(
    name="dynaferry",
    cls=PanelGroup,
    help="Copies DynamoDB tables between AWS accounts: parallel Scan on the source, BatchWriteItem"
    " on the target, resumable at any moment. Each option of a command may come from the"
    " environment as well: --state-dir as DYNAFERRY_STATE_DIR; what is typed goes before.",
    epilog=examples(
        "# Try it on this machine, without an account.",
        "dynaferry demo",
        "# Check first, copy, compare.",
        "dynaferry copy orders orders-2026 --create-target --dry-run",
        "dynaferry copy orders orders-2026 --create-target",
        "dynaferry verify orders orders-2026",
    ),
    add_completion=False,  # of itself it would write into files of the shell: see `completion`
    context_settings={"help_option_names": ["--help", "-h"]},
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        screen.print_lines([VERSION_LINE])
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """What stands before a command."""


app.command(cls=PanelCommand, epilog=PLAN_EXAMPLES)(plan)
app.command(cls=PanelCommand, epilog=COPY_EXAMPLES)(copy)
app.command(cls=PanelCommand, epilog=MOVE_EXAMPLES)(move)
add_switch_commands(app)
app.command(cls=PanelCommand, epilog=STATUS_EXAMPLES)(status)
app.command(cls=PanelCommand, epilog=RUNS_EXAMPLES)(runs)
app.command(cls=PanelCommand, epilog=VERIFY_EXAMPLES)(verify)
app.add_typer(letters_app, name="dead-letters")
app.add_typer(late_app, name="late-writes")
app.add_typer(bench_app, name="bench")
add_control_commands(app)
app.command(cls=PanelCommand, epilog=REPORT_EXAMPLES)(report)
app.command(cls=PanelCommand, epilog=DEMO_EXAMPLES)(demo)
add_about_commands(app)


def run_command(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code. Nothing is raised."""
    as_json = environment.asks_for_json(arguments)
    try:
        code = _run(arguments)
    except _CommandLineError as error:
        return _report_usage(error, as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        return failure.report_interrupt(as_json=as_json)
    except OSError as error:
        # Each command reports its own errors; the one that remains is that stdout takes nothing.
        screen.say(f"error: stdout cannot be written: {error.strerror}")
        return exit_codes.INTERNAL
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return failure.report(error, as_json=as_json)
    return code if isinstance(code, int) else exit_codes.COMPLETE


def _run(arguments: Sequence[str]) -> object:
    if COMPLETE_VARIABLE in os.environ:
        from typer._completion_classes import completion_init

        completion_init()  # the shells that are known
    command = typer.main.get_command(app)
    return command.main(list(arguments), prog_name="dynaferry", standalone_mode=False)


def _report_usage(error: typer.BadParameter, *, as_json: bool) -> int:
    _put_plainly(error)
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


def _put_plainly(error: Any) -> None:
    """Puts what the library found into the words of people: a flag to take instead, a range."""
    param = getattr(error, "param", None)
    if hasattr(error, "possibilities") and error.ctx is not None:
        root = error.ctx.find_root().command
        error.message = usage_words.no_such_option(error.option_name, error.ctx.command, root)
        error.possibilities = ()
    elif param is not None:
        error.message = usage_words.fault_of_value(error.message)
        if error.ctx is not None and environment.comes_from_environment(error.ctx, param):
            error.message += f" ({param.envvar} says so)"


def _quiet(libraries: Sequence[str]) -> None:
    """Keeps libraries from printing tracebacks of what an error of ours reports."""
    for name in libraries:
        logger = logging.getLogger(name)
        logger.addHandler(logging.NullHandler())
        logger.propagate = False


def main() -> None:
    """Runs the command line of this process."""
    screen.open_closed_streams()
    _quiet(_CHATTY_LOGGERS)
    if not failure.wants_traceback():
        _quiet(_LIBRARIES)
    code = run_command(sys.argv[1:])
    screen.flush()
    sys.exit(code)
