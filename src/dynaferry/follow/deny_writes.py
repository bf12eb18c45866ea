"""The resource policy of a table that denies writes to it: printed, and put by whoever may. Pure.

dynaferry puts no policy: it would need rights on the source that a move must not have. What is
printed replaces no policy that is there (`NO_POLICY`), and lets the service itself go on: time to
live deletes, and the roles of global tables replicate, which a policy may not deny
[API_PutResourcePolicy].
"""

from typing import Final

import msgspec

_WRITES: Final = (
    "dynamodb:BatchWriteItem",
    "dynamodb:DeleteItem",
    "dynamodb:PartiQLDelete",
    "dynamodb:PartiQLInsert",
    "dynamodb:PartiQLUpdate",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
)


def denying_policy(table_arn: str) -> str:
    """The policy, as one line of JSON. Writes of a transaction are covered by these actions."""
    partition = table_arn.split(":", 2)[1]
    statement = {
        "Sid": "NoWritesDuringTheSwitch",
        "Effect": "Deny",
        "Principal": "*",
        "Action": _WRITES,
        "Resource": table_arn,
        "Condition": {
            "ArnNotLike": {"aws:PrincipalArn": f"arn:{partition}:iam::*:role/aws-service-role/*"}
        },
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    return msgspec.json.encode(policy).decode()


def call_that_denies(table_arn: str) -> str:
    """The call that puts the policy, where the table has none: else that one is to be added to."""
    return (
        f"aws dynamodb put-resource-policy --resource-arn {table_arn}"
        f" --expected-revision-id NO_POLICY --policy '{denying_policy(table_arn)}'"
    )


def call_that_allows(table_arn: str) -> str:
    """The call that removes the policy again."""
    return f"aws dynamodb delete-resource-policy --resource-arn {table_arn}"
