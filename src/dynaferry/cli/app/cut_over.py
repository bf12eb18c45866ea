"""`dynaferry cut-over`, `cut-back`, `abort` and `finish`: what can be typed."""

from enum import StrEnum
from typing import Annotated

import typer

from dynaferry.cli.app import options
from dynaferry.cli.app.panels import SAFETY, SOURCE, SPEED, PanelCommand, examples, option
from dynaferry.plan.settings import DEFAULT_STATE_DIR


class VerifyFlag(StrEnum):
    """What is compared before the go."""

    RECENT = "recent"
    FULL = "full"
    NONE = "none"


class VerifyBackFlag(StrEnum):
    """What is compared before going back."""

    RECENT = "recent"
    NONE = "none"


class ProofFlag(StrEnum):
    """What says that nothing is missing."""

    OBSERVED = "observed"
    CLOSED = "closed"


def cut_over(
    run: options.Run = None,
    check: Annotated[
        bool,
        option(
            SAFETY,
            "Only say whether anything speaks against it; stop no writers for that.",
            "--check",
            show_default=False,
        ),
    ] = False,
    timeout: Annotated[
        float,
        option(
            SPEED, "How long it may take; then nothing was switched.", metavar="SECONDS", min=1.0
        ),
    ] = 120.0,
    verify: Annotated[
        VerifyFlag,
        option(
            SAFETY,
            "What is compared on both sides before the go: the 20,000 keys that changed last, all"
            " keys (give --timeout time for that), or nothing.",
        ),
    ] = VerifyFlag.RECENT,
    proof: Annotated[
        ProofFlag,
        option(
            SAFETY,
            "What says that nothing is missing: silence that was observed, or a stream that is"
            " disabled and read to its end (only one that --enable-stream has enabled).",
        ),
    ] = ProofFlag.OBSERVED,
    on_stop_writers: Annotated[
        str | None,
        option(
            SAFETY,
            "A command of yours that stops the writers, run once nothing speaks against a switch;"
            " it has stopped them when it ends.",
            metavar="COMMAND",
        ),
    ] = None,
    on_go: Annotated[
        str | None,
        option(
            SAFETY,
            "A command of yours that starts the writers on the target, run after the go.",
            metavar="COMMAND",
        ),
    ] = None,
    state_dir: options.RunsDir = DEFAULT_STATE_DIR,
    json: options.Document = False,
) -> int:
    """Switch from the source to the target of a move that follows.

    Stop the writers, then ask: it waits until nothing comes any more on any shard, everything is
    applied, and the keys that changed last are equal on both sides. Then it says go: start the
    writers on the target. All tables of a plan are switched together.

    Exit codes: 0 go, or ready; 7 not ready, and nothing was switched (also after Ctrl-C); 5 the
    command of --on-go failed, the switch stands; 2 usage error; 3 refused.
    """
    from dynaferry.cli.commands.cut_over import run_cut_over
    from dynaferry.state.move_records import TransitionRequest

    return run_cut_over(
        run,
        state_dir,
        TransitionRequest(
            what="cut-over",
            timeout_seconds=timeout,
            verify=verify.value,
            proof=proof.value,
        ),
        check=check,
        on_stop_writers=on_stop_writers,
        on_go=on_go,
        as_json=json,
    )


