from typing import Any

import pytest
from msgspec.structs import replace

from dynaferry.errors import StateError
from dynaferry.state.identity import check_identity, check_tables, shares_tables
from dynaferry.state.records import RunIdentity
from tests.state.contract import IDENTITY, table_identity

RUN = "orders"
OTHER_COPY = "use another --state-dir, or give the run a name of its own"


def with_second_table(**changes: Any) -> RunIdentity:
    first, second = IDENTITY.tables
    return RunIdentity(tables=(first, replace(second, **changes)))


def refusal(wanted: RunIdentity) -> StateError:
    with pytest.raises(StateError) as caught:
        check_identity(IDENTITY, wanted, run=RUN)
    return caught.value


def test_an_equal_identity_may_be_resumed() -> None:
    check_identity(IDENTITY, with_second_table(), run=RUN)
    assert shares_tables(IDENTITY, with_second_table())


@pytest.mark.parametrize(
    ("field", "value", "words", "hint"),
    [
        ("source_arn", "arn:other", "the source of", OTHER_COPY),
        ("source_endpoint", "http://other", "the source's endpoint", OTHER_COPY),
        ("target_arn", "arn:other", "the target of", OTHER_COPY),
        ("target_endpoint", "http://other", "the target's endpoint", OTHER_COPY),
        ("filter", "a = b", "the filter", OTHER_COPY),
        ("total_segments", 65, "the number of segments", "leave --segments out"),
        ("source_table_id", "new-id", "the source's table id", "the source was dropped"),
        ("source_table_id", None, "the source's table id", "the source was dropped"),
        ("target_table_id", "new-id", "the target's table id", "the target was dropped"),
    ],
)
def test_what_differs_is_named_with_its_table_and_both_values(
    field: str, value: object, words: str, hint: str
) -> None:
    error = refusal(with_second_table(**{field: value}))
    second = IDENTITY.tables[1]
    assert repr(RUN) in error.message
    assert words in error.message
    assert f"was {getattr(second, field)!r} and is now {value!r}" in error.message
    assert error.table == second.source_arn
    assert error.hint is not None
    assert error.hint.startswith(hint)


def test_the_first_table_that_differs_is_named() -> None:
    first, second = IDENTITY.tables
    wanted = RunIdentity(
        tables=(replace(first, total_segments=1), replace(second, target_arn="arn:other"))
    )
    assert refusal(wanted).table == first.source_arn


def test_another_copy_is_recognised_by_its_arn_and_not_by_its_segments() -> None:
    wanted = with_second_table(total_segments=1, source_table_id="x", target_arn="arn:other")
    assert refusal(wanted).hint == OTHER_COPY


def test_another_number_of_tables_is_refused() -> None:
    wanted = RunIdentity(tables=IDENTITY.tables[:1])
    assert "the number of tables was 2 and is now 1" in refusal(wanted).message


def test_another_order_of_the_tables_is_refused_but_may_take_its_place() -> None:
    wanted = RunIdentity(tables=IDENTITY.tables[::-1])
    assert "the source of" in refusal(wanted).message
    assert shares_tables(IDENTITY, wanted)


def test_another_schema_version_is_refused() -> None:
    wanted = RunIdentity(tables=IDENTITY.tables, schema_version=99)
    assert "the schema version was 1 and is now 99" in refusal(wanted).message


def test_where_there_are_several_tables_the_hint_is_to_restart_one() -> None:
    hint = refusal(with_second_table(target_table_id="new")).hint or ""
    assert hint.endswith("since this run began; --restart-table source-1 starts over")


def test_only_the_tables_that_are_asked_for_are_compared() -> None:
    other = with_second_table(source_table_id="new")
    check_tables(IDENTITY, other, [0], run=RUN)
    with pytest.raises(StateError, match="the source's table id"):
        check_tables(IDENTITY, other, [0, 1], run=RUN)
    more = RunIdentity(tables=(*IDENTITY.tables, table_identity(2)))
    check_tables(IDENTITY, more, [0, 1, 2], run=RUN)


def test_a_restarted_table_has_only_to_be_between_the_same_places() -> None:
    anew = with_second_table(source_table_id="x", target_table_id="y", total_segments=1)
    check_tables(IDENTITY, anew, [0, 1], restarted=[1], run=RUN)
    for field in ("source_arn", "source_endpoint", "target_arn", "target_endpoint"):
        with pytest.raises(StateError, match="is not this copy"):
            check_tables(IDENTITY, with_second_table(**{field: "o"}), [1], restarted=[1], run=RUN)


@pytest.mark.parametrize(
    "changes", [{"total_segments": 1}, {"source_table_id": "x", "target_table_id": "y"}]
)
def test_a_copy_of_the_same_tables_may_take_its_place(changes: dict[str, Any]) -> None:
    first = replace(IDENTITY.tables[0], **changes)
    assert shares_tables(IDENTITY, RunIdentity(tables=(first, table_identity(9))))


@pytest.mark.parametrize(
    "field", ["source_arn", "source_endpoint", "target_arn", "target_endpoint"]
)
def test_a_copy_between_other_places_may_not(field: str) -> None:
    others = tuple(replace(table, **{field: "other"}) for table in IDENTITY.tables)
    assert not shares_tables(IDENTITY, RunIdentity(tables=others))


def created(source: float | None, target: float | None, **ids: Any) -> RunIdentity:
    (first, *_) = IDENTITY.tables
    ids = {"source_table_id": None, "target_table_id": None} | ids
    return RunIdentity(
        tables=(replace(first, source_created_at=source, target_created_at=target, **ids),)
    )


@pytest.mark.parametrize(
    ("wanted", "side"), [(created(1.0, 2.5), "target"), (created(1.5, 2.0), "source")]
)
def test_where_there_is_no_id_a_table_made_anew_is_recognised_by_its_creation(
    wanted: RunIdentity, side: str
) -> None:
    check_identity(created(1.0, 2.0), created(1.0, 2.0), run=RUN)
    with pytest.raises(StateError, match=f"the {side}'s creation of") as caught:
        check_identity(created(1.0, 2.0), wanted, run=RUN)
    assert (caught.value.hint or "").startswith(f"the {side} was dropped")


def test_where_there_is_an_id_it_decides() -> None:
    ids = {"source_table_id": "a", "target_table_id": "b"}
    check_identity(created(1.0, 2.0, **ids), created(3.0, 4.0, **ids), run=RUN)


def test_a_file_of_an_earlier_version_without_creation_times_is_gone_on_with() -> None:
    check_identity(created(None, None), created(3.0, 4.0), run=RUN)
