"""What holds for the project's own files."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCK_FILES = sorted((ROOT / "requirements").glob("*.txt"))
PINNED = re.compile(r"[a-z0-9._-]+==\S+( ; .+)?( --hash=sha256:[0-9a-f]{64})+")


def requirements(lock_file: Path) -> list[str]:
    text = lock_file.read_text(encoding="utf-8")
    return re.sub(r"\s*\\\n\s*", " ", text).splitlines()


@pytest.mark.parametrize("lock_file", LOCK_FILES, ids=lambda path: path.name)
def test_a_lock_file_pins_each_package_by_hash_and_names_no_registry(lock_file: Path) -> None:
    lines = requirements(lock_file)
    assert lines
    assert [line for line in lines if not PINNED.fullmatch(line)] == []


def test_lock_files_agree_on_versions() -> None:
    versions: dict[str, set[str]] = {}
    for lock_file in LOCK_FILES:
        for line in requirements(lock_file):
            # One version for each Python, where a package has several.
            package, _, marker = line.partition(" --hash")[0].partition(" ; ")
            name, _, version = package.partition("==")
            versions.setdefault(f"{name} ; {marker}", set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_the_build_backend_is_locked_as_the_project_asks_for_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    build_in = (ROOT / "requirements" / "build.in").read_text(encoding="utf-8")
    for requirement in project["build-system"]["requires"]:
        assert f"\n{requirement} " in build_in
