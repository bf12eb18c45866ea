"""What may be read and not written is read: by commands, as whoever has no rights but that."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dynaferry.state.directory import log_paths, state_path
from dynaferry.state.sqlite.store import SqliteStore
from tests.state.contract import (
    CREATED_AT,
    IDENTITY,
    SETTINGS,
    VERSION,
    counters,
    dead_letter,
    segment_record,
)

RUN = "orders"
# Root may write everywhere, unless it is without its rights.
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
COMMANDS = [
    ("status", RUN),
    ("report", RUN, "-o", "report.html"),
    ("dead-letters", "list", RUN),
    ("dead-letters", "export", RUN),
]


@pytest.fixture(params=["closed", "killed", "killed, without the index of its log"])
async def state_dir(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    state_dir = tmp_path / "state"
    store = await SqliteStore.create(state_dir, RUN, IDENTITY, SETTINGS, VERSION, CREATED_AT)
    await store.begin_attempt(VERSION, CREATED_AT)
    await store.add_dead_letters([dead_letter("a"), dead_letter("b")])
    await store.checkpoint(0, [segment_record(1, rejected=2)], counters())
    log, index = log_paths(state_path(state_dir, RUN))
    kept = {path: path.read_bytes() for path in (log, index)}
    await store.aclose()
    if request.param != "closed":
        # As if it had never been closed.
        for path, content in kept.items():
            path.write_bytes(content)
    if "without" in request.param:
        index.unlink()
    return state_dir


@pytest.fixture
def read_only(state_dir: Path) -> Iterator[Path]:
    state_dir.chmod(0o500)
    yield state_dir
    state_dir.chmod(0o700)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_directory_that_cannot_be_written_to_is_read(
    read_only: Path, command: tuple[str, ...]
) -> None:
    before = sorted(read_only.iterdir())
    try:
        done = subprocess.run(
            [*POWERLESS, sys.executable, "-m", "dynaferry", *command, "--state-dir", "state"],
            cwd=read_only.parent,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            timeout=60,
            check=False,
            text=True,
        )
    except FileNotFoundError:
        pytest.skip("setpriv is not there")
    assert done.returncode == 0, done.stderr
    if command[0] == "dead-letters":
        assert "2 dead letters" in done.stderr
    if command[0] == "status":
        assert "source-0: 2 rejected items: dynaferry dead-letters list orders" in done.stdout
    assert sorted(read_only.iterdir()) == before
