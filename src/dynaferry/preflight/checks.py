"""The checks of preflight that need nothing but descriptions. Pure.

Each returns, or raises a PreflightError that says what was seen, where, and what to do now.
"""

from collections.abc import Sequence

from dynaferry.dynamodb.tables.description import KeyAttribute, TableDescription
from dynaferry.errors import PreflightError
from dynaferry.plan.settings import Account
from dynaferry.shared.arn import arn_account, arn_region

# "The table/index remains available for data operations when UPDATING." [M:TableDescription]
# Auto scaling puts a busy table there at any moment.
_USABLE = frozenset({"ACTIVE", "UPDATING"})


def check_region(side: str, table: str, account: Account, region: str) -> None:
    """Refuses an ARN of another region than the one that is called.

    Behind an endpoint of its own stands an emulator or a private address, which knows better.
    """
    named = arn_region(table)
    if account.endpoint_url is None and named not in (None, region):
        raise PreflightError(
            f"the {side} table {table} is in {named}, but the {side}'s region is {region}",
            hint=f"add --{side}-region {named}",
            table=table,
        )


def check_may_be_warmed(target: TableDescription, write_units: int) -> None:
    """Refuses a warm throughput below the present one, which never decreases, and one that a
    provisioned table could not use: it takes no more than what is provisioned.
    """
    if target.provisioned is not None:
        raise PreflightError(
            f"the target table {target.name} is provisioned, with "
            f"{target.provisioned.write_units:,} write units: being warm gives it no more",
            hint="leave --warm-target out and raise its provisioned write units (its indexes' too)",
            table=target.name,
        )
    if target.warm is not None and write_units < target.warm.write_units:
        raise PreflightError(
            f"the target table {target.name} is warm for {target.warm.write_units:,} write units "
            f"a second, more than --warm-target {write_units:,}",
            hint="leave --warm-target out: warm throughput never decreases",
            table=target.name,
        )


def check_usable(side: str, table: TableDescription, *, may_be_waited_for: bool = False) -> None:
    """Refuses a table that cannot be read or written now, or soon if it `may_be_waited_for`."""
    if table.status in _USABLE or (may_be_waited_for and table.status == "CREATING"):
        return
    hint = "wait until it is ACTIVE, then run the same command again"
    if table.status == "DELETING":
        hint = f"it is being deleted: name another {side}"
    elif table.status not in ("CREATING", "ARCHIVING"):
        hint = "check the table in the console: its key or its replication needs attention"
    raise PreflightError(
        f"the {side} table {table.arn} is {table.status}, not ACTIVE", hint=hint, table=table.name
    )


def check_not_the_same(source: TableDescription, target: TableDescription) -> None:
    """Refuses to copy a table onto itself."""
    if is_same_table(source, target):
        raise PreflightError(
            f"the source and the target are the same table, {source.arn}",
            hint="name another table or region for the target; to reach another account, add "
            "--target-role-arn or --target-profile",
            table=source.name,
        )


def is_same_table(one: TableDescription, other: TableDescription) -> bool:
    """Whether two descriptions are of one table, however it was reached.

    Table ids decide where the service gives them. DynamoDB Local gives none, and the same ARN to
    every account: there two tables differ by the moment of their creation, which it gives to the
    millisecond; and whether two sets of credentials see one table depends on how it was started.
    Where even that is missing, one ARN at one endpoint is one table.
    """
    if one.table_id is not None and other.table_id is not None:
        return one.table_id == other.table_id
    if one.arn != other.arn:
        return False
    if one.created_at is not None and other.created_at is not None:
        return one.created_at == other.created_at
    return one.endpoint == other.endpoint


def check_keys_agree(source: TableDescription, target: TableDescription) -> None:
    """Refuses a target whose key is not the source's, by names, types or order."""
    if source.keys != target.keys:
        raise PreflightError(
            f"the keys differ: the source {source.name} has {_in_words(source.keys)}, "
            f"the target {target.name} has {_in_words(target.keys)}",
            hint="copy to a table with the source's key: name one that does not exist yet and add "
            "--create-target",
            table=target.name,
        )


def _in_words(keys: Sequence[KeyAttribute]) -> str:
    roles = {"HASH": "partition key", "RANGE": "sort key"}
    return " and ".join(f"{roles[key.role]} {key.name} ({key.type})" for key in keys)


def check_role_can_create(role_arn: str | None, target: str) -> None:
    """Refuses to create a table by the ARN of another account than the role's.

    CreateTable knows no other account than the caller's [DG:rbac-*].
    """
    role_account, table_account = arn_account(role_arn or ""), arn_account(target)
    if role_account and table_account and role_account != table_account:
        raise PreflightError(
            f"the target table {target} cannot be created by {role_arn}: a table is only created "
            "in the account that acts",
            hint=f"use a role of account {table_account} with --target-role-arn, or create the "
            "table there first",
            table=target,
        )


def check_created_where_meant(target: str, created: TableDescription) -> None:
    """Without a role to go by, only the new table says in which account it is."""
    meant, found = arn_account(target), arn_account(created.arn)
    if meant is not None and meant != found:
        raise PreflightError(
            f"the target table was created as {created.arn}, not as {target}: the credentials "
            f"act in account {found}",
            hint=f"delete {created.arn}, and use credentials of account {meant}, for example by "
            "--target-role-arn",
            table=target,
        )
