"""deploy/iam in moto: the roles deployed by CloudFormation, and enforced for every call.

moto enforces identity policies by action. What it leaves out, and AWS does not, is added here:
AWS::NoValue in a list of a template,
the table in a statement's Resource, the trust policy of a role (also in another account, with its
external id), dynamodb:TagResource for a table that is created with tags, and the words of
DynamoDB's AccessDeniedException.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import settings
from moto.cloudformation import parsing
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import AccessDeniedError, JsonRESTError
from moto.dynamodb.responses import DynamoHandler
from moto.dynamodbstreams.responses import DynamoDBStreamsHandler
from moto.iam.access_control import IAMRequest, IAMRequestBase
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends

from tests.worlds.moto import REGION, SOURCE_ACCESS_KEY, SOURCE_ACCOUNT_ID, MotoWorld

TEMPLATES = Path(__file__).parents[2] / "deploy" / "iam"
RUNNER_ROLE_ARN = f"arn:aws:iam::{SOURCE_ACCOUNT_ID}:role/dynaferry-runner"


def table_arn(account_id: str, table: str) -> str:
    """The ARN of a table in the region of all tests."""
    return f"arn:aws:dynamodb:{REGION}:{account_id}:table/{table}"


def deploy(world: MotoWorld, side: str, template: str, **parameters: str) -> str:
    """Deploys a template of deploy/iam into one account, and gives the role's ARN."""
    client = _client(world, "cloudformation", side)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "clean_json", _clean_json)
        client.create_stack(
            StackName=template,
            TemplateBody=(TEMPLATES / f"{template}.yaml").read_text(),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
    (stack,) = client.describe_stacks(StackName=template)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    (output,) = stack["Outputs"]
    role_arn = str(output["OutputValue"])
    _write_policies_as_text(role_arn)
    return role_arn


def _write_policies_as_text(role_arn: str) -> None:
    """moto's CloudFormation leaves them as objects, which its IAM cannot read."""
    backend, name = _backend(role_arn), role_arn.rpartition("/")[2]
    for policy in backend.list_role_policies(name):
        document = backend.get_role_policy(name, policy)[1]
        backend.put_role_policy(name, policy, json.dumps(document, default=str))


_clean_value = parsing.clean_json


def _clean_json(value: Any, resources: Any) -> Any:
    cleaned = _clean_value(value, resources)
    return [each for each in cleaned if each is not None] if isinstance(cleaned, list) else cleaned


def session_of_runner(world: MotoWorld) -> dict[str, str]:
    """What a container that runs under the runner role finds in its environment."""
    answer = _client(world, "sts", "source").assume_role(
        RoleArn=RUNNER_ROLE_ARN, RoleSessionName="task"
    )
    credentials = answer["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
    }


def _client(world: MotoWorld, service: str, side: str) -> Any:
    tables = world.source_tables if side == "source" else world.target_tables
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=world.url,
        aws_access_key_id=tables.access_key,
        aws_secret_access_key="testing",
        aws_session_token=tables.session_token or SOURCE_ACCESS_KEY,
    )


def policies_of(role_arn: str) -> dict[str, dict[str, Any]]:
    """The role's inline policies as deployed: name to document."""
    backend, name = _backend(role_arn), role_arn.rpartition("/")[2]
    return {
        policy: json.loads(backend.get_role_policy(name, policy)[1])
        for policy in backend.list_role_policies(name)
    }


def trust_of(role_arn: str) -> dict[str, Any]:
    """The role's trust policy as deployed."""
    document: dict[str, Any] = json.loads(
        _backend(role_arn).get_role_by_arn(role_arn).assume_role_policy_document
    )
    return document


def actions_of(role_arn: str) -> set[str]:
    """Every action that the role may do anywhere."""
    return {
        action
        for document in policies_of(role_arn).values()
        for statement in document["Statement"]
        for action in _list(statement["Action"])
    }


def take_away(role_arn: str, action: str) -> None:
    """Takes one action out of every policy of the role."""
    backend, name = _backend(role_arn), role_arn.rpartition("/")[2]
    for policy, document in policies_of(role_arn).items():
        for statement in document["Statement"]:
            statement["Action"] = [a for a in _list(statement["Action"]) if a != action]
        document["Statement"] = [s for s in document["Statement"] if s["Action"]]
        if document["Statement"]:
            backend.put_role_policy(name, policy, json.dumps(document))
        else:
            backend.delete_role_policy(name, policy)


