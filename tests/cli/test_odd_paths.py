"""Whatever a flag or a plan can name, as odd as it may be, is refused with its path and reason."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dynaferry.cli.main import run_command

NOWHERE = "http://127.0.0.1:9"
COPY = ("orders", "orders", "--source-endpoint-url", NOWHERE, "--target-endpoint-url", NOWHERE)


def missing(_: Path) -> None:
    """Nothing is there, nor the directory that it would be in."""


def empty(path: Path) -> None:
    path.touch()


def a_directory(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_link_to_nowhere(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 34)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def not_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00\x01" * 100)


def closed(path: Path) -> None:
    path.touch(mode=0)


KINDS = [
    missing,
    empty,
    a_directory,
    a_pipe,
    a_link_to_nowhere,
    a_link_to_itself,
    huge,
    endless,
    not_text,
    closed,
]

# What names a file that is read, or a directory: the command, with {} where the path stands.
READS = {
    "copy --plan": ("copy", "--plan", "{}"),
    "copy --state-dir": ("copy", *COPY, "--state-dir", "{}/below"),
    "copy --state-dir itself": ("copy", *COPY, "--state-dir", "{}"),
    "verify --plan": ("verify", "--plan", "{}"),
    "verify --state-dir": ("verify", *COPY, "--state-dir", "{}"),
    "status --state-dir": ("status", "--state-dir", "{}"),
    "set --state-dir": ("set", "--max-write-units", "5", "--state-dir", "{}"),
    "list --state-dir": ("dead-letters", "list", "--state-dir", "{}"),
    "replay --state-dir": ("dead-letters", "replay", "--state-dir", "{}"),
    "report --state-dir": ("report", "--state-dir", "{}"),
}
# A directory that is not there yet, or is there and empty, is one to keep runs in.
FINE = {("copy --state-dir", kind) for kind in (missing, a_directory)} | {
    (command, kind)
    for command in ("copy --state-dir itself", "verify --state-dir")
    for kind in (missing, a_directory)
}
WRITES = {
    "verify --certificate": ("verify", *COPY, "--state-dir", "state", "--certificate", "{}"),
    "copy --metrics-textfile": ("copy", *COPY, "--state-dir", "state", "--metrics-textfile", "{}"),
}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AWS_PROFILE", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capfd: pytest.CaptureFixture[str], *command: str) -> str:
    code = run_command(command)
    out, err = capfd.readouterr()
    assert code in (2, 3), (code, err)
    assert "internal error" not in out + err
    assert "error: " in err
    return err


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", READS)
def test_what_is_read_is_refused_with_its_path_and_reason(
    place: Path, capfd: pytest.CaptureFixture[str], name: str, kind: Callable[[Path], None]
) -> None:
    if (name, kind) in FINE:
        return
    path = place / "odd"
    kind(path)
    err = refused(capfd, *(part.format(path) for part in READS[name]))
    assert "odd" in err


@pytest.mark.parametrize("kind", [missing, a_directory, a_pipe, a_link_to_itself])
@pytest.mark.parametrize("name", WRITES)
def test_what_is_written_is_refused_with_its_path_and_reason(
    place: Path, capfd: pytest.CaptureFixture[str], name: str, kind: Callable[[Path], None]
) -> None:
    path = place / "odd"
    kind(path)
    below = path / "file.prom" if kind in (missing, a_link_to_itself) else path
    if below == path:
        below = path.rename(place / "odd.prom")
    if kind is a_pipe and "certificate" in name:
        return  # somebody may read from it by then
    err = refused(capfd, *(part.format(below) for part in WRITES[name]))
    assert "odd" in err


@pytest.mark.parametrize("name", [*READS, *WRITES])
def test_what_is_below_a_closed_directory_is_refused_with_its_path_and_reason(
    place: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    (place / "odd").mkdir(mode=0)
    if os.access(place / "odd", os.X_OK):
        pytest.skip("root may look anywhere")
    command = (READS | WRITES)[name]
    err = refused(capfd, *(part.format(place / "odd" / "below.prom") for part in command))
    (place / "odd").chmod(0o700)
    assert "odd" in err


@pytest.mark.parametrize("name", [*READS, *WRITES])
def test_a_name_that_is_too_long_is_refused(capfd: pytest.CaptureFixture[str], name: str) -> None:
    long = "x" * 300 + ".prom"
    assert long in refused(capfd, *(part.format(long) for part in (READS | WRITES)[name]))


@pytest.mark.parametrize("name", [name for name in READS if name.startswith(("copy", "status"))])
def test_a_name_that_is_not_utf_8_is_refused_in_json_as_well(
    place: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    odd = os.fsdecode(os.fsencode(place) + b"/\xff")
    Path(odd).touch()
    code = run_command([*(part.format(odd) for part in READS[name]), "--json"])
    out, err = capfd.readouterr()
    assert code in (2, 3), err
    assert "\\udcff" in json.loads(out)["error"]["message"]


@pytest.mark.parametrize(
    "command", [("copy", *COPY), ("status",), ("dead-letters", "list"), ("pause",)]
)
def test_a_run_whose_name_is_not_utf_8_is_refused_in_json_as_well(
    capfd: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    named = ("--run", "\udcff") if command[0] == "copy" else ("\udcff",)
    code = run_command([*command, *named, "--json"])
    out, err = capfd.readouterr()
    assert code in (2, 3), err
    assert json.loads(out)["error"] is not None


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://host:99999", "http://host:x", "http://a b", "http://", "host:80"]
)
@pytest.mark.parametrize(
    "flag",
    ["--source-endpoint-url", "--target-endpoint-url", "--sts-endpoint-url", "--metrics-push"],
)
def test_an_address_that_is_none_is_refused(
    capfd: pytest.CaptureFixture[str], flag: str, url: str
) -> None:
    err = refused(capfd, "copy", *COPY, flag, url)
    assert f"{flag} " in err
    assert "is not a URL" in err


def test_a_password_in_an_address_that_is_none_is_not_repeated(
    capfd: pytest.CaptureFixture[str],
) -> None:
    for url in ("http://user:hunter2@[::1", "http://user:hunter2@host:99999"):
        assert "hunter2" not in refused(capfd, "copy", *COPY, "--source-endpoint-url", url)


@pytest.mark.parametrize("kind", [missing, a_directory, a_pipe, a_link_to_itself, not_text])
def test_certificates_to_trust_that_are_none_are_refused(
    place: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    kind: Callable[[Path], None],
) -> None:
    kind(place / "odd")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(place / "odd"))
    tls = tuple(part.replace("http:", "https:") for part in COPY)
    assert "odd" in refused(capfd, "copy", *tls)


def test_a_home_directory_is_meant_by_a_tilde_in_every_path(
    place: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(place / "home"))
    (place / "home").mkdir()
    (place / "home" / "odd").touch()
    (place / "home" / "plan.toml").write_text("none = 1\n")
    for command in (*READS.values(), *WRITES.values()):
        below = "~/odd" if command in READS.values() else "~/odd/file.prom"
        err = refused(capfd, *(part.format(below) for part in command))
        assert f"{place}/home/odd" in err, command
    assert "home/plan.toml" in refused(capfd, "copy", "--plan=~/plan.toml")
    assert not (place / "~").exists()
