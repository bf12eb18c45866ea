"""`dynaferry late-writes`: what can be typed."""

import typer

from dynaferry.cli.app import options
from dynaferry.cli.app.panels import ExampleGroup, PanelCommand, examples
from dynaferry.plan.settings import DEFAULT_STATE_DIR

late_app = typer.Typer(
    cls=ExampleGroup,
    help="What was written behind the switch to the side that was left: list and export.",
    epilog=examples(
        "# Which keys; and with their items.",
        "dynaferry late-writes list orders",
        "dynaferry late-writes export orders -o late.jsonl",
    ),
    no_args_is_help=True,
    rich_markup_mode=None,
)


@late_app.command("list", cls=PanelCommand, epilog=examples("dynaferry late-writes list orders"))
def list_late_writes(
    run: options.Run = None,
    state_dir: options.RunsDir = DEFAULT_STATE_DIR,
    json: options.Document = False,
) -> int:
    """Say which keys were written behind the switch to the side that was left. One line a key.

    That is the source, or behind a way back the target. Nothing applies them. What the service
    deleted since its time to live was over is not among them, and only counted.
    """
    from dynaferry.cli.commands.late_writes import run_list

    return run_list(run, state_dir, as_json=json)


@late_app.command(
    "export",
    cls=PanelCommand,
    epilog=examples("dynaferry late-writes export orders -o late.jsonl"),
)
def export_late_writes(
    run: options.Run = None,
    output: options.ExportFile = None,
    state_dir: options.RunsDir = DEFAULT_STATE_DIR,
) -> int:
    """Write the late writes as JSON lines.

    Each has table, side, key, change (put, deleted, or changed where the stream shows no item),
    writes, first_at, last_at and item. Key and item are DynamoDB JSON, as the stream gave them;
    the item is null where it is deleted or not known.
    """
    from dynaferry.cli.commands.late_writes import run_export

    return run_export(run, state_dir, output)
