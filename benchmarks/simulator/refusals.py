"""How the service says no: codes, reasons and their spelling. Pure.

Reasons are {Table,Index}{Read,Write} and the kind of limit [M:ThrottlingReason]. Which code goes
with which reason differs between pages of the documentation; here it is:

| limit | provisioned | on-demand |
|---|---|---|
| ProvisionedThroughputExceeded | ProvisionedThroughputExceededException | - |
| KeyRangeThroughputExceeded | ProvisionedThroughputExceededException | ThrottlingException |
| AccountLimitExceeded | - | RequestLimitExceeded |
| MaxOnDemandThroughputExceeded | - | ThrottlingException |

The list is spelt `ThrottlingReasons`, but `throttlingReasons` in ThrottlingException [M].
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Struct

Direction = Literal["Read", "Write"]
Resource = Literal["Table", "Index"]
Limit = Literal[
    "ProvisionedThroughputExceeded",
    "KeyRangeThroughputExceeded",
    "AccountLimitExceeded",
    "MaxOnDemandThroughputExceeded",
]

_TYPE_PREFIX = "com.amazonaws.dynamodb.v20120810#"


class Reason(Struct, frozen=True):
    """Why, and the ARN of what was too busy."""

    reason: str
    resource: str


class Refusal(Struct, frozen=True):
    """An error answer; `says_why` is whether its reasons are in it."""

    status: int
    code: str
    message: str
    reasons: tuple[Reason, ...] = ()
    says_why: bool = True

    @property
    def is_throttle(self) -> bool:
        """Whether it is for the rate, not for what was asked or for a failure."""
        return bool(self.reasons)

    def body(self) -> bytes:
        """The answer's body."""
        answer: dict[str, object] = {"__type": _TYPE_PREFIX + self.code, "message": self.message}
        if self.reasons and self.says_why:
            is_lower = self.code == "ThrottlingException"
            answer["throttlingReasons" if is_lower else "ThrottlingReasons"] = self.reasons
        return msgspec.json.encode(answer)


class RefusedError(Exception):
    """A request that is refused for what it asks."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def throttle(reasons: Sequence[Reason], *, on_demand: bool) -> Refusal:
    """The refusal of a whole request for its rate; the first reason decides on the code."""
    first = reasons[0].reason
    if first.endswith("AccountLimitExceeded"):
        code, message = "RequestLimitExceeded", "Throughput exceeds the quota of the account."
    elif first.endswith("MaxOnDemandThroughputExceeded"):
        code, message = "ThrottlingException", "Throughput exceeds the maximum set on the table."
    elif on_demand:
        code, message = "ThrottlingException", "Throughput exceeds what the table can take now."
    else:
        code = "ProvisionedThroughputExceededException"
        message = "The level of configured provisioned throughput was exceeded."
    return Refusal(400, code, message, tuple(reasons))


def unavailable(status: Literal["500", "503"]) -> Refusal:
    """A failure of the service's own."""
    code = "InternalServerError" if status == "500" else "ServiceUnavailable"
    return Refusal(int(status), code, "The request could not be served.")


def invalid(message: str) -> RefusedError:
    """A request that makes no sense."""
    return RefusedError(Refusal(400, "ValidationException", message))


def no_such_table(name: str) -> RefusedError:
    """A request for a table that is not there."""
    message = f"Requested resource not found: Table: {name} not found"
    return RefusedError(Refusal(400, "ResourceNotFoundException", message))


def unknown_operation(name: str) -> RefusedError:
    """A request for what the simulator does not do."""
    message = f"the simulator does not know {name or 'this request'}"
    return RefusedError(Refusal(400, "UnknownOperationException", message))
