"""The settings and the summary of a benchmark."""

from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dynaferry import limits
from dynaferry.errors import PlanError
from dynaferry.observe.summary import ErrorSummary
from dynaferry.plan.settings import DEFAULT_READERS, DEFAULT_STATE_DIR, DEFAULT_WRITERS, Account
from dynaferry.plan.validation import check_account, with_region
from dynaferry.shared.urls import checked_url

Kind = Literal["write", "read"]
BenchStatus = Literal["complete", "cost_ceiling", "interrupted", "failed", "refused"]

DEFAULT_SECONDS = 20.0
DEFAULT_MAX_COST = 1.0
DEFAULT_ITEM_BYTES = 1024
LEAST_ITEM_BYTES, MOST_ITEM_BYTES = 100, 400 * 1024


class BenchPlan(Struct, frozen=True, kw_only=True):
    """The plan of one benchmark. `table` None means: a scratch table, created and dropped.

    `max_cost` is in US dollars. `workers` is how many requests are in flight. `forecast_items` is
    what a whole copy will write; for a read the table itself says it.
    """

    kind: Kind
    account: Account
    table: str | None = None
    seconds: float = DEFAULT_SECONDS
    max_cost: float = DEFAULT_MAX_COST
    workers: int
    item_bytes: int = DEFAULT_ITEM_BYTES
    sort_key: bool = False
    consistent_read: bool = False
    forecast_items: int | None = None
    price_per_million: float
    sts_endpoint_url: str | None = None
    state_dir: Path = DEFAULT_STATE_DIR

    @property
    def side(self) -> Literal["source", "target"]:
        """The side of a copy that this measures."""
        return "target" if self.kind == "write" else "source"


def write_plan(account: Account, **settings: object) -> BenchPlan:
    """The plan of `bench write`; settings that are None stand at their default."""
    given = _given(settings)
    given.setdefault("workers", DEFAULT_WRITERS)
    given.setdefault("price_per_million", limits.PRICE_PER_MILLION_WRITES)
    return checked(BenchPlan(kind="write", account=account, **given))  # type: ignore[arg-type]


def read_plan(account: Account, table: str, **settings: object) -> BenchPlan:
    """The plan of `bench read`; settings that are None stand at their default."""
    given = _given(settings)
    given.setdefault("workers", DEFAULT_READERS)
    given.setdefault("price_per_million", limits.PRICE_PER_MILLION_READS)
    plan = BenchPlan(kind="read", account=account, table=table, **given)  # type: ignore[arg-type]
    return checked(plan)


def _given(settings: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in settings.items() if value is not None}


def checked(plan: BenchPlan) -> BenchPlan:
    """The plan, if it makes sense, with its region filled in.

    :raises PlanError: it does not
    """
    if not plan.seconds > 0:
        raise PlanError("--seconds must be more than 0")
    if not plan.max_cost > 0:
        raise PlanError("--max-cost must be more than 0", hint="it is in US dollars: 0.50")
    if not 1 <= plan.workers <= 4096:
        raise PlanError("the requests in flight must be from 1 to 4,096")
    if not LEAST_ITEM_BYTES <= plan.item_bytes <= MOST_ITEM_BYTES:
        raise PlanError(
            f"--item-bytes must be from {LEAST_ITEM_BYTES} to {MOST_ITEM_BYTES:,}",
            hint="the service takes items of up to 400 KB",
        )
    check_account(plan.side, plan.account)
    if plan.sts_endpoint_url is not None:
        checked_url("--sts-endpoint-url", plan.sts_endpoint_url)
    account = with_region(plan.account, [] if plan.table is None else [plan.table])
    return replace(plan, account=account)


class LatencySummary(Struct, frozen=True, kw_only=True):
    """The latency of requests, in milliseconds."""

    p50: float
    p90: float
    p99: float
    max: float


class Forecast(Struct, frozen=True, kw_only=True):
    """The forecast of a whole copy on this side, at the measured rate."""

    items: int
    seconds: float
    units: float
    cost_dollars: float


class BenchSummary(Struct, frozen=True, kw_only=True):
    """The summary of a benchmark. `scratch_dropped` is None where there was no scratch table.

    `table_arn` is None where the table was not seen.
    """

    bench: Kind
    status: BenchStatus
    error: ErrorSummary | None = None
    table: str | None = None
    table_arn: str | None = None
    seconds: float = 0.0
    items: int = 0
    bytes: int = 0
    units: float = 0.0
    requests: int = 0
    throttled_requests: int = 0
    unprocessed_items: int = 0
    items_per_second: float = 0.0
    units_per_second: float = 0.0
    megabytes_per_second: float = 0.0
    latency_milliseconds: LatencySummary | None = None
    cost_dollars: float = 0.0
    max_cost_dollars: float = 0.0
    forecast: Forecast | None = None
    scratch_dropped: bool | None = None
