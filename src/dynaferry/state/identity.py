"""Whether stored state belongs to the copy that is asked for (invariant 7)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
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

_MADE_ANEW = "the {} was dropped and created again since this run began; {}"
# What tells where a table is copied from and to.
_PLACES = {name: words for name, words in _WORDS.items() if name.endswith(("_arn", "_endpoint"))}
_OTHER_COPY = "use another --state-dir, or give the run a name of its own"


def another_copy(stored: RunIdentity, wanted: Sequence[tuple[str, str]], *, run: str) -> StateError:
    """The refusal of a run that has none of the tables with these names (source, target)."""
    before = [
        (resource_name(table.source_arn), resource_name(table.target_arn))
        for table in stored.tables
    ]
    return _differs(run, "it", _in_words(before), _in_words(wanted))


def _in_words(names: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{source} to {target}" for source, target in names)


def check_identity(stored: RunIdentity, wanted: RunIdentity, *, run: str) -> None:
    """Returns if the stored run is the one that is wanted, table by table, and may be resumed.

    :raises StateError: names the first thing that differs, with both values
    """
    if len(stored.tables) != len(wanted.tables):
        raise _differs(run, "the number of tables", len(stored.tables), len(wanted.tables))
    check_tables(stored, wanted, range(len(wanted.tables)), run=run)


def check_tables(
    stored: RunIdentity,
    wanted: RunIdentity,
    numbers: Iterable[int],
    *,
    restarted: Collection[int] = (),
    run: str,
) -> None:
    """Returns if the tables with these numbers may be resumed, as far as the run knows them.

    Those that are `restarted` have only to be between the same places.

    :raises StateError: names the first thing that differs, with both values
    """
    if stored.schema_version != wanted.schema_version:
        raise _differs(run, "the schema version", stored.schema_version, wanted.schema_version)
    if stored.move != wanted.move:
        raise _differs(run, "the move that it belongs to", stored.move, wanted.move)
    of_several = len(wanted.tables) > 1
    for number in numbers:
        if number < len(stored.tables):
            before, now = stored.tables[number], wanted.tables[number]
            fields = _PLACES if number in restarted else _WORDS
            _check_table(before, now, fields, run, of_several=of_several)


def _check_table(
    stored: TableIdentity,
    wanted: TableIdentity,
    fields: Mapping[str, str],
    run: str,
    *,
    of_several: bool,
) -> None:
    # What tells another copy comes first: its table ids and segments differ as a matter of course.
    table = stored.source_arn
    anew = f"--restart-table {resource_name(table)}" if of_several else "--restart"
    for field, words in fields.items():
        before, now = getattr(stored, field), getattr(wanted, field)
        if before != now:
            raise _differs(run, f"{words} of {table}", before, now, _hint(field, anew), table)
    for side in ("source", "target") if "total_segments" in fields else ():
        _check_creation(stored, wanted, side, run, _hint(f"{side}_table_id", anew))


def _hint(field: str, anew: str) -> str:
    """What to do where this field differs; `anew` is the flag that starts the table over."""
    if field == "total_segments":
        return f"leave --segments out to resume, or {anew} to start over"
    side, _, what = field.partition("_")
    return _MADE_ANEW.format(side, f"{anew} starts over") if what == "table_id" else _OTHER_COPY


def _check_creation(
    stored: TableIdentity, wanted: TableIdentity, side: str, run: str, hint: str
) -> None:
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
            hint,
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


def shares_tables(stored: RunIdentity, wanted: RunIdentity) -> bool:
    """Whether both copy a table between the same places, so that one may replace the other.

    Segments, table ids and the order of the tables do not matter here.
    """
    return not _ways(stored).isdisjoint(_ways(wanted))


def _ways(identity: RunIdentity) -> frozenset[tuple[str, str, str, str]]:
    return frozenset(
        (table.source_arn, table.source_endpoint, table.target_arn, table.target_endpoint)
        for table in identity.tables
    )
