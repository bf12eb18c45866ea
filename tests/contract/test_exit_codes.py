"""Exit codes mean what they meant: in what commands do, and on every page that tells of them."""

import re
import subprocess
import sys
from pathlib import Path

from tests.contract.cases import CASES
from tests.contract.world import FIXTURES, ROOT, environment, recorded

WANTED = recorded(FIXTURES / "exit_codes.json")
# By which documents a command that ends with each code is recorded: test_json.py runs them.
SHOWN = {
    "done": ("copy-complete", "verify-equal", "bench-write", "dead-letters-replay-complete"),
    "usage or plan error": ("copy-usage", "copy-unknown-flag", "verify-usage", "status-none"),
    "refused before anything was written": ("copy-refused", "copy-refused-by-state"),
    "done, but items were rejected": ("copy-rejected", "dead-letters-replay-refused-again"),
    "stopped by an error, resumable": ("copy-failed", "copy-failed-by-rejections"),
    "different, or undecided": ("verify-different", "verify-undecided"),
    "not ready, nothing was switched": ("cut-over-not-ready", "cut-over-check-not-ready"),
    "interrupted, resumable": ("copy-interrupted", "verify-interrupted"),
}


def test_commands_end_with_the_code_that_scripts_know() -> None:
    for meaning, names in SHOWN.items():
        for name in names:
            found = recorded(FIXTURES / "json" / f"{name}.json")["exit_code"]
            assert (name, found) == (name, WANTED[meaning])


def test_no_command_ends_with_a_code_that_has_no_meaning() -> None:
    codes = {recorded(FIXTURES / "json" / f"{c.name}.json")["exit_code"] for c in CASES}
    assert codes | {WANTED["unexpected"]} == set(WANTED.values())


def test_what_is_not_expected_ends_with_1(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "dynaferry", "--help"],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == WANTED["unexpected"], done.stderr


def test_the_pages_list_these_codes() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    told = {int(code) for code in re.findall(r"(?m)^\| (\d+) \| ", readme)}
    assert told == set(WANTED.values()) - {WANTED["unexpected"]}
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    parts = {int(code) for code in re.findall(r"(?m)^## Exit code (\d+):", page)}
    assert parts == set(WANTED.values()) - {WANTED["done"]}
