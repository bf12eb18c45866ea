"""What must be reached, reached: whole copies in virtual time, judged by what the service saw."""

import pytest

from benchmarks.throttle.cases import CASES, Case
from benchmarks.throttle.judge import findings
from benchmarks.throttle.virtual import run_virtual

# Chance matters most in these; all of them, and more: make bench-throttle.
MORE_SEEDS = (
    ("partitions", 5),
    ("large-items", 3),
    ("brown-out", 4),
    ("steps", 6),
)
TRIALS = [(case, 1) for case in CASES] + [
    (case, seed) for name, seed in MORE_SEEDS for case in CASES if case.name == name
]


@pytest.mark.parametrize(("case", "seed"), TRIALS, ids=lambda of: getattr(of, "name", of))
def test_the_pace_reaches_what_is_asked(case: Case, seed: int) -> None:
    trial = run_virtual(case, seed=seed)
    found = findings(case, trial.report, trial.seconds, trial.named)
    assert any(finding.reached for finding in found)
    assert [finding for finding in found if finding.reached is False] == []
