"""`dynaferry help`, `version` and `completion`: what can be typed."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from dynaferry._version import __version__
from dynaferry.cli import exit_codes, screen
from dynaferry.cli.app.panels import PanelCommand, examples
from dynaferry.errors import StateError
from dynaferry.plan.settings import DEFAULT_STATE_DIR

VERSION_LINE = f"dynaferry {__version__}"
# Set by the shell, which asks for what may come next.
COMPLETE_VARIABLE = "_DYNAFERRY_COMPLETE"


class Shell(StrEnum):
    """The shells that can complete what is typed."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def help_of(
    ctx: typer.Context,
    command: Annotated[
        list[str] | None,
        typer.Argument(
            help="The command; more than one word where it has some.", metavar="COMMAND"
        ),
    ] = None,
) -> Any:
    """Show what a command does and what it takes, as its --help does."""
    root = ctx.find_root()
    typed = [*(command or ()), "--help"]
    return root.command.main(typed, prog_name=root.info_name, standalone_mode=False)


def version() -> int:
    """Print the version."""
    screen.print_lines([VERSION_LINE])
    return exit_codes.COMPLETE


def completion(
    shell: Annotated[Shell, typer.Argument(help="The shell that you use.", show_choices=True)],
) -> int:
    """Print the script by which a shell completes commands, flags and the names of runs."""
    from typer._completion_shared import get_completion_script

    script = get_completion_script(
        prog_name="dynaferry", complete_var=COMPLETE_VARIABLE, shell=shell.value
    )
    screen.print_lines(script.splitlines())
    return exit_codes.COMPLETE


def run_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """The runs whose names begin so, for a shell that completes one."""
    from dynaferry.state.directory import find_runs

    state_dir = ctx.params.get("state_dir") or DEFAULT_STATE_DIR
    try:
        return [run for run in find_runs(Path(state_dir)) if run.startswith(incomplete)]
    except StateError:
        return []  # it is asked for at each key: the command itself says what is wrong


def add_about_commands(app: typer.Typer) -> None:
    """Adds the three commands."""
    helped = examples("dynaferry help copy", "dynaferry help dead-letters replay")
    app.command("help", cls=PanelCommand, epilog=helped)(help_of)
    app.command(cls=PanelCommand, epilog=examples("dynaferry version"))(version)
    completed = examples(
        "# bash: in ~/.bashrc",
        "source <(dynaferry completion bash)",
        "# zsh: in ~/.zshrc, behind compinit",
        "source <(dynaferry completion zsh)",
        "# fish: once",
        "dynaferry completion fish > ~/.config/fish/completions/dynaferry.fish",
    )
    app.command(cls=PanelCommand, epilog=completed)(completion)
