"""Makes the recorded state files: `python -m tests.contract.make_state_files [NAME ...]`.

Not run by the tests: what they hold is that files of an older dynaferry still resume, so these are
made once by each version whose files count, and then never again. A new one gets a name of its own.
They are made against moto, with a relative state directory and made-up endpoints, and hold nothing
of the machine that made them. A lock file holds the number of a process, and is left out.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.contract.cases import (
    PLAN,
    STATES,
    copy_plan,
    held_copy,
    interrupted,
    make_rejected,
    wait_until_held,
)
from tests.contract.world import (
    HERE,
    ContractWorld,
    an_item,
    contract_world,
    copy,
    look,
    some_items,
    verify,
)
from tests.worlds.client import WireItem


def killed(world: ContractWorld, cwd: Path) -> None:
    """Killed in the middle: a log beside the file, and no word of its end."""
    world.make_tables(some_items(refused=[3, 77]))
    with held_copy(world, cwd, after=20) as child:
        child.kill()
        child.wait()


def complete(world: ContractWorld, cwd: Path) -> None:
    """Everything is copied."""
    world.make_tables()
    world.run(cwd, *copy())


def stopped(world: ContractWorld, cwd: Path) -> None:
    """Interrupted by Ctrl-C."""
    world.make_tables(some_items(refused=[3, 77]))
    interrupted(world, cwd, copy(), hold=("BatchWriteItem", 20))


def failed(world: ContractWorld, cwd: Path) -> None:
    """Ended by an error: the target took nothing more."""
    world.make_tables(some_items(refused=[3, 77]))
    world.service.hold = ("BatchWriteItem", 20)
    child = world.start(cwd, *copy("--patience", "1"))
    wait_until_held(world, child)
    world.service.fails = "BatchWriteItem"
    world.service.release()
    child.communicate()


def verified(world: ContractWorld, cwd: Path) -> None:
    """Copied, changed since, and compared to the end."""
    complete(world, cwd)
    world.change_target(_changed(), drop=[0, 1])
    world.run(cwd, *verify())


def half_verified(world: ContractWorld, cwd: Path) -> None:
    """Copied, changed since, and a comparison that was interrupted."""
    complete(world, cwd)
    world.change_target(_changed(), drop=[0, 1])
    interrupted(world, cwd, verify(), hold=("Scan", 30))


def repaired(world: ContractWorld, cwd: Path) -> None:
    """Copied, changed since, compared and mended."""
    complete(world, cwd)
    world.change_target(_changed(), drop=[0, 1])
    world.run(cwd, *verify("--repair", "--delete-extra", "--yes"))


def several(world: ContractWorld, cwd: Path) -> None:
    """A plan of two tables with limits, interrupted; then it was paused and given caps."""
    for name in ("orders", "events"):
        world.make_tables(some_items(refused=[3, 77]), name=name)
    (cwd / "move.toml").write_text(PLAN, encoding="utf-8")
    interrupted(world, cwd, copy_plan(), hold=("BatchWriteItem", 40))
    look(cwd, "pause", *HERE)
    look(cwd, "set", "--max-write-units", "500", "--max-read-units", "none", *HERE)


def _changed() -> list[WireItem]:
    return [an_item(2, "another"), an_item(3, "another"), an_item(5000)]


MADE: Final[dict[str, Callable[[ContractWorld, Path], None]]] = {
    "killed": killed,
    "complete": complete,
    "rejected": make_rejected,
    "interrupted": stopped,
    "failed": failed,
    "verified": verified,
    "half-verified": half_verified,
    "repaired": repaired,
    "several": several,
}


def make(names: list[str]) -> None:
    """Makes the state files of these names."""
    with contract_world() as world:
        for name in names:
            with tempfile.TemporaryDirectory() as place:
                cwd = Path(place)
                world.reset()
                MADE[name](world, cwd)
                _keep(cwd / "state", STATES / name)


def _keep(state: Path, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for path in sorted(state.iterdir()):
        # The index of a log is made anew from it; an empty log is none.
        if path.suffix != ".lock" and not path.name.endswith("-shm") and path.stat().st_size:
            shutil.copyfile(path, place / path.name)


if __name__ == "__main__":
    make(sys.argv[1:] or list(MADE))
