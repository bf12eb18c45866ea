"""What must be reached, reached: whole copies in virtual time, judged by what the service saw."""

import pytest

from benchmarks.throttle.cases import CASES, Case
from benchmarks.throttle.judge import findings
from benchmarks.throttle.virtual import run_virtual


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_pace_reaches_what_is_asked(case: Case) -> None:
    trial = run_virtual(case)
    found = findings(case, trial.report, trial.seconds, trial.named)
    assert any(finding.reached for finding in found)
    assert [finding for finding in found if finding.reached is False] == []
