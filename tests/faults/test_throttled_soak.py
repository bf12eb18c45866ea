"""A bounded number of throttled copies beside busy cores; `make soak` makes more of them."""

import subprocess
import sys
from pathlib import Path

from tests.faults import throttled_soak
from tests.faults.throttled_soak import Case, Ended, Tally, soak


def test_throttled_copies_of_several_tables_do_not_hang_beside_busy_cores(tmp_path: Path) -> None:
    tally = soak([Case.of(seed, seconds_of_work=2.0) for seed in range(2)], tmp_path)
    assert (tally.hung, tally.failures) == ({}, {})
    assert tally.runs == 2
    assert tally.throttled_runs > 0


def test_a_copy_that_does_not_end_is_found_with_its_stacks() -> None:
    code = "import threading; threading.Event().wait()"
    with subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        ended, _, told = throttled_soak._ended(child, most_seconds=1.0)
    assert ended is None
    assert "threading.py" in told


def test_one_that_its_own_watchdog_ended_counts_as_hung() -> None:
    tally = Tally()
    tally.add(Case.of(7), Ended(5, "", "error: dynaferry hung for 30 s and ended itself", 31.0))
    assert list(tally.hung) == [7]
    assert any("seed 7 hung" in line for line in tally.lines())
