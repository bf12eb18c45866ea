"""`make bench`: measures, keeps the result, and makes the report and docs/measured.md of it.

    python -m benchmarks [--quick] [PART ...]     measure all parts, or these, and then as below
    python -m benchmarks report                   the report and the page from the kept result

A part that is measured anew takes the place of the earlier one in results/latest.json. A quick
run is kept in results/quick.json and leaves the report and the page alone.
"""

import argparse
import sys

from benchmarks import parts, report, results, table

QUICK = results.LATEST.with_name("quick.json")
REPORT = results.LATEST.with_name("report.html")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def write_outputs(kept: results.Results) -> None:
    """The report and the page's tables, from what is kept."""
    REPORT.write_text(report.page(kept))
    table.write_page(kept)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("part", nargs="*", choices=[*parts.PARTS, "report", []], metavar="PART")
    parser.add_argument("--quick", action="store_true", help="fewer sizes, smaller tables, once")
    arguments = parser.parse_args()
    if arguments.part == ["report"]:
        write_outputs(results.read())
        return
    path = QUICK if arguments.quick else results.LATEST
    kept = results.renewed(results.read(path), quick=arguments.quick)
    every = parts.QUICK_PARTS if arguments.quick else tuple(parts.PARTS)
    for name in arguments.part or every:
        parts.PARTS[name](kept, _say)
        results.write(kept, path)
    if arguments.quick:
        print("\n".join(table.lines(kept)))  # noqa: T201  # the program's output
    else:
        write_outputs(kept)


if __name__ == "__main__":
    main()
