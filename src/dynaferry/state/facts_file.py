"""What `dynaferry bench facts` has measured of the service, kept in a file for its account and
Region; and what a cut-over may say by it.

Much of what a move is built on is only read, in documentation that promises little. A file of
another account or Region says nothing of this one, nor does one of a stand-in say anything of the
service itself.
"""

import re
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from dynaferry.errors import StateError
from dynaferry.shared.arn import arn_account, arn_region
from dynaferry.shared.files import read_bounded, refusals_raised, write_whole

FACTS: Final = "facts"
FACTS_VERSION: Final = 1
MOST_BYTES: Final = 262_144
_NO_NAME: Final = re.compile(r"[^a-z0-9-]+")

# The fact by which a stream that is disabled and read to its end is proof.
CLOSED_SHARDS: Final = "closed-shards-hold-all"

FactVerdict = Literal["holds", "fails", "not-measured"]


class Fact(Struct, frozen=True, kw_only=True):
    """An assumption, whether it holds there, a line on it for people, and the figures."""

    name: str
    verdict: FactVerdict
    assumption: str
    line: str
    measured: dict[str, Any] = {}


class ServiceFacts(Struct, frozen=True, kw_only=True):
    """What was measured in one account and Region. `measured_at` is in UTC, as ISO 8601 has it.

    `service` is whose the endpoint is, as `whose_endpoint` of the network edge says it.
    """

    version: int = FACTS_VERSION
    account: str
    region: str
    service: str
    measured_at: str
    dynaferry: str
    facts: list[Fact]

    def fact(self, name: str) -> Fact | None:
        """The fact of this name, where it is there."""
        return next((fact for fact in self.facts if fact.name == name), None)


class ClosedProof(Struct, frozen=True):
    """Whether closed shards, read to their end, are proof; and why or why not, for people."""

    is_proof: bool
    why: str


def facts_path(state_dir: Path, account: str, region: str) -> Path:
    """Where the facts of an account and Region are kept."""
    account, region = (_NO_NAME.sub("_", name) for name in (account, region))
    return state_dir / FACTS / f"{account}.{region}.json"


def write_facts(state_dir: Path, facts: ServiceFacts) -> Path:
    """Puts the file in its place, where it replaces an earlier one. It blocks.

    :raises StateError: it cannot be written
    """
    path = facts_path(state_dir, facts.account, facts.region)
    hint = "choose another directory with --state-dir"
    with refusals_raised(f"the facts file {path}", hint=hint, error=StateError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = msgspec.json.format(msgspec.json.encode(facts), indent=1)
        write_whole(path, content + b"\n", private=True)
    return path


def read_facts(state_dir: Path, account: str, region: str) -> ServiceFacts | None:
    """The facts of an account and Region; None where nobody has measured them. It blocks.

    :raises StateError: the file cannot be read
    """
    path = facts_path(state_dir, account, region)
    try:
        facts = msgspec.json.decode(read_bounded(path, MOST_BYTES), type=ServiceFacts)
        if facts.version != FACTS_VERSION:
            raise ValueError(f"it is of version {facts.version}")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # msgspec's is one
        raise StateError(
            f"the facts file {path} cannot be read: {error}",
            hint="measure again with `dynaferry bench facts`, or remove the file",
        ) from error
    return facts


def closed_proof(state_dir: Path, table_arn: str, service: str) -> ClosedProof:
    """Whether a disabled stream that is read to its end proves that nothing is missing: only where
    it was measured, for the account and Region of this table, at this service. It blocks.

    `service` is whose the table's endpoint is, by `whose_endpoint`. A file that cannot be read
    proves nothing, and is told.
    """
    account, region = arn_account(table_arn) or "", arn_region(table_arn) or ""
    place = f"account {account} in {region}"
    unmeasured = f"`dynaferry bench facts` has not measured it for {place}"
    try:
        facts = read_facts(state_dir, account, region)
    except StateError as error:
        return ClosedProof(False, error.message)
    # What the file says of itself counts, not its name: somebody may have copied it.
    if facts is None or (facts.account, facts.region) != (account, region):
        return ClosedProof(False, unmeasured)
    if facts.service != service:
        return ClosedProof(False, f"{unmeasured} at {service}, but at {facts.service}")
    fact = facts.fact(CLOSED_SHARDS)
    if fact is None or fact.verdict == "not-measured":
        return ClosedProof(False, unmeasured)
    day = facts.measured_at.partition("T")[0]
    return ClosedProof(fact.verdict == "holds", f"measured for {place} on {day}: {fact.line}")
