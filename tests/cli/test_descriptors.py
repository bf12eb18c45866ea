"""How many descriptors a process is allowed, in a process of its own."""

import subprocess
import sys

import pytest

from dynaferry.cli.descriptors import LEAST_DESCRIPTORS, OWN
from dynaferry.web.doors import BACKLOG, MOST_CONNECTIONS

ENSURE = """
import resource, sys
from dynaferry.cli.descriptors import ensure
from dynaferry.errors import PlanError
soft, hard, connections, watched = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
try:
    ensure(connections, watched=bool(watched), say=print)
except PlanError as error:
    print("refused:", error)
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def ensured(soft: int, hard: int, connections: int, *, watched: bool = False) -> list[str]:
    """What was said, and at last the limits."""
    numbers = [str(int(number)) for number in (soft, hard, connections, watched)]
    done = subprocess.run(
        [sys.executable, "-c", ENSURE, *numbers],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.splitlines()


def test_what_is_enough_is_left_as_it_is() -> None:
    assert ensured(400, 800, 160) == ["400 800"]


@pytest.mark.parametrize("watched", [False, True])
def test_what_the_system_allows_for_the_asking_is_asked_for(watched: bool) -> None:
    needed = 300 + OWN + watched * (MOST_CONNECTIONS + BACKLOG)
    assert ensured(100, 800, 300, watched=watched) == [f"{needed} 800"]


def test_what_may_be_too_little_is_said_before_anything_begins() -> None:
    said, limits = ensured(100, 200, 300)
    assert "may have 200 files and connections open, and this may need 348" in said
    assert "--readers" in said
    assert limits == "200 200"


def test_where_there_is_no_room_at_all_it_is_refused() -> None:
    said, _ = ensured(LEAST_DESCRIPTORS - 1, LEAST_DESCRIPTORS - 1, 300)
    assert said.startswith("refused:")


def test_a_watched_copy_with_the_usual_numbers_fits_into_256() -> None:
    assert ensured(256, 256, 32 + 128, watched=True) == ["256 256"]
