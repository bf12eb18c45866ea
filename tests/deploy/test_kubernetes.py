"""The manifests of deploy/kubernetes fit the schemas, each other, and how dynaferry ends."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from dynaferry.cli import exit_codes, watchdog
from dynaferry.cli.flags import CopyFlags, plan_from
from tests.deploy.places import DEPLOY, read_yaml

MANIFESTS = DEPLOY / "kubernetes"
KUSTOMIZATION = read_yaml(MANIFESTS / "kustomization.yaml")
BUILT_IN = [name for name in KUSTOMIZATION["resources"] if name != "pod-monitor.yaml"]
# The versions that EKS serves today, from the oldest on that knows all that is used here.
VERSIONS = ["1.31", "1.33", "1.35"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", BUILT_IN)
def test_a_manifest_fits_the_schema(name: str, version: str) -> None:
    # It raises, with the place and the reason, what does not fit.
    kubernetes_validate.validate(read_yaml(MANIFESTS / name), version, strict=True)


def test_every_manifest_is_part_of_the_kustomization() -> None:
    files = {path.name for path in MANIFESTS.glob("*.yaml")}
    assert files == {*KUSTOMIZATION["resources"], "kustomization.yaml", "runner-role.yaml"}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl on this machine")
def test_the_kustomization_builds_and_says_which_image_runs() -> None:
    ran = subprocess.run(
        ["kubectl", "kustomize", MANIFESTS],  # noqa: S607  # the one that was found
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    built = {each["kind"]: each for each in yaml.safe_load_all(ran.stdout)}
    (image,) = KUSTOMIZATION["images"]
    (container,) = built["Job"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"{image['newName']}:{image['newTag']}"
    assert "plan.toml" in built["ConfigMap"]["data"]
    assert {each["metadata"].get("namespace") for each in built.values()} == {"dynaferry", None}


def job() -> dict[str, Any]:
    found: dict[str, Any] = read_yaml(MANIFESTS / "job.yaml")["spec"]
    return found


def pod() -> dict[str, Any]:
    found: dict[str, Any] = job()["template"]["spec"]
    return found


def container() -> dict[str, Any]:
    (found,) = pod()["containers"]
    assert isinstance(found, dict)
    return found


def action_for(code: int) -> str:
    """What the Job does when the container ends with this code: the first rule that fits."""
    for rule in job()["podFailurePolicy"]["rules"]:
        codes = rule.get("onExitCodes")
        if codes is None:
            continue
        assert codes["containerName"] == container()["name"]
        if (code in codes["values"]) == (codes["operator"] == "In"):
            return str(rule["action"])
    return "Count"


@pytest.mark.parametrize("code", [exit_codes.FAILED, 137])
def test_what_can_be_resumed_is_tried_again_a_bounded_number_of_times(code: int) -> None:
    assert action_for(code) == "Count"
    assert job()["backoffLimit"] >= 6


def test_a_stop_by_a_signal_is_resumed_and_not_counted() -> None:
    assert action_for(exit_codes.INTERRUPTED) == "Ignore"


@pytest.mark.parametrize(
    "code",
    [
        exit_codes.INTERNAL,
        exit_codes.USAGE,
        exit_codes.REFUSED,
        exit_codes.REJECTED,
        exit_codes.DIFFERENT,
    ],
)
def test_what_no_repetition_mends_fails_the_job_at_once(code: int) -> None:
    assert action_for(code) == "FailJob"


def test_the_policy_by_exit_code_is_one_that_kubernetes_takes() -> None:
    # Both are required beside a podFailurePolicy, and the schema does not say so.
    assert pod()["restartPolicy"] == "Never"
    assert job()["podReplacementPolicy"] == "Failed"


def test_only_one_pod_has_the_state() -> None:
    claim = read_yaml(MANIFESTS / "volume-claim.yaml")
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert (job()["completions"], job()["parallelism"]) == (1, 1)


def test_the_pod_has_no_rights() -> None:
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_what_the_pod_refers_to_is_there() -> None:
    account = read_yaml(MANIFESTS / "service-account.yaml")
    claim = read_yaml(MANIFESTS / "volume-claim.yaml")
    state, plan = pod()["volumes"]
    assert pod()["serviceAccountName"] == account["metadata"]["name"]
    assert state["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert plan["configMap"]["name"] == KUSTOMIZATION["configMapGenerator"][0]["name"]
    assert {mount["name"] for mount in container()["volumeMounts"]} == {"state", "plan"}


def test_the_monitor_finds_the_pod_and_its_port() -> None:
    monitor = read_yaml(MANIFESTS / "pod-monitor.yaml")["spec"]
    wanted = monitor["selector"]["matchLabels"].items()
    assert wanted <= job()["template"]["metadata"]["labels"].items()
    (port,) = container()["ports"]
    assert [each["port"] for each in monitor["podMetricsEndpoints"]] == [port["name"]]
    listen = next(each for each in container()["args"] if each.startswith("--metrics-listen="))
    assert listen.endswith(f":{port['containerPort']}")


def test_only_the_monitoring_reaches_the_metrics_and_nobody_anything_else() -> None:
    policy = read_yaml(MANIFESTS / "network-policy.yaml")["spec"]
    selected = policy["podSelector"]["matchLabels"].items()
    assert selected
    assert selected <= job()["template"]["metadata"]["labels"].items()
    assert policy["policyTypes"] == ["Ingress"]
    (rule,) = policy["ingress"]
    (port,) = container()["ports"]
    assert rule["ports"] == [{"protocol": "TCP", "port": port["name"]}]
    (whom,) = rule["from"]
    assert whom["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "monitoring"}


def test_a_slow_copy_is_alive_and_a_hang_is_reported_before_the_pod_is_killed() -> None:
    probe = container()["livenessProbe"]
    assert probe["httpGet"] == {"path": "/livez", "port": "metrics"}
    patience = probe["periodSeconds"] * probe["failureThreshold"]
    assert patience >= 2 * watchdog.CHECK_SECONDS * watchdog.MOST_CHECKS


def test_the_plan_is_one_that_dynaferry_takes() -> None:
    plan = plan_from(CopyFlags(plan=MANIFESTS / "plan.toml"))
    assert [(table.source, table.target) for table in plan.tables] == [("orders", "orders")]
    mounts = {mount["name"]: Path(mount["mountPath"]) for mount in container()["volumeMounts"]}
    assert f"--plan={mounts['plan'] / 'plan.toml'}" in container()["args"]
