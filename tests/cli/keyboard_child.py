"""Says which keys are pressed until it is q; with an argument it ends as a third signal ends it."""

import sys

import anyio

from dynaferry.cli import signals
from dynaferry.cli.keyboard import Keyboard


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


async def main() -> None:
    """Listens."""
    signals.Signals().install()
    keyboard = Keyboard()
    _say("there" if keyboard.is_there else "nobody types")
    with keyboard:
        _say("ready")
        while (key := await keyboard.pressed()) != "q":
            _say(f"pressed {key}")
        if len(sys.argv) > 1:
            signals.end_process(3)
    _say("over")


anyio.run(main)
