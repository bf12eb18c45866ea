"""Records the fixtures anew: `python -m tests.contract.record [json|state|metrics|plan|python]`.

Only on purpose: what changes here changes for people and scripts. State files are made by
make_state_files.py; what they tell is recorded here.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.contract import metrics, plan_keys, python_names, told
from tests.contract.cases import CASES
from tests.contract.world import FIXTURES, ContractWorld, contract_world


@contextmanager
def _fresh(world: ContractWorld) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        world.reset()
        yield Path(place)


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(value, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def record_json(world: ContractWorld) -> None:
    """Every document's shape."""
    for case in CASES:
        with _fresh(world) as cwd:
            _write(FIXTURES / "json" / f"{case.name}.json", case.contract(world, cwd))


def record_state(world: ContractWorld) -> None:
    """What is told of each state file."""
    for name in told.NAMES:
        with _fresh(world) as cwd:
            _write(FIXTURES / "told" / f"{name}.json", told.of_state(cwd, name))


def record_metrics(world: ContractWorld) -> None:
    """Every metric that shows within some seconds of a slow copy."""
    with _fresh(world) as cwd:
        found = metrics.of_a_run(world, cwd, set(), 10.0)
    (FIXTURES / "metrics.txt").write_text("".join(f"{line}\n" for line in found.values()))


def record_plan(_: ContractWorld) -> None:
    """The keys of a plan."""
    _write(FIXTURES / "plan_keys.json", plan_keys.declared())


def record_python(_: ContractWorld) -> None:
    """The names of the package."""
    _write(FIXTURES / "python.json", python_names.of_the_package())


PARTS: Final[dict[str, Callable[[ContractWorld], None]]] = {
    "json": record_json,
    "state": record_state,
    "metrics": record_metrics,
    "plan": record_plan,
    "python": record_python,
}


def record(parts: list[str]) -> None:
    """Records these parts."""
    with contract_world() as world:
        for part in parts:
            PARTS[part](world)


if __name__ == "__main__":
    record(sys.argv[1:] or list(PARTS))
