"""A plan file takes each key that was recorded, as what was recorded, and no other."""

from pathlib import Path

import pytest

from tests.contract import plan_keys
from tests.contract.world import FIXTURES, ContractWorld, Said, look, recorded

WANTED = recorded(FIXTURES / "plan_keys.json")


def test_the_keys_of_a_plan_are_those_that_people_wrote() -> None:
    assert plan_keys.declared() == WANTED


def test_a_plan_that_uses_each_key_is_taken(world: ContractWorld, tmp_path: Path) -> None:
    assert plan_keys.used() == {place: set(keys) for place, keys in WANTED.items()}
    world.make_tables()
    (tmp_path / "move.toml").write_text(plan_keys.PLAN, encoding="utf-8")
    (tmp_path / "profiles").write_text(plan_keys.PROFILES, encoding="utf-8")
    typed = ("copy", "--plan", "move.toml", "--dry-run", "--json")
    said = world.run(tmp_path, *typed, AWS_CONFIG_FILE=str(tmp_path / "profiles"))
    assert said.code == 0, said.err
    assert (said.document["run"], said.document["tables"][0]["segments_total"]) == ("everything", 4)


@pytest.mark.parametrize("place", plan_keys.HEADINGS)
def test_a_key_that_is_not_known_is_refused_by_name(place: str, tmp_path: Path) -> None:
    said = _with(tmp_path, plan_keys.HEADINGS[place], "no_such_key = 1\n")
    assert said.code == 2
    assert "'no_such_key' is not a key of " in said.document["error"]["message"]


def _with(cwd: Path, heading: str, line: str) -> Said:
    """What a plan comes to that has this line behind this heading."""
    before, _, behind = plan_keys.PLAN.partition(heading) if heading else ("", "", plan_keys.PLAN)
    (cwd / "move.toml").write_text(f"{before}{heading}{line}{behind}", encoding="utf-8")
    return look(cwd, "copy", "--plan", "move.toml", "--dry-run", "--json")
