"""The settings and the summary of `bench facts`."""

from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from dynaferry import limits
from dynaferry.bench.settings import BenchStatus
from dynaferry.errors import PlanError
from dynaferry.observe.summary import ErrorSummary
from dynaferry.plan.settings import DEFAULT_STATE_DIR, Account
from dynaferry.plan.validation import check_account, with_region
from dynaferry.shared.urls import checked_url
from dynaferry.state.facts_file import ServiceFacts

DEFAULT_FACTS_SECONDS = 20.0
DEFAULT_FACTS_COST = 0.25
MOST_FACTS_SECONDS = 600.0
DEFAULT_PATIENCE_SECONDS = 60.0


class FactsPlan(Struct, frozen=True, kw_only=True):
    """The plan of one measurement. `max_cost` is in US dollars.

    `seconds` is for how long changes are written and their records watched. A request that fails is
    sent again for `patience_seconds`; then what it was to measure is not measured.
    """

    account: Account
    seconds: float = DEFAULT_FACTS_SECONDS
    max_cost: float = DEFAULT_FACTS_COST
    price_per_million_writes: float = limits.PRICE_PER_MILLION_WRITES
    price_per_million_reads: float = limits.PRICE_PER_MILLION_READS
    sts_endpoint_url: str | None = None
    state_dir: Path = DEFAULT_STATE_DIR
    patience_seconds: float = DEFAULT_PATIENCE_SECONDS


def facts_plan(account: Account, **settings: object) -> FactsPlan:
    """The plan, if it makes sense, with its region filled in; settings that are None stand at their
    default.

    :raises PlanError: it makes none
    """
    given = {name: value for name, value in settings.items() if value is not None}
    plan = FactsPlan(account=account, **given)  # type: ignore[arg-type]
    if not 0 < plan.seconds <= MOST_FACTS_SECONDS:
        raise PlanError(f"--seconds must be more than 0, and at most {MOST_FACTS_SECONDS:.0f}")
    if not plan.max_cost > 0:
        raise PlanError("--max-cost must be more than 0", hint="it is in US dollars: 0.25")
    check_account("source", plan.account)
    if plan.sts_endpoint_url is not None:
        checked_url("--sts-endpoint-url", plan.sts_endpoint_url)
    return replace(plan, account=with_region(plan.account, []))


class FactsSummary(Struct, frozen=True, kw_only=True):
    """The summary of a measurement. `file` is where `facts` were written, None where nowhere.

    `scratch_dropped` is None where no scratch table was made.
    """

    bench: str = "facts"
    status: BenchStatus
    error: ErrorSummary | None = None
    seconds: float = 0.0
    cost_dollars: float = 0.0
    max_cost_dollars: float = 0.0
    scratch_dropped: bool | None = None
    file: str | None = None
    facts: ServiceFacts | None = None
