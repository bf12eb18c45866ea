"""Whether stored state belongs to the copy that is asked for (invariant 7)."""

from collections.abc import Sequence
from datetime import UTC, datetime

from dynaferry.errors import StateError
from dynaferry.shared.arn import resource_name
from dynaferry.state.records import (
    RunIdentity,
    TableIdentity,
)

_WORDS = {
    "source_arn": "the source",
    "source_endpoint": "the source's endpoint",
    "target_arn": "the target",
    "target_endpoint": "the target's endpoint",
    "filter": "the filter",
    "total_segments": "the number of segments",
    "source_table_id": "the source's table id",
    "target_table_id": "the target's table id",
}

_HINTS = {
    "total_segments": "leave --segments out to go on, or --restart to start over",
    "source_table_id": (
        "the source was dropped and created again since this run began; --restart starts over"
    ),
    "target_table_id": (
        "the target was dropped and created again since this run began; --restart starts over"
    ),
}
_OTHER_COPY = "use another --state-dir, or give the run a name of its own"


def check_names(stored: RunIdentity, wanted: Sequence[tuple[str, str]], *, run: str) -> None:
    """Returns if the stored run is of tables with these names (source, target).

    It is what can be checked before anybody has looked at the tables.

    :raises StateError: names the tables of both
    """
    before = [
        (resource_name(table.source_arn), resource_name(table.target_arn))
        for table in stored.tables
    ]
    if before != list(wanted):
        raise _differs(run, "it", _in_words(before), _in_words(wanted))


def _in_words(names: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{source} to {target}" for source, target in names)


def check_identity(stored: RunIdentity, wanted: RunIdentity, *, run: str) -> None:
    """Returns if the stored run is the one that is wanted, and so may be resumed.

    :raises StateError: names the first thing that differs, with both values
    """
    if stored.schema_version != wanted.schema_version:
        raise _differs(run, "the schema version", stored.schema_version, wanted.schema_version)
    if len(stored.tables) != len(wanted.tables):
        raise _differs(run, "the number of tables", len(stored.tables), len(wanted.tables))
    if stored.move != wanted.move:
        raise _differs(run, "the move that it belongs to", stored.move, wanted.move)
    for before, now in zip(stored.tables, wanted.tables, strict=True):
        _check_table(before, now, run)


def _check_table(stored: TableIdentity, wanted: TableIdentity, run: str) -> None:
    # What tells another copy comes first: its table ids and segments differ as a matter of course.
    for field, words in _WORDS.items():
        before, now = getattr(stored, field), getattr(wanted, field)
        if before != now:
            table = stored.source_arn
            raise _differs(
                run, f"{words} of {table}", before, now, _HINTS.get(field, _OTHER_COPY), table
            )
    for side in ("source", "target"):
        _check_creation(stored, wanted, side, run)


def _check_creation(stored: TableIdentity, wanted: TableIdentity, side: str, run: str) -> None:
    """Where the service gives no ids, a table made anew has another time of creation."""
    before, now = (getattr(table, f"{side}_created_at") for table in (stored, wanted))
    has_id = getattr(stored, f"{side}_table_id") is not None
    if not has_id and before is not None and before != now:
        words = f"the {side}'s creation of {stored.source_arn}"
        raise _differs(
            run,
            words,
            _moment(before),
            _moment(now),
            _HINTS[f"{side}_table_id"],
            stored.source_arn,
        )


def _moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _differs(
    run: str,
    what: str,
    stored: object,
    wanted: object,
    hint: str = _OTHER_COPY,
    table: str | None = None,
) -> StateError:
    return StateError(
        f"the run {run!r} is not this copy: {what} was {stored!r} and is now {wanted!r}",
        hint=hint,
        table=table,
    )


def same_copy(stored: RunIdentity, wanted: RunIdentity) -> bool:
    """Whether both copy the same tables, so that one may replace the other.

    Segments, table ids and the order of the tables do not matter here.
    """
    return _ways(stored) == _ways(wanted)


def _ways(identity: RunIdentity) -> frozenset[tuple[str, str, str, str]]:
    return frozenset(
        (table.source_arn, table.source_endpoint, table.target_arn, table.target_endpoint)
        for table in identity.tables
    )
