from datetime import UTC, datetime
from typing import Any

import pytest

from dynaferry.dynamodb.tables.description import TableDescription, Throughput
from dynaferry.errors import PreflightError
from dynaferry.plan.settings import Account
from dynaferry.preflight.checks import (
    check_created_where_meant,
    check_keys_agree,
    check_may_be_warmed,
    check_not_the_same,
    check_region,
    check_role_can_create,
    check_usable,
    is_same_table,
)
from tests.worlds.described import PK, SK, described

OTHER_ACCOUNT_ROLE = "arn:aws:iam::222222222222:role/writer"
EARLIER = datetime(2026, 1, 1, 12, 0, 0, 1000, tzinfo=UTC)
LATER = datetime(2026, 1, 1, 12, 0, 0, 2000, tzinfo=UTC)


def local(**settings: Any) -> TableDescription:
    """A table of DynamoDB Local, which gives no ids and the same ARN to every account."""
    arn = "arn:aws:dynamodb:ddblocal:000000000000:table/orders"
    return described(**{"arn": arn, "table_id": None, "created_at": EARLIER} | settings)


@pytest.mark.parametrize("status", ["ACTIVE", "UPDATING"])
def test_a_table_is_usable_while_it_is_active_or_updated(status: str) -> None:
    check_usable("source", described(status=status))


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        ("CREATING", "wait until it is ACTIVE, then run the same command again"),
        ("DELETING", "it is being deleted: name another target"),
        ("ARCHIVED", "check the table in the console"),
        ("INACCESSIBLE_ENCRYPTION_CREDENTIALS", "check the table in the console"),
    ],
)
def test_a_table_in_any_other_status_is_refused(status: str, hint: str) -> None:
    with pytest.raises(PreflightError) as caught:
        check_usable("target", described(status=status))
    assert caught.value.message == (
        "the target table arn:aws:dynamodb:us-east-1:123456789012:table/orders "
        f"is {status}, not ACTIVE"
    )
    assert hint in (caught.value.hint or "")


def test_a_table_is_not_copied_onto_itself() -> None:
    with pytest.raises(PreflightError) as caught:
        check_not_the_same(described(), described(endpoint="https://another.way"))
    assert caught.value.message == (
        "the source and the target are the same table, "
        "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
    )
    assert "--target-role-arn" in (caught.value.hint or "")


def test_the_same_name_in_another_account_is_another_table() -> None:
    check_not_the_same(described(), described(account="222222222222"))


def test_table_ids_decide_where_both_sides_have_them() -> None:
    assert is_same_table(described(table_id="a", arn="one"), described(table_id="a", arn="two"))
    assert not is_same_table(described(table_id="a"), described(table_id="b"))


def test_without_ids_one_arn_created_at_one_moment_is_one_table() -> None:
    assert is_same_table(local(), local(endpoint="http://localhost:8000"))
    assert not is_same_table(local(), local(created_at=LATER))
    assert not is_same_table(local(), local(arn="arn:aws:dynamodb:ddblocal:000000000000:table/x"))


def test_without_ids_and_moments_one_arn_at_one_endpoint_is_one_table() -> None:
    assert is_same_table(local(created_at=None), local())
    assert not is_same_table(local(created_at=None), local(endpoint="http://elsewhere"))


def test_keys_that_agree_pass() -> None:
    check_keys_agree(described(keys=(PK, SK)), described(keys=(PK, SK)))


def test_keys_that_differ_are_spelled_out() -> None:
    with pytest.raises(PreflightError) as caught:
        check_keys_agree(described("orders", keys=(PK, SK)), described("copy", keys=(PK,)))
    assert caught.value.message == (
        "the keys differ: the source orders has partition key pk (S) and sort key sk (N), "
        "the target copy has partition key pk (S)"
    )
    assert "--create-target" in (caught.value.hint or "")


def test_an_arn_of_another_region_is_refused_with_the_flag_that_mends_it() -> None:
    arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
    with pytest.raises(PreflightError) as caught:
        check_region("source", arn, Account(), "us-east-1")
    assert caught.value.message == (
        f"the source table {arn} is in eu-west-1, but the source's region is us-east-1"
    )
    assert caught.value.hint == "add --source-region eu-west-1"


@pytest.mark.parametrize(
    ("table", "account"),
    [
        ("orders", Account()),
        ("arn:aws:dynamodb:us-east-1:123456789012:table/orders", Account()),
        (
            "arn:aws:dynamodb:ddblocal:000000000000:table/orders",
            Account(endpoint_url="http://127.0.0.1:8000"),
        ),
    ],
)
def test_a_name_the_right_region_or_an_emulators_arn_passes(table: str, account: Account) -> None:
    check_region("target", table, account, "us-east-1")


def test_a_role_cannot_create_a_table_in_another_account() -> None:
    arn = "arn:aws:dynamodb:us-east-1:333333333333:table/orders"
    with pytest.raises(PreflightError) as caught:
        check_role_can_create(OTHER_ACCOUNT_ROLE, arn)
    assert caught.value.message == (
        f"the target table {arn} cannot be created by {OTHER_ACCOUNT_ROLE}: "
        "a table is only created in the account that acts"
    )
    assert "a role of account 333333333333 with --target-role-arn" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("role_arn", "target"),
    [
        (None, "arn:aws:dynamodb:us-east-1:333333333333:table/orders"),
        (OTHER_ACCOUNT_ROLE, "orders"),
        (OTHER_ACCOUNT_ROLE, "arn:aws:dynamodb:us-east-1:222222222222:table/orders"),
    ],
)
def test_a_role_may_create_a_table_by_name_or_in_its_own_account(
    role_arn: str | None, target: str
) -> None:
    check_role_can_create(role_arn, target)


def test_a_table_created_in_another_account_than_meant_is_reported_with_its_arn() -> None:
    created = described()
    check_created_where_meant("orders", created)
    check_created_where_meant(created.arn, created)
    with pytest.raises(PreflightError) as caught:
        check_created_where_meant("arn:aws:dynamodb:us-east-1:222222222222:table/orders", created)
    assert "the credentials act in account 123456789012" in caught.value.message
    assert f"delete {created.arn}" in (caught.value.hint or "")


def test_warm_throughput_is_never_asked_to_decrease() -> None:
    target = described("copy", warm=Throughput(12_000, 9000))
    check_may_be_warmed(target, 9000)
    with pytest.raises(PreflightError, match="warm for 9,000 write units") as caught:
        check_may_be_warmed(target, 8999)
    assert "never decreases" in (caught.value.hint or "")


def test_a_provisioned_target_gains_nothing_from_being_warm() -> None:
    target = described("copy", billing_mode="PROVISIONED", provisioned=Throughput(5, 10))
    with pytest.raises(PreflightError, match="provisioned, with 10 write units") as caught:
        check_may_be_warmed(target, 9000)
    assert "raise its provisioned write units" in (caught.value.hint or "")
