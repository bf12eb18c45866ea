"""`python -m dynaferry` is the same as `dynaferry`."""

import atexit
import gc
import sys

# New objects before the garbage collector searches for cycles. Most of what starting makes is
# there to stay, and searching it takes time (benchmarks/README.md).
COLLECT_AFTER = 50_000
INTERRUPTED = 130


def main() -> None:
    """The console script. Its imports are inside, so that Ctrl-C is no traceback during them."""
    try:
        # First of all: what comes from here on is not lost.
        from dynaferry.cli.signals import Signals, ignore_all

        signals = Signals()
        signals.install()
        atexit.register(ignore_all)  # the first to be registered is the last to be called
        gc.set_threshold(COLLECT_AFTER)
        from dynaferry.cli.main import main as run

        # Inside an import it may have been swallowed.
        signals.raise_if_swallowed()
        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
