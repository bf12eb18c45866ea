"""`dynaferry set`, `pause` and `resume`: what can be typed."""

import typer

from dynaferry.cli.app import options
from dynaferry.cli.app.panels import PanelCommand, examples
from dynaferry.plan.settings import DEFAULT_STATE_DIR


def set_caps(
    run: options.Run = None,
    max_write_units: options.NewWriteCap = None,
    max_read_units: options.NewReadCap = None,
    state_dir: options.RunsDir = DEFAULT_STATE_DIR,
    json: options.Document = False,
) -> int:
    """Change the caps of a run while it runs, within two seconds.

    What is set holds until it is set otherwise: before the schedule, before the flags, and for
    the next attempts as well. A table's own cap in the plan holds beside it. The verification and
    the replay of a run's dead letters follow it too; of a verification the cap on reads holds on
    each side.
    """
    from dynaferry.cli.commands.control import run_set

    return run_set(run, state_dir, reads=max_read_units, writes=max_write_units, as_json=json)


def pause(
    run: options.Run = None,
    state_dir: options.RunsDir = DEFAULT_STATE_DIR,
    json: options.Document = False,
) -> int:
    """Hold a run: nothing is read or written until resume; what is in flight is finished.

    It stays paused when it is stopped and started again. A verification and a replay of its dead
    letters are paused too. Of a move the capture goes on: what changes meanwhile waits. A
    verification of tables that were not copied from this state directory belongs to no run and
    cannot be paused: Ctrl-C stops it, and the same command goes on.
    """
    from dynaferry.cli.commands.control import run_pause

    return run_pause(run, state_dir, paused=True, as_json=json)


def resume(
    run: options.Run = None,
    state_dir: options.RunsDir = DEFAULT_STATE_DIR,
    json: options.Document = False,
) -> int:
    """Let a paused run go on. A run that has stopped goes on by the command that began it."""
    from dynaferry.cli.commands.control import run_pause

    return run_pause(run, state_dir, paused=False, as_json=json)


def add_control_commands(app: typer.Typer) -> None:
    """Adds the three commands."""
    setting = examples(
        "# Slower, from now on; and later as fast as the table takes it.",
        "dynaferry set orders --max-write-units 500",
        "dynaferry set orders --max-write-units none",
    )
    app.command("set", cls=PanelCommand, epilog=setting)(set_caps)
    app.command(cls=PanelCommand, epilog=examples("dynaferry pause orders"))(pause)
    app.command(cls=PanelCommand, epilog=examples("dynaferry resume orders"))(resume)
