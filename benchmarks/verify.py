"""What a verification costs: items per CPU second, whole processes, against null endpoints.

    python -m benchmarks.verify

Both sides are the same canned table, each behind an endpoint in a process of its own. An item is
counted once, though it is read on both sides. CPU seconds (user and system, start-up included) and
peak memory are the kernel's figures for the process.
"""

import argparse
import json
import statistics
import sys
import tempfile

from benchmarks.__main__ import PAGES, Cost, endpoint, measure
from benchmarks.null_endpoint import SOURCE


def run_verify(item_bytes: int, pages: int) -> Cost:
    """`dynaferry verify` of a table of so many pages, which must turn out equal."""
    with (
        endpoint(item_bytes, pages) as source,
        endpoint(item_bytes, pages) as target,
        tempfile.TemporaryDirectory() as state_dir,
    ):
        command = [sys.executable, "-m", "dynaferry", "verify", SOURCE, SOURCE]
        command += ["--source-endpoint-url", source, "--target-endpoint-url", target]
        command += ["--state-dir", state_dir, "--progress", "none", "--json"]
        output, cpu_seconds, peak_bytes = measure(command)
    (table,) = json.loads(output)["tables"]
    if not table["matching"] == table["source_items"] == table["target_items"] > 0:
        raise SystemExit(f"the tables did not turn out equal: {table}")
    return Cost(table["matching"], cpu_seconds, peak_bytes)


def row(item_bytes: int, rounds: int) -> str:
    """One row of the table: medians, and the range of the rates."""
    pages, _ = PAGES[item_bytes]
    costs = [run_verify(item_bytes, pages) for _ in range(rounds)]
    rates = [cost.items_per_cpu_second for cost in costs]
    peak = max(cost.peak_bytes for cost in costs)
    return (
        f"| {item_bytes:,} B | {costs[0].items:,} | {statistics.median(rates):,.0f} "
        f"({min(rates):,.0f} to {max(rates):,.0f}) | {peak / 1024**2:,.0f} MB |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verify", description=__doc__)
    parser.add_argument("--item-bytes", type=int, action="append", choices=sorted(PAGES))
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print("| item size | items on each side | items per CPU second (range) | peak memory |")  # noqa: T201  # the program's output
    print("|---|---|---|---|")  # noqa: T201
    for item_bytes in arguments.item_bytes or sorted(PAGES):
        print(row(item_bytes, arguments.rounds), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
