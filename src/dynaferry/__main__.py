"""`python -m dynaferry` is the same as `dynaferry`."""

import sys


def main() -> None:
    """The console script. Its imports are inside, so that Ctrl-C is no traceback during them."""
    try:
        from dynaferry.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
