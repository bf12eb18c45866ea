"""The command: measures the parts, tells what was reached, and draws it."""

import argparse
import sys
from pathlib import Path

from benchmarks.follow import __doc__ as about
from benchmarks.follow import results
from benchmarks.follow.parts import PARTS, QUICK, Sizes, measure


def main() -> int:
    """Returns 1 if something that was asked for was not reached."""
    asked = _asked()
    full = Sizes()
    sizes = (
        QUICK
        if asked.quick
        else full._replace(
            seconds=asked.seconds,
            rows=asked.rows,
            drained_of_rows=min(asked.rows, full.drained_of_rows),
        )
    )
    kept = results.FollowResults() if asked.quick else results.read(asked.kept)
    for part in asked.parts or PARTS:
        measure(part, kept, sizes, _say)
    measured = [f for f in kept.figures if f.part in (asked.parts or PARTS)]
    sys.stdout.write("\n".join(results.lines(measured)) + "\n")
    if not asked.quick:
        results.write(kept, asked.kept)
    if asked.out is not None:
        from benchmarks.follow.plot import page  # matplotlib takes its time

        asked.out.write_text(page(kept))
    return 0 if asked.quick else any(f.is_reached is False for f in measured)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.follow",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    full = Sizes()
    parser.add_argument("parts", nargs="*", metavar="PART", help="all, unless named")
    parser.add_argument(
        "--seconds", type=float, default=full.seconds, help="of the lag [default: %(default)s]"
    )
    parser.add_argument(
        "--rows", type=int, default=full.rows, help="in the spool [default: %(default)s]"
    )
    parser.add_argument(
        "--quick", action="store_true", help="a few seconds in all: whether it runs, not how fast"
    )
    parser.add_argument("--kept", type=Path, default=results.KEPT, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, metavar="FILE", help="the plot, as one HTML file")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return asked


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
