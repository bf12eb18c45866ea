"""The command: tries the cases, tells what was reached, and draws it."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.throttle import table
from benchmarks.throttle.cases import CASES, Case
from benchmarks.throttle.grid import points, sample
from benchmarks.throttle.judge import findings
from benchmarks.throttle.over_grid import are_enough, lines, try_points
from benchmarks.throttle.peer import cases as peer_cases
from benchmarks.throttle.peer import try_peer
from benchmarks.throttle.trial import dynaferry, run_trial
from benchmarks.throttle.tried import Tried, keep_peer, read_peer, tried
from benchmarks.throttle.virtual import run_virtual
from dynaferry.copy.pipeline import Pipeline

SAMPLE = "24"
MOST_SHOWN = 1e6  # a rate above that is no limit


def main() -> int:
    """Returns 1 if something that was asked for was not reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throttle", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="all, unless named")
    parser.add_argument(
        "--real",
        action="store_true",
        help="over HTTP and in real time; else the same pipeline and model in virtual time",
    )
    parser.add_argument(
        "--peer",
        action="store_true",
        help="instead: half a minute of each steady case by a plain aioboto3 loop, and keep it",
    )
    parser.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help="instead: the worst and the median of each figure over the seeds 1 to N",
    )
    parser.add_argument(
        "--grid",
        metavar="N",
        help="instead: so many points of the grid by chance, or `all` of them; without cases "
        f"named and without this, {SAMPLE} points are tried after the cases",
    )
    parser.add_argument("--seed", type=int, default=1, help="which points, and their chance")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the plots, as one HTML file")
    asked = parser.parse_args()
    if asked.peer:
        keep_peer([_tell(try_peer(case)) for case in peer_cases(asked.cases)])
        return 0
    if asked.grid is not None:
        return _over_grid(asked.grid, asked.seed)
    chosen = [case for case in CASES if not asked.cases or case.name in asked.cases]
    if asked.seeds is not None:
        return _over_seeds(chosen, range(1, asked.seeds + 1))
    ours = [_try(case, real=asked.real) for case in chosen]
    sys.stdout.write("\n".join(table.lines(ours, read_peer())) + "\n")
    if asked.out is not None:
        from benchmarks.throttle.plot import page  # matplotlib takes its time

        asked.out.write_text(page(ours, read_peer()))
    missed = any(found.reached is False for each in ours for found in each.findings)
    if not asked.cases and not asked.real:
        missed |= bool(_over_grid(SAMPLE, asked.seed))
    return missed


def _over_grid(number: str, seed: int) -> int:
    chosen = list(points()) if number == "all" else sample(int(number), seed)
    reached = try_points(chosen, seed)
    sys.stdout.write("\n".join(lines(reached)) + "\n")
    return not are_enough(reached)


def _over_seeds(chosen: Sequence[Case], seeds: Sequence[int]) -> int:
    missed = False
    for case in chosen:
        trials = [run_virtual(case, seed=seed) for seed in seeds]
        tries = [findings(case, t.report, t.seconds, t.named) for t in trials]
        missed |= any(each.reached is False for found in tries for each in found)
        sys.stdout.write("\n".join([case.title, *table.spread(tries)]) + "\n")
    return missed


def _try(case: Case, *, real: bool) -> Tried:
    if real:
        return tried(case, run_trial(case, dynaferry))
    allowed: Counter[int] = Counter()

    def watch(now: float, pipeline: Pipeline) -> None:
        is_source = case.name == "production"
        limiter = pipeline.limiters.read if is_source else pipeline.limiters.write
        allowed[int(now)] += int(min(limiter.controller.rate, MOST_SHOWN))

    return tried(case, run_virtual(case, watch), allowed)


def _tell(each: Tried) -> Tried:
    found = (f"{one.what} {one.value}" for one in each.findings)
    sys.stderr.write(f"{each.case}: {', '.join(found)}\n")
    return each


if __name__ == "__main__":
    sys.exit(main())