def take_table_away(role_arn: str, arn: str) -> Callable[[], None]:
    """Takes one table out of every policy of the role; what is returned gives it back."""
    backend, name = _backend(role_arn), role_arn.rpartition("/")[2]
    before = policies_of(role_arn)

    def put(documents: Mapping[str, Any]) -> None:
        for policy, document in documents.items():
            backend.put_role_policy(name, policy, json.dumps(document))

    documents = policies_of(role_arn)
    for document in documents.values():
        for statement in document["Statement"]:
            resources = _list(statement["Resource"])
            statement["Resource"] = [each for each in resources if each != arn]
    put(documents)
    return lambda: put(before)


def _backend(role_arn: str) -> Any:
    return iam_backends[role_arn.split(":")[4]]["aws"]


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@contextmanager
def enforced() -> Iterator[None]:
    """From here on nobody may do what no policy allows; seeding and reading back must wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DynamoHandler, "_determine_resource", _table_of, raising=False)
        patch.setattr(DynamoDBStreamsHandler, "_determine_resource", _stream_of, raising=False)
        patch.setattr(IAMRequestBase, "_is_assuming_role_operation", _assumes_a_role)
        patch.setattr(IAMRequestBase, "_check_role_trust_relationship", _is_trusted)
        patch.setattr(IAMRequestBase, "check_action_permitted", _check_all_actions)
        patch.setattr(IAMRequest, "_raise_access_denied", _deny)
        patch.setattr(settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0)
        patch.setattr(ActionAuthenticatorMixin, "request_count", 0)
        yield


def _table_of(handler: Any) -> str:
    """The ARN of the one table that a request is about; ListTables knows no resources."""
    request: Mapping[str, Any] = handler.body
    named = request.get("TableName") or request.get("ResourceArn")
    if named is None and "RequestItems" not in request:
        return "*"
    if named is None:
        (named,) = request["RequestItems"]
    named = str(named)
    return named if named.startswith("arn:") else table_arn(handler.current_account, named)


def _stream_of(handler: Any) -> str:
    """The ARN of the one stream that a request is about: an iterator begins with it."""
    body = handler.body
    request: Mapping[str, Any] = body if isinstance(body, Mapping) else json.loads(body)
    return str(request.get("StreamArn") or request["ShardIterator"]).partition("|")[0]


_check_action = IAMRequestBase.check_action_permitted


def _check_all_actions(request: Any, resource: str) -> None:
    request.denied_resource = resource
    _check_action(request, resource)
    if request._action == "dynamodb:CreateTable" and "Tags" in json.loads(request._body):
        request._action = "dynamodb:TagResource"
        _check_action(request, resource)


def _assumes_a_role(request: Any, _: str) -> bool:
    return bool(request._action == "sts:AssumeRole")


def _is_trusted(request: Any, role_arn: str) -> bool:
    """Whether the role's trust policy lets the caller in, with what it says."""
    try:
        document = trust_of(role_arn)
    except NotFoundException:
        return False
    return any(_lets_in(statement, request) for statement in document["Statement"])


def _lets_in(statement: Mapping[str, Any], request: Any) -> bool:
    principal = statement["Principal"].get("AWS")
    condition = statement.get("Condition", {"StringEquals": {}})
    ((operator, wanted),) = condition.items()
    assert operator == "StringEquals"
    assert set(wanted) <= {"sts:ExternalId"}
    (says,) = request._data.get("ExternalId", [None])
    return principal == _role_of(request._access_key.arn) and all(
        value == says for value in wanted.values()
    )


def _role_of(arn: str) -> str:
    """The role of a session's ARN; any other ARN as it is."""
    if ":assumed-role/" not in arn:
        return arn
    role = arn.split("/")[1]
    return f"arn:aws:iam::{arn.split(':')[4]}:role/{role}"


def _deny(request: Any) -> None:
    who, action = request._access_key.arn, request._action
    if request._service != "dynamodb":
        raise AccessDeniedError(user_arn=who, action=action)
    raise JsonRESTError(
        "AccessDeniedException",
        f"User: {who} is not authorized to perform: {action} on resource: "
        f"{request.denied_resource} because no identity-based policy allows the {action} action",
    )
