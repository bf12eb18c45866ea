"""`dynaferry dead-letters`: what can be typed."""

from typing import Annotated

import typer

from dynaferry.cli.app import options
from dynaferry.cli.app.panels import (
    SAFETY,
    TARGET,
    ExampleGroup,
    PanelCommand,
    examples,
    option,
)
from dynaferry.cli.flags import IfPresentFlag, ReplayFlags
from dynaferry.plan.settings import DEFAULT_STATE_DIR

letters_app = typer.Typer(
    cls=ExampleGroup,
    help="The items that the target refused: list, export, and write them again.",
    epilog=examples(
        "# Which and why; with the items; and again, once the cause is fixed.",
        "dynaferry dead-letters list orders",
        "dynaferry dead-letters export orders -o bad.jsonl",
        "dynaferry dead-letters replay orders",
    ),
    no_args_is_help=True,
    rich_markup_mode=None,
)


@letters_app.command(
    "list", cls=PanelCommand, epilog=examples("dynaferry dead-letters list orders")
)
def list_letters(
    run: options.Run = None,
    state_dir: options.RunsDir = DEFAULT_STATE_DIR,
    json: options.Document = False,
) -> int:
    """Say which items were refused, and why. One line an item, without the item itself."""
    from dynaferry.cli.commands.dead_letters import run_list

    return run_list(run, state_dir, as_json=json)


@letters_app.command(
    "export",
    cls=PanelCommand,
    epilog=examples("dynaferry dead-letters export orders -o bad.jsonl"),
)
def export(
    run: options.Run = None,
    output: options.ExportFile = None,
    state_dir: options.RunsDir = DEFAULT_STATE_DIR,
) -> int:
    """Write the rejected items as JSON lines.

    Each has table, segment, key, item, error and time. Key and item are DynamoDB JSON, byte for
    byte as the source gave them.
    """
    from dynaferry.cli.commands.dead_letters import run_export

    return run_export(run, state_dir, output)


_REPLAY = examples(
    "dynaferry dead-letters replay orders",
    "# The target may hold newer items by now: what the copy read is to win.",
    "dynaferry dead-letters replay orders --if-present overwrite",
)


@letters_app.command("replay", cls=PanelCommand, epilog=_REPLAY)
def replay(
    run: options.Run = None,
    target_region: Annotated[
        str | None, option(TARGET, "Region of the target. [default: that of the copy]")
    ] = None,
    target_profile: Annotated[
        str | None, option(TARGET, "AWS profile to reach the target with; a run does not keep it.")
    ] = None,
    target_role_arn: Annotated[
        str | None,
        option(TARGET, "Role to assume for the target. [default: the copy's]", metavar="ARN"),
    ] = None,
    target_external_id: Annotated[
        str | None,
        option(
            TARGET,
            "External id for that role; a run does not keep it. The variable keeps it out of the"
            " process list.",
            envvar="DYNAFERRY_TARGET_EXTERNAL_ID",
            show_envvar=True,
        ),
    ] = None,
    sts_endpoint_url: Annotated[
        str | None, option(TARGET, "Endpoint of STS. [default: the copy's]", metavar="URL")
    ] = None,
    max_write_units: options.ReplayWriteCap = None,
    if_present: Annotated[
        IfPresentFlag,
        option(
            SAFETY,
            "Where the target holds another item under the key by now: keep it and the dead letter,"
            " overwrite it with the dead letter's item, or accept it and drop the dead letter.",
        ),
    ] = IfPresentFlag.KEEP,
    state_dir: options.RunsDir = DEFAULT_STATE_DIR,
    json: options.Document = False,
) -> int:
    """Write the rejected items again, after the cause is fixed.

    Each is written as the copy read it; what has changed in the source since is not read.
    It is written only where the target has nothing under its key, unless --if-present says
    otherwise. What is refused again is kept, with the new reason; when none is left, the run is
    complete. Not while the copy runs. The target's role needs dynamodb:PutItem.

    Of a move no dead letter is written, since it may be old by now: while the move follows, its
    keys are read again from the source, and its own --if-present and flags of the target do not
    count.

    Exit codes: 0 none is left; 2 usage error; 3 refused before anything was written; 4 items
    were refused again; 5 stopped by an error, and 130 interrupted: the same command resumes.
    """
    # It has a field for each of these parameters, by the same name.
    flags = ReplayFlags(**locals())
    from dynaferry.cli.commands.dead_letters import run_replay

    return run_replay(flags)
