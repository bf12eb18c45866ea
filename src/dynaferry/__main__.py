"""`python -m dynaferry` is the same as `dynaferry`."""

import gc
import sys

# So many new objects before the garbage collector looks for cycles. Most of what starting makes is
# there to stay, and looking through it takes time (benchmarks/README.md).
COLLECT_AFTER = 50_000


def main() -> None:
    """The console script. Its imports are inside, so that Ctrl-C is no traceback during them."""
    gc.set_threshold(COLLECT_AFTER)
    try:
        from dynaferry.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
