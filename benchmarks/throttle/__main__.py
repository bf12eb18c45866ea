"""The command: tries the cases and tells what was reached."""

import argparse
import sys

from benchmarks.throttle.cases import CASES, Case
from benchmarks.throttle.judge import Finding, findings
from benchmarks.throttle.trial import Trial, dynaferry, run_trial
from benchmarks.throttle.virtual import run_virtual


def main() -> int:
    """Returns 1 if something that was asked for was not reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throttle", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="all, unless named")
    parser.add_argument(
        "--real",
        action="store_true",
        help="over HTTP and in real time; else the same pipeline and model in virtual time",
    )
    asked = parser.parse_args()
    reached = True
    for case in CASES:
        if not asked.cases or case.name in asked.cases:
            trial = run_trial(case, dynaferry) if asked.real else run_virtual(case)
            reached &= _tell(case, trial)
    return 0 if reached else 1


def _tell(case: Case, trial: Trial) -> bool:
    found = findings(case, trial.report, trial.seconds, trial.named)
    lines = [f"{case.title} ({trial.seconds:.0f} s)", *(_line(finding) for finding in found)]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    return all(finding.reached is not False for finding in found)


def _line(finding: Finding) -> str:
    asked = f", asked {finding.asked}" if finding.asked else ""
    missed = ": MISSED" if finding.reached is False else ""
    return f"  {finding.what}: {finding.value}{asked}{missed}"


if __name__ == "__main__":
    sys.exit(main())
