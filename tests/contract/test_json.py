"""What `--json` prints has the keys, the types and the words that were recorded, no more, no less.

A field may be added on purpose: then `python -m tests.contract.record json` records it.
"""

import json
from pathlib import Path

import pytest

from tests.contract.cases import CASES, Recorded
from tests.contract.shapes import shape, words
from tests.contract.world import FIXTURES, ROOT, ContractWorld, recorded

NAMES = {path.stem for path in (FIXTURES / "json").glob("*.json")}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_document_has_the_shape_that_scripts_know(
    case: Recorded, world: ContractWorld, tmp_path: Path
) -> None:
    wanted = recorded(FIXTURES / "json" / f"{case.name}.json")
    assert case.contract(world, tmp_path) == wanted


def test_each_recorded_document_has_a_case() -> None:
    assert {case.name for case in CASES} == NAMES


def test_the_words_for_errors_are_still_in_the_code() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    types = {
        word.partition("=")[2]
        for name in NAMES
        for word in recorded(FIXTURES / "json" / f"{name}.json")["words"]
        if word.startswith("type=")
    }
    assert len(types) > 5
    # All that a run may end with, and not only what is easy to bring about.
    types |= set(recorded(FIXTURES / "error_types.json")["types"])
    missing = {name for name in types if f"class {name}(" not in text and f'"{name}"' not in text}
    assert missing == set()


def test_a_shape_lists_keys_types_and_what_only_some_elements_have() -> None:
    document = json.loads('{"a": [{"b": 1}, {"b": null, "c": "x"}], "d": 1.0, "e": true}')
    assert shape(document) == {
        "$": "object",
        "$.a": "array",
        "$.a[]": "object",
        "$.a[].b": "integer|null",
        "$.a[].c": "absent|string",
        "$.d": "number",
        "$.e": "boolean",
    }
    assert words({"status": "complete", "tables": [{"undecided": ["in_flux"]}]}) == [
        "status=complete",
        "undecided=in_flux",
    ]
