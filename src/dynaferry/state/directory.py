"""The state directory: which files belong to a run, and which runs are there.

A run's name begins with a letter, a digit or `_`, so names that begin with a dot are free for
files that are still being made.
"""

import re
import secrets
import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from dynaferry.errors import PlanError, StateError
from dynaferry.plan.settings import RESERVED_RUN_SUFFIX, SPOOL_RUN_NAME

_SUFFIX = ".sqlite"


def state_path(state_dir: Path, run: str) -> Path:
    """The run's state file."""
    return state_dir / f"{run}{_SUFFIX}"


def verification_name(run: str) -> str:
    """The name under which the run's verification is kept."""
    return f"{run}{RESERVED_RUN_SUFFIX}"


def move_name(run: str) -> str:
    """The name under which the lock is kept of whoever moves the run's tables."""
    return f"{run}.move"


def spool_path(state_dir: Path, run: str, table: int) -> Path:
    """Where the changes wait that a move of this run has captured of its table number `table`."""
    return state_dir / f"{run}.spool{f'.{table}' if table else ''}{_SUFFIX}"


def way_back_path(state_dir: Path, run: str, table: int) -> Path:
    """Where the changes wait that were made to the target of its table number `table` since the
    switch of a move of this run.
    """
    return state_dir / f"{run}.way-back{f'.{table}' if table else ''}{_SUFFIX}"


def witness_path(state_dir: Path, run: str, table: int) -> Path:
    """Where the keys are kept that were written to the target of table number `table` behind the
    switch, as long as every key is compared.
    """
    return state_dir / f"{run}.witness.spool{f'.{table}' if table else ''}{_SUFFIX}"


def after_go_path(state_dir: Path, run: str) -> Path:
    """Where it is certified what both sides of a move were compared to be behind its switch."""
    return state_dir / f"{run}.after-go.json"


def overwritten_path(state_dir: Path, run: str) -> Path:
    """Where the items are kept that a repair of this run overwrote though it had not seen them."""
    return state_dir / f"{run}.overwritten.jsonl"


def enabled_streams_path(state_dir: Path, run: str) -> Path:
    """Where it is kept which streams of its sources a move of this run has enabled."""
    return state_dir / f"{run}.enabled-streams.jsonl"


def unfinished_path(state_dir: Path, run: str) -> Path:
    """Where the run's state file is built before it gets its name: another place each time."""
    return state_dir / f".{run}{_SUFFIX}.{secrets.token_hex(8)}.new"


def unfinished_files(state_dir: Path, run: str) -> list[Path]:
    """What attempts to build the run's state file left behind, as it is nobody's under its lock.

    :raises OSError: the directory cannot be read
    """
    name = re.compile(rf"\.{re.escape(run + _SUFFIX)}(\.[0-9a-f]{{16}})?\.new(-wal|-shm|-journal)?")
    return [path for path in state_dir.iterdir() if name.fullmatch(path.name)]


def lock_path(state_dir: Path, run: str) -> Path:
    """The run's lock file. It stays when the lock is gone: removing it would race."""
    return state_dir / f"{run}.lock"


def log_paths(database: Path) -> tuple[Path, Path]:
    """The write-ahead log of a database, and the index of that log."""
    return Path(f"{database}-wal"), Path(f"{database}-shm")


def unused_name(path: Path, now: float) -> Path:
    """A name beside `path`, for what stands there and makes room for something new."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.name}.{stamp}.old")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.{stamp}-{number}.old")
    return aside


def has_state(state_dir: Path, run: str) -> bool:
    """Whether anything stands where the run's state file belongs. It blocks.

    :raises StateError: it cannot be told
    """
    path = state_path(state_dir, run)
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise StateError(
            f"the state file {path} cannot be looked for: {error.strerror}",
            hint="choose another --state-dir, or its rights; or give the run a name of its own",
        ) from error
    return True


def find_runs(state_dir: Path) -> list[str]:
    """The names of the runs with a state file, sorted; none where there is no directory.

    :raises StateError: the directory cannot be read
    """
    try:
        entries = [entry for entry in state_dir.iterdir() if _is_state_file(entry)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StateError(
            f"the state directory {state_dir} cannot be read: {error.strerror}",
            hint="choose another --state-dir",
        ) from error
    names = (entry.name.removesuffix(_SUFFIX) for entry in entries)
    return sorted(
        name
        for name in names
        if not name.endswith(RESERVED_RUN_SUFFIX) and SPOOL_RUN_NAME.search(name) is None
    )


def exposures(state_dir: Path, run: str) -> list[str]:
    """What of a run's state other people of this machine could reach, each with what to do.

    What dynaferry makes itself is for its owner alone. A directory of one's own that others may
    list is no harm, since they cannot read the files; one that they may write to lets them replace
    a file. It is said and not refused: a volume that a container is given is often like that.
    """
    found = []
    mode = _mode(state_dir)
    if mode & 0o022 and not mode & stat.S_ISVTX:
        found.append(
            f"the state directory {state_dir} may be changed by others (mode {mode & 0o777:o}): "
            f"chmod go-w {state_dir}"
        )
    path = state_path(state_dir, run)
    if _mode(path) & 0o077:
        found.append(f"the state file {path} may be read by others: chmod 600 {path}")
    return found


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0


def _is_state_file(entry: Path) -> bool:
    return entry.suffix == _SUFFIX and not entry.name.startswith(".") and entry.is_file()


def sole_run(state_dir: Path, run: str | None) -> str:
    """The run that is meant: the one named, or the only one there is.

    :raises PlanError: there is no such run, none at all, or more than one to choose from
    :raises StateError: the directory cannot be read
    """
    runs = find_runs(state_dir)
    if run is not None and run not in runs and spool_path(state_dir, run, 0).is_file():
        raise PlanError(
            f"the move {run!r} has copied nothing yet",
            hint="it waits for its stream, which was enabled just now: look again in a minute; "
            "if no process moves it, the same move command resumes it",
        )
    if not runs:
        raise PlanError(
            f"there is no run in {state_dir}",
            hint="--state-dir names the directory that the copy was started with",
        )
    if run is None:
        return _only(runs, state_dir)
    if run not in runs:
        raise PlanError(f"there is no run {run!r} in {state_dir}", hint=f"there is {_listed(runs)}")
    return run


def _only(runs: Sequence[str], state_dir: Path) -> str:
    if len(runs) > 1:
        raise PlanError(
            f"there are {len(runs)} runs in {state_dir}", hint=f"name one of {_listed(runs)}"
        )
    return runs[0]


def _listed(runs: Sequence[str]) -> str:
    return ", ".join(runs)
