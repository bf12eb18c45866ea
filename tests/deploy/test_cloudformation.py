"""Every CloudFormation template of deploy/ is what cfn-lint takes for right."""

import json
import re
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from cfnlint import lint

from dynaferry.cli import watchdog
from dynaferry.cli.flags import PLAN_TEXT
from dynaferry.cli.main import app
from dynaferry.follow.following import DRAIN_SECONDS
from tests.deploy.places import DEPLOY, read_template

TEMPLATES = sorted(
    path
    for path in DEPLOY.rglob("*.yaml")
    if "AWSTemplateFormatVersion" in path.read_text(encoding="utf-8")
)
TASK = DEPLOY / "ecs" / "task.yaml"
NO_VALUE = {"Ref": "AWS::NoValue"}


def test_there_are_templates() -> None:
    assert TASK in TEMPLATES


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_a_template_has_no_findings(path: Path) -> None:
    findings = lint(path.read_text(encoding="utf-8"), regions=["us-east-1", "eu-west-1"])
    assert [f"{found.rule.id} line {found.linenumber}: {found.message}" for found in findings] == []


ROLES = tuple(path for path in TEMPLATES if path != TASK)
ACCOUNT = "111111111111"
ROLE, TABLE = f"arn:aws:iam::{ACCOUNT}:role", f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table"
KEY = f"arn:aws-cn:kms:cn-north-1:{ACCOUNT}:key"
EXAMPLES: dict[str, tuple[list[str], list[str]]] = {
    "RoleName": (["dynaferry-source", "a.b+c=d,e@f"], ["", "a/b", "a" * 65, "ferry*"]),
    "RunnerArn": (
        [f"{ROLE}/dynaferry", f"{ROLE}/path/dynaferry", f"arn:aws:iam::{ACCOUNT}:user/me"],
        ["*", f"{ROLE}/*", f"arn:aws:iam::{ACCOUNT}:root", "dynaferry", f"{ROLE}/a b"],
    ),
    "TrustedPrincipalArn": (["", f"{ROLE}/ci"], ["*", f"{ROLE}/*", "arn:aws:iam::*:role/ci"]),
    "RoleArns": ([f"{ROLE}/dynaferry"], ["*", f"{ROLE}/*", "", f"arn:aws:iam::{ACCOUNT}:user/me"]),
    "TableArns": (
        [f"{TABLE}/orders", f"{TABLE}/prod-*", f"{TABLE}/*", f"{TABLE}/.a_b-c"],
        ["*", "orders", f"{TABLE}/", f"{TABLE}/a*b", f"arn:aws:dynamodb:*:{ACCOUNT}:table/orders"],
    ),
    "KmsKeyArn": (["", f"{KEY}/mrk-1234abcd"], ["*", f"{KEY}/*", "alias/orders"]),
    "ExternalId": (["ab:c/d-e"], ["a b", 'a"b', "a*"]),
}


@pytest.mark.parametrize("path", ROLES, ids=lambda path: path.name)
def test_every_parameter_of_a_role_says_what_it_may_be(path: Path) -> None:
    for name, parameter in read_template(path)["Parameters"].items():
        assert {"AllowedValues", "AllowedPattern"} & parameter.keys(), name


@pytest.mark.parametrize("path", ROLES, ids=lambda path: path.name)
def test_a_roles_parameters_take_what_they_are_for_and_no_wildcard_elsewhere(path: Path) -> None:
    for name, parameter in read_template(path)["Parameters"].items():
        for taken in EXAMPLES.get(name, ([], []))[0]:
            assert re.fullmatch(parameter["AllowedPattern"], taken), (name, taken)
        for refused in EXAMPLES.get(name, ([], []))[1]:
            assert not re.fullmatch(parameter["AllowedPattern"], refused), (name, refused)


def resources(kind: str) -> dict[str, Any]:
    found = read_template(TASK)["Resources"]
    return {name: each["Properties"] for name, each in found.items() if each["Type"] == kind}


def container() -> dict[str, Any]:
    (task,) = resources("AWS::ECS::TaskDefinition").values()
    (found,) = task["ContainerDefinitions"]
    assert isinstance(found, dict)
    return found


def test_the_task_can_write_only_its_state() -> None:
    assert container()["ReadonlyRootFilesystem"] is True
    assert container()["LinuxParameters"] == {"Capabilities": {"Drop": ["ALL"]}}
    assert [mount["ContainerPath"] for mount in container()["MountPoints"]] == [
        "/var/lib/dynaferry"
    ]


def test_the_state_belongs_to_the_user_of_the_task_alone() -> None:
    (access,) = resources("AWS::EFS::AccessPoint").values()
    user = (access["PosixUser"]["Uid"], access["PosixUser"]["Gid"])
    created = access["RootDirectory"]["CreationInfo"]
    assert container()["User"] == ":".join(user)
    assert (created["OwnerUid"], created["OwnerGid"], created["Permissions"]) == (*user, "0700")


