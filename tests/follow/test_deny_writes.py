"""The policy that denies writes: as the service takes it, and without harm to what is there."""

import json
import shlex

import botocore.session
import pytest
from botocore.validate import validate_parameters

from dynaferry.follow.deny_writes import call_that_allows, call_that_denies, denying_policy

ARN = "arn:aws:dynamodb:eu-central-1:111111111111:table/orders"
CHINESE = "arn:aws-cn:dynamodb:cn-north-1:111111111111:table/orders"
OPERATIONS = {
    "put-resource-policy": "PutResourcePolicy",
    "delete-resource-policy": "DeleteResourcePolicy",
}


def parameters(call: str) -> tuple[str, dict[str, str]]:
    """The operation of a call as a shell would run it, and what it is given."""
    aws, service, operation, *given = shlex.split(call)
    assert (aws, service) == ("aws", "dynamodb")
    names = ["".join(part.title() for part in name.strip("-").split("-")) for name in given[::2]]
    return OPERATIONS[operation], dict(zip(names, given[1::2], strict=True))


@pytest.mark.parametrize("call", [call_that_denies(ARN), call_that_allows(ARN)])
def test_the_calls_are_such_that_the_service_knows(call: str) -> None:
    operation, given = parameters(call)
    model = botocore.session.get_session().get_service_model("dynamodb")
    validate_parameters(given, model.operation_model(operation).input_shape)
    assert given["ResourceArn"] == ARN


def test_it_replaces_no_policy_that_is_there() -> None:
    _, given = parameters(call_that_denies(ARN))
    assert given["ExpectedRevisionId"] == "NO_POLICY"


def test_it_denies_every_write_to_this_table_and_no_read() -> None:
    _, given = parameters(call_that_denies(ARN))
    (statement,) = json.loads(given["Policy"])["Statement"]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Resource"] == ARN
    writes = {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"}
    statements = {"PartiQLInsert", "PartiQLUpdate", "PartiQLDelete"}
    assert set(statement["Action"]) == {f"dynamodb:{name}" for name in writes | statements}


@pytest.mark.parametrize(("arn", "partition"), [(ARN, "aws"), (CHINESE, "aws-cn")])
def test_the_service_itself_goes_on_replicating(arn: str, partition: str) -> None:
    (statement,) = json.loads(denying_policy(arn))["Statement"]
    roles = f"arn:{partition}:iam::*:role/aws-service-role/*"
    assert statement["Condition"] == {"ArnNotLike": {"aws:PrincipalArn": roles}}
