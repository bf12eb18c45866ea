"""The layout of --help in plain text: commands, options, examples.

Typer's own panels need rich, which would be most of the time that --help takes.
"""

from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from dynaferry.cli.app import environment
from dynaferry.shared.files import expanded

SOURCE, TARGET, SPEED, SAFETY = "Source", "Target", "Speed", "Safety"
WATCH, OUTPUT = "Watch", "Output"

# The commands by what a person is about to do, in the order of doing it.
COMMAND_GROUPS: Final = {
    "Copy": ("plan", "copy", "move", "verify", "dead-letters"),
    "Switch": ("cut-over", "cut-back", "late-writes", "finish", "abort"),
    "Watch and control": ("status", "runs", "set", "pause", "resume", "report"),
    "Try and measure": ("demo", "bench"),
    "Help": ("help", "version", "completion"),
}
_MORE: Final = "More"
# Longer than any first sentence: write_dl breaks lines by itself.
_NO_LIMIT: Final = 300


class PanelCommand(TyperCommand):
    """A command whose help groups the options by panel, and shows examples as they are typed.

    Each of its options may come from the environment as well: see `environment`.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        environment.name_variables(self.params)

    def invoke(self, ctx: Any) -> Any:
        """Runs the command, and says what else than the command line has a say in it."""
        environment.prefer_typed_tables(ctx)
        environment.say_what_matters(ctx)
        return super().invoke(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Writes the options under the headings of their panels, in the order of first use."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                default = "Arguments" if param.param_type_name == "argument" else "Other"
                panel = getattr(param, "rich_help_panel", None) or default
                panels.setdefault(panel, []).append(record)
        for panel, records in panels.items():
            with formatter.section(panel):
                formatter.write_dl(records)

    def format_epilog(self, _: Any, formatter: Any) -> None:
        """Writes the examples."""
        _write_examples(self.epilog, formatter)


class ExampleGroup(TyperGroup):
    """Commands that belong together, each with its whole first sentence, and examples."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the commands under one heading."""
        self._write(ctx, formatter, "Commands", self.list_commands(ctx))

    def _write(self, ctx: Any, formatter: Any, group: str, names: list[str]) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in names]
        records = [
            (name, command.get_short_help_str(_NO_LIMIT))
            for name, command in commands
            if command is not None and not command.hidden
        ]
        if records:
            with formatter.section(group):
                formatter.write_dl(records)

    def format_epilog(self, _: Any, formatter: Any) -> None:
        """Writes the examples."""
        _write_examples(self.epilog, formatter)


def _write_examples(typed: str | None, formatter: Any) -> None:
    """Each on lines of its own, so that it can be copied."""
    if typed:
        with formatter.section("Examples"):
            for line in typed.splitlines():
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


class PanelGroup(ExampleGroup):
    """The root group: its help lists the commands by purpose."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the commands under the headings of their groups."""
        rest = self.list_commands(ctx)
        for group, members in COMMAND_GROUPS.items():
            self._write(ctx, formatter, group, [name for name in members if name in rest])
            rest = [name for name in rest if name not in members]
        self._write(ctx, formatter, _MORE, rest)


def examples(*commands: str) -> str:
    """An epilog: what is typed, each as it is."""
    return "\n".join(commands)


def option(panel: str, help_text: str, *names: str, **settings: Any) -> Any:
    """An option of this panel."""
    return typer.Option(*names, help=help_text, rich_help_panel=panel, **settings)


def path_option(panel: str, help_text: str, *names: str, **settings: Any) -> Any:
    """An option of this panel that names a file or a directory, from the home directory or not."""
    return option(panel, help_text, *names, parser=expanded, **settings)
