"""The parts of an ARN. A table's name, which may stand in its place, has the name only.

`arn:aws:dynamodb:us-east-1:123456789012:table/orders`: partition, service, region, account, and
the resource, whose last part is its name.
"""

import re
from typing import Final

_PARTS: Final = 6
_REGION: Final = 3
_ACCOUNT: Final = 4

_TABLE: Final = re.compile(
    r"arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:[0-9]{12}:table/[a-zA-Z0-9_.-]{3,255}"
)
_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+")


def is_table_arn(text: str) -> bool:
    """Whether it is the ARN of a table."""
    return _TABLE.fullmatch(text) is not None


def is_role_arn(text: str) -> bool:
    """Whether it is the ARN of a role."""
    return _ROLE.fullmatch(text) is not None


def resource_name(name_or_arn: str) -> str:
    """The name of a table, or of an index, from its name or its ARN."""
    return name_or_arn.rpartition("/")[2]


def arn_region(name_or_arn: str) -> str | None:
    """The region in an ARN; None for a name, which holds none."""
    return _part(name_or_arn, _REGION)


def arn_account(name_or_arn: str) -> str | None:
    """The id of the account in an ARN; None for a name, which holds none."""
    return _part(name_or_arn, _ACCOUNT)


def _part(name_or_arn: str, position: int) -> str | None:
    parts = name_or_arn.split(":", _PARTS - 1)
    return parts[position] if len(parts) == _PARTS else None