def cut_back(
    run: options.Run = None,
    source_write_role_arn: Annotated[
        str | None,
        option(
            SOURCE,
            "The role to write the source as, which the move's process assumes now.",
            metavar="ARN",
        ),
    ] = None,
    source_write_profile: Annotated[
        str | None,
        option(SOURCE, "Instead of a role, or to assume it by: a profile.", metavar="NAME"),
    ] = None,
    check: Annotated[
        bool,
        option(
            SAFETY,
            "Only say whether anything speaks against it; stop no writers for that.",
            "--check",
            show_default=False,
        ),
    ] = False,
    timeout: Annotated[
        float,
        option(
            SPEED, "How long it may take; then nothing was switched.", metavar="SECONDS", min=1.0
        ),
    ] = 120.0,
    verify: Annotated[
        VerifyBackFlag,
        option(
            SAFETY,
            "What is compared on both sides before the go: the 20,000 keys that changed last, or"
            " nothing.",
        ),
    ] = VerifyBackFlag.RECENT,
    on_stop_writers: Annotated[
        str | None,
        option(
            SAFETY,
            "A command of yours that stops the writers on the target, run once nothing speaks"
            " against it.",
            metavar="COMMAND",
        ),
    ] = None,
    on_go: Annotated[
        str | None,
        option(
            SAFETY,
            "A command of yours that starts the writers on the source, run after the go.",
            metavar="COMMAND",
        ),
    ] = None,
    state_dir: options.RunsDir = DEFAULT_STATE_DIR,
    json: options.Document = False,
) -> int:
    """Go back to the source, with what was written to the target since the switch.

    Takes the steps of cut-over with the sides exchanged. It is the only command that has items of
    the source written, by the role that it names; the move has to run, with --way-back keep.

    Exit codes: 0 go, or ready; 7 not ready, and nothing was switched; 5 the command of --on-go
    failed, the switch stands; 2 usage error; 3 refused.
    """
    from dynaferry.cli.commands.cut_over import CUT_BACK, run_cut_over
    from dynaferry.state.move_records import TransitionRequest

    if source_write_role_arn is None and source_write_profile is None and not check:
        raise typer.BadParameter(
            "name who may write to the source: --source-write-role-arn or --source-write-profile"
        )
    return run_cut_over(
        run,
        state_dir,
        TransitionRequest(
            what="cut-back",
            timeout_seconds=timeout,
            verify=verify.value,
            write_role_arn=source_write_role_arn,
            write_profile=source_write_profile,
        ),
        check=check,
        on_stop_writers=on_stop_writers,
        on_go=on_go,
        as_json=json,
        way=CUT_BACK,
    )


def abort(
    run: options.Run = None,
    state_dir: options.RunsDir = DEFAULT_STATE_DIR,
    json: options.Document = False,
) -> int:
    """End a move for good before its switch: the source is as it was.

    What waits to be applied is removed; the target keeps what it holds, and the call that drops it
    is printed.
    """
    from dynaferry.cli.commands.end_move import run_end

    return run_end("abort", run, state_dir, as_json=json)


def finish(
    run: options.Run = None,
    without_comparison: Annotated[
        bool,
        option(
            SAFETY,
            "Also while the comparison behind the go has not ended: whether every key arrived is"
            " not known then, and there is no way back.",
            "--without-comparison",
            show_default=False,
        ),
    ] = False,
    state_dir: options.RunsDir = DEFAULT_STATE_DIR,
    json: options.Document = False,
) -> int:
    """End a move for good after its switch, and say what is left to be done by hand.

    Exit codes: 0 done; 7 not ready, and nothing was ended: the comparison behind the go has not
    come to its end; 6 the source was written behind the switch, and what was written is kept in
    the files that are named, or the comparison behind the go found what differs; 3 refused, nothing
    was switched yet.
    """
    from dynaferry.cli.commands.end_move import run_end

    return run_end("finish", run, state_dir, as_json=json, without_comparison=without_comparison)


def add_switch_commands(app: typer.Typer) -> None:
    """Adds the four commands."""
    switching = examples(
        "# Ask before anybody stops anything.",
        "dynaferry cut-over orders --check",
        "# Then stop the writers, and:",
        "dynaferry cut-over orders && ./start-writers-on-the-target",
    )
    app.command("cut-over", cls=PanelCommand, epilog=switching)(cut_over)
    back = examples(
        "# Ask before anybody stops anything.",
        "dynaferry cut-back orders --check",
        "# Then stop the writers on the target, and:",
        "dynaferry cut-back orders \\",
        "    --source-write-role-arn arn:aws:iam::111111111111:role/dynaferry-way-back",
    )
    app.command("cut-back", cls=PanelCommand, epilog=back)(cut_back)
    app.command(cls=PanelCommand, epilog=examples("dynaferry finish orders"))(finish)
    app.command(cls=PanelCommand, epilog=examples("dynaferry abort orders"))(abort)
