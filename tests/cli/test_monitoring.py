"""The flags by which a run is watched from outside."""

import socket
import time
from pathlib import Path

import anyio
import pytest

from dynaferry.cli.commands.monitoring import moment_of
from dynaferry.cli.commands.page_control import asked_for
from dynaferry.cli.main import run_command
from dynaferry.observe.stats import RunStats, TableStats
from dynaferry.state.records import ControlsChange
from dynaferry.stop import StopSignal
from dynaferry.web.control import Change
from tests.cli.fake_run import FakeRun, put_in

COPY = ("copy", "orders", "orders")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    fake = FakeRun()
    put_in(monkeypatch, fake)
    return fake


def test_an_address_that_makes_no_sense_is_refused_before_anything_is_copied(
    fake: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command([*COPY, "--metrics-listen", "9464"]) == 2
    assert "error: --metrics-listen '9464' is not HOST:PORT" in capsys.readouterr().err
    assert fake.plans == []


def test_a_port_in_use_is_refused_before_anything_is_copied(
    fake: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = f"127.0.0.1:{other.getsockname()[1]}"
        assert run_command([*COPY, "--metrics-listen", place]) == 2
    told = capsys.readouterr().err
    assert f"error: --metrics-listen {place} cannot be listened on: Address already in use" in told
    assert "hint: another run may have it" in told
    assert fake.plans == []


def test_a_textfile_that_cannot_be_written_is_refused_before_anything_is_copied(
    fake: FakeRun, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "missing" / "dynaferry.prom"
    assert run_command([*COPY, "--metrics-textfile", str(path)]) == 2
    assert "cannot be written: No such file or directory" in capsys.readouterr().err
    assert fake.plans == []


def test_the_textfile_has_the_last_numbers_of_the_run(fake: FakeRun, tmp_path: Path) -> None:
    path = tmp_path / "dynaferry.prom"

    async def copy(_: StopSignal) -> None:
        table = TableStats("orders", "orders", 8, state="complete", items_written=1000)
        [watch] = fake.watched
        assert watch is not None
        with anyio.move_on_after(0):
            await watch(RunStats("orders", [table]))

    fake.while_copying = copy
    assert run_command([*COPY, "--metrics-textfile", str(path)]) == 0
    written = 'dynaferry_items_written_total{source="orders",target="orders"} 1000.0'
    assert written in path.read_text().splitlines()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01T06:00+01:00", 1_772_341_200.0),
        ("2026-03-01T05:00Z", 1_772_341_200.0),
        ("2026-03-01T05:00", 1_772_341_200.0),  # this machine's zone, UTC in this test
    ],
)
def test_a_time_to_be_done_is_a_moment(
    text: str, moment: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert moment_of(text) == moment


@pytest.mark.parametrize("text", ["tomorrow", "06:00", "2026-02-30T06:00"])
def test_a_time_that_is_none_is_refused_before_anything_is_copied(
    text: str, fake: FakeRun, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    watched = ("--metrics-textfile", str(tmp_path / "dynaferry.prom"))
    assert run_command([*COPY, *watched, "--finish-by", text]) == 2
    assert f"error: --finish-by '{text}' is not a date and time" in capsys.readouterr().err
    assert fake.plans == []


def test_a_finish_time_that_nobody_would_see_is_refused(
    fake: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command([*COPY, "--finish-by", "2026-03-01T06:00"]) == 2
    assert "hint: add --metrics-listen" in capsys.readouterr().err
    assert fake.plans == []


def test_control_without_a_page_is_refused(
    fake: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command([*COPY, "--allow-control"]) == 2
    assert "error: --allow-control needs --metrics-listen" in capsys.readouterr().err
    assert fake.plans == []


def test_the_token_is_new_each_time_and_said_only_with_control(
    fake: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = set()
    for _ in range(2):
        assert run_command([*COPY, "--metrics-listen", "127.0.0.1:0", "--allow-control"]) == 0
        [said] = [line for line in capsys.readouterr().err.splitlines() if "#token=" in line]
        tokens.add(said.partition("#token=")[2])
    assert len(tokens) == 2
    assert min(map(len, tokens)) >= 40
    assert run_command([*COPY, "--metrics-listen", "127.0.0.1:0"]) == 0
    assert "#token" not in capsys.readouterr().err
    assert len(fake.plans) == 3


def test_what_the_page_asks_for_is_what_the_state_takes() -> None:
    assert asked_for(Change()) == ControlsChange()
    assert asked_for(Change(paused=False)) == ControlsChange(paused=False)
    assert asked_for(Change(max_read_units=None)) == ControlsChange(max_read_units="none")
    assert asked_for(Change(max_write_units=7.5)) == ControlsChange(max_write_units=7.5)
