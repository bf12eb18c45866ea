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

from benchmarks.null_endpoint import SOURCE
from benchmarks.process import Cost, Endpoint, measure

PAGES = {200: 60, 1024: 400, 10_240: 800, 102_400: 1500}


def run_verify(item_bytes: int, pages: int) -> tuple[int, Cost]:
    """`dynaferry verify` of a table of so many pages, which must turn out equal."""
    with (
        Endpoint(item_bytes, pages) as source,
        Endpoint(item_bytes, pages) as target,
        tempfile.TemporaryDirectory() as state_dir,
        tempfile.TemporaryFile("w+") as output,
    ):
        command = [sys.executable, "-m", "dynaferry", "verify", SOURCE, SOURCE]
        command += ["--source-endpoint-url", source.url, "--target-endpoint-url", target.url]
        command += ["--state-dir", state_dir, "--progress", "none", "--json"]
        cost = measure(command, output=output)
        output.seek(0)
        (table,) = json.load(output)["tables"]
    if not table["matching"] == table["source_items"] == table["target_items"] > 0:
        raise SystemExit(f"the tables did not turn out equal: {table}")
    return table["matching"], cost


def row(item_bytes: int, rounds: int) -> str:
    """One row of the table: medians, and the range of the rates."""
    runs = [run_verify(item_bytes, PAGES[item_bytes]) for _ in range(rounds)]
    rates = [items / cost.cpu_seconds for items, cost in runs]
    peak = max(cost.peak_bytes for _, cost in runs)
    return (
        f"| {item_bytes:,} B | {runs[0][0]:,} | {statistics.median(rates):,.0f} "
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
