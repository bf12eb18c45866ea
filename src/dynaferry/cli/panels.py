"""Options in groups: how they are declared, and how --help shows them."""

from typing import Any

import typer
from typer.core import TyperCommand

SOURCE, TARGET, SPEED, SAFETY = "Source", "Target", "Speed", "Safety"
WATCH, OUTPUT = "Watch", "Output"


class PanelCommand(TyperCommand):
    """A command whose help groups the options by panel, in plain text.

    Typer's own panels need rich, which would be most of the time that --help takes.
    """

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


def option(panel: str, help_text: str, *names: str, **settings: Any) -> Any:
    """An option of this panel."""
    return typer.Option(*names, help=help_text, rich_help_panel=panel, **settings)
