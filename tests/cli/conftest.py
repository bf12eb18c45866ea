"""What several tests of commands start from."""

import time
from collections.abc import Callable

import pytest


@pytest.fixture
def in_a_while(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets so many seconds pass for who looks, in which nobody stores anything."""

    def later(seconds: float) -> None:
        now = time.time() + seconds
        monkeypatch.setattr("dynaferry.report.stored_run.time.time", lambda: now)

    return later
