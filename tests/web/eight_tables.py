"""A run of eight tables in the middle of its work, made up: one in every state that there is."""

from dynaferry.observe.events import RunEvent
from dynaferry.observe.summary import ErrorSummary
from tests.web.staged import StagedRun

NAMES = (
    "prod-events",
    "prod-orders",
    "prod-customers",
    "prod-audit",
    "prod-carts",
    "prod-sessions",
    "prod-prices",
    "prod-settings",
)
EVENTS, ORDERS, CUSTOMERS, AUDIT, CARTS, SESSIONS, PRICES, SETTINGS = range(8)
DENIED = ErrorSummary(
    type="AccessDeniedError",
    message="BatchWriteItem on the target table prod-audit is denied",
    hint="allow dynamodb:BatchWriteItem, then the same command copies it alone",
)


ITEMS_PER_SECOND = 16_000
SEGMENTS = (9_000, 8_000, 7_000, 6_000, 300, 200, 64, 16)


def eight_tables(seconds: int = 300) -> StagedRun:
    """The run after so many seconds: two run, one is complete, one has failed, four wait."""
    run = StagedRun(SEGMENTS, names=NAMES)
    run.monitor.stats.tables_at_once = 2
    for table in run.tables:
        table.stats.planned_seconds = table.stats.expected_items / ITEMS_PER_SECOND
    for number in (ORDERS, AUDIT):
        run.tables[number].begin()
    run.tables[SETTINGS].end()
    run.tables[ORDERS].stats.note_rejection("ValidationException: Item size has exceeded 400 KB")
    run.tables[ORDERS].stats.items_rejected = 1
    run.go_on(seconds // 4)
    run.tables[AUDIT].stats.state = "failed"
    run.tables[AUDIT].stats.error = DENIED
    run.go_on(seconds - seconds // 4)
    run.monitor.stats.events = events(run.monitor.began_epoch)
    return run


def events(began: float) -> list[RunEvent]:
    """What happened to it so far."""
    cap = "writes at most 24,000 units/s (set)"
    return [
        RunEvent(time=began, kind="started"),
        RunEvent(time=began + 1, kind="table-started", source=NAMES[EVENTS]),
        RunEvent(time=began + 21, kind="throttled", source=NAMES[EVENTS], detail="index by-day"),
        RunEvent(time=began + 60, kind="set", by="maria", detail=cap),
        RunEvent(time=began + 75, kind="table-ended", source=NAMES[AUDIT], detail="failed"),
    ]
