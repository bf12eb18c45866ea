"""`dynaferry set`, `pause` and `resume`: what can be typed."""

from typing import Annotated

import typer

from dynaferry.cli.app import options
from dynaferry.cli.app.panels import SAFETY, PanelCommand, examples, option
from dynaferry.plan.settings import DEFAULT_STATE_DIR

Tables = Annotated[
    list[str] | None,
    option(
        SAFETY,
        "Only this table of the run, by its source's name; may be repeated.",
        "--table",
        metavar="TABLE",
        show_default=False,
    ),
]


def set_caps(
    run: options.Run = None,
    max_write_units: options.NewWriteCap = None,
    max_read_units: options.NewReadCap = None,
    table: Tables = None,
    state_dir: options.RunsDir = DEFAULT_STATE_DIR,
    json: options.Document = False,
) -> int:
    """Change the caps of a run while it runs, within two seconds.

    What is set holds until it is set otherwise: before the schedule, before the plan, and for the
    next attempts as well, until one is started with a flag that says otherwise. With --table it is
    the table's own cap, which holds beside the run's. The verification and the replay of a run's
    dead letters follow it too; of a verification the cap on reads holds on each side.
    """
    from dynaferry.cli.commands.control import run_set

    return run_set(
        run,
        state_dir,
        reads=max_read_units,
        writes=max_write_units,
        tables=table or (),
        as_json=json,
    )


def pause(
    run: options.Run = None,
    table: Tables = None,
    state_dir: options.RunsDir = DEFAULT_STATE_DIR,
    json: options.Document = False,
) -> int:
    """Hold a run: nothing is read or written until resume; what is in flight is finished.

    It stays paused when it is stopped and started again. With --table only that table is held. A
    verification and a replay of its dead letters are paused too. Of a move the capture continues:
    what changes meanwhile waits. A verification of tables that were not copied from this state
    directory belongs to no run and cannot be paused: Ctrl-C stops it, and the same command resumes.
    """
    from dynaferry.cli.commands.control import run_pause

    return run_pause(run, state_dir, tables=table or (), as_json=json)


def resume(
    run: options.Run = None,
    table: Tables = None,
    start: Annotated[
        bool,
        option(
            SAFETY,
            "Start a run that has stopped; else say by which command it resumes.",
            "--start/--no-start",
        ),
    ] = True,
    state_dir: options.RunsDir = DEFAULT_STATE_DIR,
    json: options.Document = False,
) -> int:
    """Let a paused run continue, and start one that has stopped.

    A run that has stopped is started by the command that began it, in the directory where that was
    typed, with what was set meanwhile. Its credentials are found as they were then; what may be a
    secret is not kept, so an external id has to be in the environment, or the command is printed
    instead. With --table, --no-start or --json nothing is started.

    Exit codes: 0 done; 2 usage error; of a run that is started those of its command.
    """
    from dynaferry.cli.commands.resume import run_resume

    return run_resume(run, state_dir, tables=table or (), start=start, as_json=json)


def add_control_commands(app: typer.Typer) -> None:
    """Adds the three commands."""
    setting = examples(
        "# Slower, from now on; and later as fast as the table takes it.",
        "dynaferry set orders --max-write-units 500",
        "dynaferry set orders --max-write-units none",
        "# One table of a run of several.",
        "dynaferry set move --table events --max-write-units 2000",
    )
    pausing = examples("dynaferry pause orders", "dynaferry pause move --table events")
    resuming = examples("dynaferry resume orders", "dynaferry resume move --table events")
    app.command("set", cls=PanelCommand, epilog=setting)(set_caps)
    app.command(cls=PanelCommand, epilog=pausing)(pause)
    app.command(cls=PanelCommand, epilog=resuming)(resume)