def test_the_state_outlives_the_stack() -> None:
    found = read_template(TASK)["Resources"]
    assert found["FileSystem"]["DeletionPolicy"] == "Retain"
    assert found["AccessPoint"]["DeletionPolicy"] == "Retain"


def test_the_task_knows_external_ids_from_secrets_by_the_names_of_the_command_line() -> None:
    (task,) = resources("AWS::ECS::TaskDefinition").values()
    named = {secret["If"][1]["Name"] for secret in container()["Secrets"]} - {PLAN_TEXT}
    read = {
        variable
        for command in app.registered_commands
        for variable in _variables_of(command.callback)
    }
    assert named == {"DYNAFERRY_TARGET_EXTERNAL_ID", "DYNAFERRY_SOURCE_EXTERNAL_ID"}
    assert named <= read
    assert "external" not in json.dumps(task["ContainerDefinitions"][0].get("Environment", []))


def _variables_of(function: Any) -> set[str]:
    hints = get_type_hints(function, include_extras=True)
    return {
        option.envvar
        for hint in hints.values()
        for option in getattr(hint, "__metadata__", ())
        if isinstance(getattr(option, "envvar", None), str)
    }


def test_nothing_reaches_the_task_and_only_the_task_reaches_the_state() -> None:
    groups = resources("AWS::EC2::SecurityGroup")
    assert "SecurityGroupIngress" not in groups["TaskSecurityGroup"]
    (rule,) = groups["FileSystemSecurityGroup"]["SecurityGroupIngress"]
    assert rule["SourceSecurityGroupId"] == {"Ref": "TaskSecurityGroup"}


def test_the_task_is_given_a_plan_by_the_variable_that_is_read_and_may_read_it_from_there() -> None:
    (plan,) = [each["If"] for each in container()["Secrets"] if each["If"][1]["Name"] == PLAN_TEXT]
    assert plan == [
        "HasPlan",
        {"Name": PLAN_TEXT, "ValueFrom": {"Ref": "PlanParameterArn"}},
        NO_VALUE,
    ]
    execution = resources("AWS::IAM::Role")["ExecutionRole"]
    (policy,) = [each["If"][1] for each in execution["Policies"] if each["If"][0] == "HasPlan"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Action": "ssm:GetParameters",
        "Resource": {"Ref": "PlanParameterArn"},
    }
    pattern = read_template(TASK)["Parameters"]["PlanParameterArn"]["AllowedPattern"]
    assert re.fullmatch(pattern, "arn:aws:ssm:eu-west-1:111111111111:parameter/dynaferry/plan")
    assert re.fullmatch(pattern, "")
    assert not re.fullmatch(pattern, "/dynaferry/plan")


# A move as a service ---------------------------------------------------------------------------


def test_a_move_is_a_service_of_one_task_at_a_time_and_a_copy_is_none() -> None:
    template = read_template(TASK)
    service = template["Resources"]["Service"]
    assert service["Condition"] == "IsService"
    assert template["Parameters"]["RunAsService"]["Default"] == "false"
    assert service["Properties"]["DesiredCount"] == 1
    assert service["Properties"]["DeploymentConfiguration"] == {
        "MaximumPercent": 100,
        "MinimumHealthyPercent": 0,
    }


def test_the_service_is_looked_after_where_the_task_listens_and_nobody_else_reaches() -> None:
    condition, check, otherwise = container()["HealthCheck"]["If"]
    assert (condition, otherwise) == ("IsService", {"Ref": "AWS::NoValue"})
    kind, *command = check["Command"]
    assert kind == "CMD"
    (address,) = re.findall(r"http://(127\.0\.0\.1:\d+)/livez", command[-1])
    condition, as_service, as_task = container()["Command"]["If"]
    assert (condition, as_task) == ("IsService", {"Ref": "Arguments"})
    text, names = as_service["Split"][1]["Sub"]
    assert text == f"${{Given}},--metrics-listen,{address}"
    assert names["Given"] == {"Join": [",", {"Ref": "Arguments"}]}
    patience = check["Interval"] * check["Retries"]
    assert patience >= 2 * watchdog.CHECK_SECONDS * watchdog.MOST_CHECKS


def test_what_looks_after_the_service_is_python_that_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: asked.append(url))
    _, check, _ = container()["HealthCheck"]["If"]
    _, python, flag, code = check["Command"]
    assert (python, flag) == ("/opt/dynaferry/bin/python", "-c")
    assert check["Timeout"] >= 8
    exec(code, {})  # noqa: S102  # the template's own
    assert asked == ["http://127.0.0.1:9464/livez"]


def test_a_stop_of_the_task_has_its_time() -> None:
    assert container()["StopTimeout"] >= DRAIN_SECONDS + 30
