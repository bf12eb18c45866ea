"""The pages for people: current, short enough, with pictures and links that lead somewhere."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import msgspec
import pytest

from docs import make_cli
from dynaferry.plan.schedule import Schedule, ScheduleEntry
from dynaferry.plan.settings import Account, CopyPlan, TablePlan
from tests.deploy.metrics import exported

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "deploy").rglob("*.md")),
]
MOST_CHARACTERS_OF_A_FRONT_PAGE = 11_000


def test_the_page_of_commands_is_what_help_says() -> None:
    committed = make_cli.OUTPUT.read_text(encoding="utf-8")
    assert committed == make_cli.encode(), "run `make docs`"


def names(struct: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(struct)}


def test_the_page_of_the_plan_lists_every_key() -> None:
    page = (ROOT / "docs" / "plan.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| (.+?) \| (.+) \|$", page)
    listed = {where: set(re.findall(r"`([a-z_]+)`", keys)) for where, keys in rows}
    assert listed["at the top"] == names(CopyPlan) - {"source", "target", "tables", "limits"}
    assert listed["`[source]`, `[target]`"] == names(Account)
    assert listed["each `[[tables]]`"] == names(TablePlan)
    assert listed["`[limits]`"] == names(Schedule) - {"schedule"}
    assert listed["each `[[limits.schedule]]`"] == names(ScheduleEntry)


def test_the_page_of_metrics_lists_what_is_exported_with_its_labels() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| `(dynaferry_\w+)` \| (.*?) ?\| ", page)
    told = {}
    for name, labels in rows:
        alone = labels == "none" or labels.startswith("only ")
        told[name] = {*re.findall(r"`(\w+)`", labels), *(() if alone else ("source", "target"))}
    parts = re.compile(r"(?<=request_seconds)_(bucket|count|sum)$")
    there = {parts.sub("", name): labels - {"le"} for name, labels in exported().items()}
    assert told == there


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_leads_to_a_file_and_to_a_heading_of_it(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        name, _, heading = link.partition("#")
        found = page if not name else (page.parent / name).resolve()
        assert found.exists(), link
        if heading:
            assert heading in anchors(found), link


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))
    kept = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in kept}


def test_the_front_page_is_one_that_people_read() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text) <= MOST_CHARACTERS_OF_A_FRONT_PAGE


@pytest.mark.parametrize("name", ["data-way.svg", "switch.svg"])
def test_a_picture_says_in_words_what_it_shows_and_knows_the_dark(name: str) -> None:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    picture = ElementTree.fromstring(text)  # noqa: S314  # the project's own file
    space = "{http://www.w3.org/2000/svg}"
    assert picture.findtext(f"{space}title")
    assert picture.findtext(f"{space}desc")
    assert "prefers-color-scheme: dark" in text
    assert picture.get("width") is None  # it takes the room that it is given
