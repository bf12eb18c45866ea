"""`dynaferry demo`: what can be typed."""

from typing import Annotated

from dynaferry.cli.app.panels import (
    SAFETY,
    SPEED,
    examples,
    option,
)

DEMO_EXAMPLES = examples("dynaferry demo", "dynaferry demo --items 100000 --keep")


def demo(
    items: Annotated[
        int, option(SPEED, "How many items to seed and move.", min=1, metavar="N")
    ] = 10_000,
    keep: Annotated[
        bool, option(SAFETY, "Keep the state directory.", "--keep", show_default=False)
    ] = False,
) -> int:
    """Move a table that is written between two accounts on this machine. Needs no AWS account."""
    from dynaferry.cli.commands.demo import run_demo

    return run_demo(items, keep=keep)
