"""What holds for every test: no way out of this machine, and an event loop that never blocks."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster
from hypothesis import settings

from tests.worlds.moto import SOURCE_ACCESS_KEY, MotoWorld, running_moto
from tests.worlds.moving_clock import MovingClock

# No test depends on how fast the machine is; in CI a failure must come back on the next run.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

# Where dynaferry may block the event loop: file and functions, each with the reason.
MAY_BLOCK: dict[str, set[str]] = {
    # botocore reads its service models when a client is made: before the first page, and again
    # when it renews the credentials of an assumed role, which is about once in 45 minutes.
    "botocore/loaders.py": {"load_service_model", "load_data_with_path", "list_api_versions"},
    # botocore reads ~/.aws when a session is made or its credentials are looked up: two small
    # files, before the first page.
    "botocore/configloader.py": {"raw_config_parse"},
    # Where credentials come from a file: the token of a person's SSO, of a container, of a pod.
    "botocore/utils.py": {"__call__", "__contains__", "__getitem__"},
    "botocore/credentials.py": {"_build_headers"},
    # A line that a person has typed already is taken from the terminal.
    "dynaferry/cli/question.py": {"_typed_line"},
}


@pytest.fixture(autouse=True)
def environment_of_a_stranger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hides the person's AWS settings, proxies and colours, and gives made-up credentials."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "DYNAFERRY_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    nothing = tmp_path / "there-is-no-such-file"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(nothing))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nothing))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", SOURCE_ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "testing")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture(autouse=True, scope="session")
def signals_that_reach_children() -> None:
    """Whoever runs the tests may ignore signals (nohup, a shell's `&`), and children inherit it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True, scope="session")
def loop_that_never_blocks() -> Iterator[None]:
    """Makes a blocking call inside the event loop fail, where dynaferry is the one who calls."""
    guard = BlockBuster(scanned_modules=["dynaferry"])
    for function in guard.functions.values():
        for filename, functions in MAY_BLOCK.items():
            function.can_block_in(filename, functions)
    guard.activate()
    yield
    guard.deactivate()


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """The address of a moto server that is shared by the whole session."""
    with running_moto() as url:
        yield url


@pytest.fixture
def moto_world(moto_url: str) -> MotoWorld:
    """A source and a target account, both empty."""
    return MotoWorld(moto_url).reset()


@pytest.fixture(autouse=True)
def virtual_clock_that_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets each look at the virtual clock take a microsecond, as it does with a real one."""
    monkeypatch.setattr("benchmarks.virtual_time.LOOK_SECONDS", 1e-6)


@pytest.fixture(params=[1e-6, 1.0], ids=["a microsecond", "a second"])
def moving_clock(request: pytest.FixtureRequest) -> MovingClock:
    """A clock that is later at every look: by next to nothing, or as if each took a second."""
    return MovingClock(look_seconds=request.param)
