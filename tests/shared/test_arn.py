"""An ARN says name, region and account; a name says itself."""

import pytest

from dynaferry.shared.arn import (
    arn_account,
    arn_region,
    is_role_arn,
    is_table_arn,
    resource_name,
)

TABLE = "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/orders.v2"
ROLE = "arn:aws:iam::123456789012:role/path/dynaferry-target"


def test_the_arn_of_a_table_says_all_three() -> None:
    assert resource_name(TABLE) == "orders.v2"
    assert arn_region(TABLE) == "cn-north-1"
    assert arn_account(TABLE) == "123456789012"


def test_an_index_is_named_by_the_last_part() -> None:
    assert resource_name(f"{TABLE}/index/by-owner") == "by-owner"


def test_a_name_is_in_no_region_and_no_account() -> None:
    assert resource_name("orders") == "orders"
    assert (arn_region("orders"), arn_account("orders")) == (None, None)


@pytest.mark.parametrize("text", ["orders", ROLE, f"{TABLE}/index/by-owner", f"{TABLE}\n", ""])
def test_what_is_no_table_is_not_taken_for_one(text: str) -> None:
    assert is_table_arn(TABLE)
    assert not is_table_arn(text)


@pytest.mark.parametrize("text", ["dynaferry-target", TABLE, "arn:aws:iam::12:role/x", ""])
def test_what_is_no_role_is_not_taken_for_one(text: str) -> None:
    assert is_role_arn(ROLE)
    assert not is_role_arn(text)
