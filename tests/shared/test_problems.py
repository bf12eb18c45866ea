"""Several problems are told as one error: each once, in their order, with what to do."""

from dynaferry.errors import AccessDeniedError, DynaferryError, PreflightError
from dynaferry.shared.problems import all_of, parts_of, problem_lines


def missing(table: str) -> PreflightError:
    return PreflightError(f"the table {table} does not exist", hint="check it", table=table)


EMPTY = PreflightError("the table users is not empty", hint="empty it", table="users")


def test_one_problem_is_told_as_it_is() -> None:
    problem = missing("orders")
    assert all_of([problem]) is problem
    assert parts_of(problem) == [problem]
    assert problem_lines(problem) == []


def test_what_is_the_same_of_several_tables_is_told_once() -> None:
    error = all_of([missing("orders"), EMPTY, missing("carts"), missing("audit")])
    assert isinstance(error, PreflightError)
    assert error.message == (
        "4 problems: (1) the table orders does not exist; the same for carts, audit; "
        "(2) the table users is not empty"
    )
    assert error.hint == "(1) check it; (2) empty it"
    assert [problem.table for problem in parts_of(error)] == ["orders", "users", "carts", "audit"]


def test_people_read_a_line_for_each_and_each_hint_once() -> None:
    same_hint = PreflightError("something else", hint="empty it")
    assert problem_lines(all_of([missing("orders"), EMPTY, same_hint])) == [
        "error: 3 problems",
        "  (1) the table orders does not exist",
        "  (2) the table users is not empty",
        "  (3) something else",
        "hint: (1) check it",
        "hint: (2, 3) empty it",
    ]


def test_refusals_of_rights_alone_stay_what_they_are() -> None:
    denied: list[DynaferryError] = [AccessDeniedError(f"denied {name}") for name in ("a", "b")]
    assert isinstance(all_of(denied), AccessDeniedError)
    assert isinstance(all_of([*denied, EMPTY]), PreflightError)
