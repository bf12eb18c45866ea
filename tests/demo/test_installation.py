"""What the demo says is to be installed, for each way by which dynaferry came here."""

import json
import shlex
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

import pytest

from dynaferry.demo import installation
from dynaferry.demo.installation import PACKAGES, install_command

URL = "https://git.example/dynaferry.git"


class _Distribution:
    def __init__(self, origin: dict[str, Any] | None) -> None:
        self._origin = origin

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return None if self._origin is None else json.dumps(self._origin)


def installed_from(monkeypatch: pytest.MonkeyPatch, origin: dict[str, Any] | None) -> None:
    monkeypatch.setattr(installation, "distribution", lambda _: _Distribution(origin))
    monkeypatch.setattr(installation, "find_spec", lambda _: True)


def wanted() -> list[str]:
    """What the command installs, by this Python's pip."""
    python, *rest = shlex.split(install_command())
    assert python == sys.executable
    assert rest[:3] == ["-m", "pip", "install"]
    return rest[3:]


def test_what_was_installed_from_a_directory_is_installed_from_there_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "my dynaferry"
    place.mkdir()
    installed_from(monkeypatch, {"url": place.as_uri(), "dir_info": {}})
    assert wanted() == [f"{place}[demo]"]


def test_a_directory_that_is_gone_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed_from(monkeypatch, {"url": (tmp_path / "gone").as_uri(), "dir_info": {}})
    assert wanted() == list(PACKAGES)


def test_what_was_installed_from_a_repository_is_installed_from_its_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed_from(monkeypatch, {"url": URL, "vcs_info": {"vcs": "git", "commit_id": "abc"}})
    assert wanted() == [f"dynaferry[demo] @ git+{URL}@abc"]


def test_what_was_installed_from_an_index_is_installed_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed_from(monkeypatch, None)
    assert wanted() == ["dynaferry[demo]"]


def test_what_was_not_installed_at_all_gets_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_found(_: str) -> _Distribution:
        raise PackageNotFoundError

    monkeypatch.setattr(installation, "distribution", not_found)
    assert install_command().endswith(shlex.join(PACKAGES))


def test_a_python_without_pip_is_given_the_packages_by_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    installed_from(monkeypatch, None)
    monkeypatch.setattr(installation, "find_spec", lambda _: None)
    python = shlex.quote(sys.executable)
    assert install_command() == f"uv pip install --python {python} 'dynaferry[demo]'"


def test_the_packages_are_those_of_the_extra() -> None:
    asked = {
        each.partition(";")[0].strip() for each in requires("dynaferry") or () if "demo" in each
    }
    assert {each.replace(" ", "") for each in asked} == set(PACKAGES)
