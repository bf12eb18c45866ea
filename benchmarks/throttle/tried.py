"""What came of a case, and how it went second by second: for the table, the plot and the file."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from benchmarks.simulator import Second
from benchmarks.throttle.cases import Case
from benchmarks.throttle.judge import Finding, findings
from benchmarks.throttle.trial import Trial

PEER_RESULTS = Path(__file__).parents[1] / "results" / "throttle-peer.json"


class Moment(Struct, frozen=True):
    """One second as the service saw it, in units; `allowed` is the rate that was found by then."""

    second: int
    used: float
    offered: float
    allowed: float | None = None


class Tried(Struct, frozen=True, kw_only=True):
    """A case, tried by somebody for so many seconds."""

    case: str
    seconds: float
    findings: list[Finding]
    moments: list[Moment]

    def value(self, what: str) -> str | None:
        """The figure of that name."""
        return next((found.value for found in self.findings if found.what == what), None)


def tried(case: Case, trial: Trial, allowed: Mapping[int, float] | None = None) -> Tried:
    """Judges a trial. `allowed` is the rate at each second, where somebody watched it."""
    report = trial.report.tables["source" if case.name == "production" else "target"]
    return Tried(
        case=case.name,
        seconds=trial.seconds,
        findings=findings(case, trial.report, trial.seconds, trial.named),
        moments=[_moment(second, (allowed or {}).get(second.second)) for second in report.seconds],
    )


def _moment(second: Second, allowed: float | None) -> Moment:
    """The limit that there is to fill: production's rest, the index, or the table."""
    if second.production_units:
        spare = second.read_capacity - second.production_units
        return Moment(second.second, second.read_units, spare, allowed)
    for name, capacity in second.index_write_capacity.items():
        return Moment(second.second, second.index_write_units[name], capacity, allowed)
    return Moment(second.second, second.write_units, second.write_capacity, allowed)


def read_peer(path: Path = PEER_RESULTS) -> dict[str, Tried]:
    """What is kept of the peer's runs, by case."""
    if not path.exists():
        return {}
    kept = msgspec.json.decode(path.read_bytes(), type=list[Tried])
    return {each.case: each for each in kept}


def keep_peer(runs: Iterable[Tried], path: Path = PEER_RESULTS) -> None:
    """Keeps these runs in the place of earlier ones of the same cases."""
    kept = read_peer(path) | {each.case: each for each in runs}
    encoded = msgspec.json.encode([kept[name] for name in sorted(kept)])
    path.write_bytes(msgspec.json.format(encoded, indent=1) + b"\n")
