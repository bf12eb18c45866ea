"""`dynaferry report`: what can be typed."""

from pathlib import Path
from typing import Annotated

from dynaferry.cli.app import options
from dynaferry.cli.app.panels import (
    OUTPUT,
    examples,
    path_option,
)
from dynaferry.plan.settings import DEFAULT_STATE_DIR

REPORT_EXAMPLES = examples(
    "dynaferry report orders -o orders.html",
    "# With what `dynaferry verify --certificate orders.json` found.",
    "dynaferry report orders -o orders.html --certificate orders.json",
)


def report(
    run: options.Run = None,
    output: Annotated[
        Path, path_option(OUTPUT, "The file to write.", "--output", "-o", metavar="FILE.html")
    ] = Path("report.html"),
    certificate: Annotated[
        Path | None,
        path_option(
            OUTPUT,
            "What verify found of this run's tables after its last write, to be shown as well.",
            "--result",
            "--certificate",
            metavar="FILE",
        ),
    ] = None,
    state_dir: options.RunsDir = DEFAULT_STATE_DIR,
) -> int:
    """Write what a run did into one HTML file that needs nothing else: to keep or to send."""
    from dynaferry.cli.commands.report import run_report

    return run_report(run, state_dir, output, certificate)
