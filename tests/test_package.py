"""What is handed out: an sdist that is whole, and a page that an index can show."""

import re
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from hatch_build import for_index

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Settings of the places where the project is kept, which nobody needs who has its files.
OF_THE_REPOSITORY = re.compile(r"\.(ci/|dockerignore|editorconfig|gitattributes|pre-commit-config)")


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tarfile.TarFile]:
    directory = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", directory],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=60,
    )
    (path,) = directory.iterdir()
    with tarfile.open(path) as archive:
        yield archive


def test_the_sdist_has_all_that_git_keeps(sdist: tarfile.TarFile) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone: it may be the sdist itself")
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607  # the system's git
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    kept = {
        name
        for name in listed.stdout.split("\0")
        if name and not OF_THE_REPOSITORY.match(name) and (ROOT / name).exists()
    }
    there = {member.name.partition("/")[2] for member in sdist.getmembers() if member.isfile()}
    assert kept - there == set()


def metadata(sdist: tarfile.TarFile) -> Message:
    (member,) = [each for each in sdist.getmembers() if each.name.endswith("PKG-INFO")]
    found = sdist.extractfile(member)
    assert found is not None
    return message_from_bytes(found.read())


def test_the_page_of_an_index_has_the_readme_with_whole_addresses(sdist: tarfile.TarFile) -> None:
    told = metadata(sdist)
    text = str(told.get_payload())
    assert told["Description-Content-Type"] == "text/markdown"
    assert text.startswith("# dynaferry")
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    assert links
    assert [link for link in links if not link.startswith("https://")] == []


def test_a_link_into_the_repository_leads_to_a_file_that_is_there(sdist: tarfile.TarFile) -> None:
    repository = PROJECT["urls"]["Repository"]
    text = str(metadata(sdist).get_payload())
    found = re.findall(rf"{re.escape(repository)}/(?:blob|raw)/main/([^)\"#\s]+)", text)
    assert found
    assert [path for path in found if not (ROOT / path).exists()] == []


def test_links_elsewhere_and_headings_are_kept_apart() -> None:
    text = (
        "See [docs](docs/plan.md#keys), [here](#fast), [there](https://example.com/),"
        " ![a](b.png),\n"
        '<img width="1" src="docs/a.svg" alt="">'
    )
    assert for_index(text, "https://host/x") == (
        "See [docs](https://host/x/blob/main/docs/plan.md#keys),"
        " [here](https://host/x/blob/main/README.md#fast), [there](https://example.com/),"
        " ![a](https://host/x/raw/main/b.png),\n"
        '<img width="1" src="https://host/x/raw/main/docs/a.svg" alt="">'
    )


def test_every_url_of_the_project_is_below_its_repository() -> None:
    urls = PROJECT["urls"]
    assert {"Repository", "Documentation", "Changelog", "Issues"} <= urls.keys()
    assert all(url.startswith(urls["Repository"]) for url in urls.values())


def test_the_classifiers_name_each_python_that_the_readme_promises() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    least, most = map(int, re.findall(r"Python 3\.(\d+) to 3\.(\d+)", text)[0])
    named = re.findall(r"Python :: 3\.(\d+)", " ".join(PROJECT["classifiers"]))
    assert [int(each) for each in named] == list(range(least, most + 1))
    assert PROJECT["requires-python"] == f">=3.{least}"
