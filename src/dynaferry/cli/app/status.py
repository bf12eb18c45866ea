"""`dynaferry status` and `dynaferry runs`: what can be typed."""

from typing import Annotated

from dynaferry.cli.app import options
from dynaferry.cli.app.panels import OUTPUT, examples, option
from dynaferry.plan.settings import DEFAULT_STATE_DIR

STATUS_EXAMPLES = examples(
    "dynaferry status",
    "dynaferry status orders --watch",
    "dynaferry status orders --json",
)
RUNS_EXAMPLES = examples("dynaferry runs", "dynaferry runs --json")


def status(
    run: options.Run = None,
    watch: Annotated[
        bool,
        option(
            OUTPUT,
            "Show it again every other second, until nobody works on it any more.",
            "--watch",
            show_default=False,
        ),
    ] = False,
    state_dir: options.RunsDir = DEFAULT_STATE_DIR,
    json: options.Document = False,
) -> int:
    """Say how far a run is, from its state file; works while it runs and after.

    A line for each table and one for all of them. Where there are several runs and none is named,
    it lists them, as `dynaferry runs` does. With --watch and --json it prints one document a line.
    """
    from dynaferry.cli.commands.status import run_status

    return run_status(run, state_dir, as_json=json, watch=watch)


def runs(
    state_dir: options.RunsDir = DEFAULT_STATE_DIR,
    json: options.Document = False,
) -> int:
    """List the runs of a state directory: how each stands, how far it is, when it ends."""
    from dynaferry.cli.commands.status import run_runs

    return run_runs(state_dir, as_json=json)
