"""`dynaferry status`: what can be typed."""

from dynaferry.cli.app import options
from dynaferry.cli.app.panels import examples
from dynaferry.plan.settings import DEFAULT_STATE_DIR

STATUS_EXAMPLES = examples("dynaferry status", "dynaferry status orders --json")


def status(
    run: options.Run = None,
    state_dir: options.RunsDir = DEFAULT_STATE_DIR,
    json: options.Document = False,
) -> int:
    """Say how far a run is, from its state file; works while it runs and after."""
    from dynaferry.cli.commands.status import run_status

    return run_status(run, state_dir, as_json=json)
