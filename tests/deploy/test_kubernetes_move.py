"""The Deployment of a move: one pod at a time, started again from its volume whatever ends it."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import typer
import yaml

from dynaferry.cli import watchdog
from dynaferry.cli.main import app
from dynaferry.follow.following import DRAIN_SECONDS
from tests.deploy.places import DEPLOY, read_yaml
from tests.deploy.test_kubernetes import VERSIONS

MOVE = DEPLOY / "kubernetes-move"
KUSTOMIZATION = read_yaml(MOVE / "kustomization.yaml")
DEPLOYMENT = read_yaml(MOVE / "deployment.yaml")
JOB = read_yaml(DEPLOY / "kubernetes" / "job.yaml")


def pod_of(manifest: Any) -> dict[str, Any]:
    found: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return found


def container() -> dict[str, Any]:
    (found,) = pod_of(DEPLOYMENT)["containers"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_the_deployment_fits_the_schema(version: str) -> None:
    kubernetes_validate.validate(DEPLOYMENT, version, strict=True)


def test_two_pods_never_have_one_state() -> None:
    assert DEPLOYMENT["spec"]["replicas"] == 1
    assert DEPLOYMENT["spec"]["strategy"] == {"type": "Recreate"}


def test_whatever_ends_the_pod_it_is_started_again() -> None:
    assert pod_of(DEPLOYMENT).get("restartPolicy", "Always") == "Always"


def test_a_stop_has_its_time() -> None:
    assert pod_of(DEPLOYMENT)["terminationGracePeriodSeconds"] >= DRAIN_SECONDS + 30


def test_it_is_the_job_that_copies_in_all_but_how_it_is_run() -> None:
    (copies,) = pod_of(JOB)["containers"]
    of_their_own = {"args"}
    assert {k: v for k, v in container().items() if k not in of_their_own} == {
        k: v for k, v in copies.items() if k not in of_their_own
    }
    kept = ("serviceAccountName", "automountServiceAccountToken", "securityContext", "volumes")
    for name in kept:
        assert pod_of(DEPLOYMENT)[name] == pod_of(JOB)[name]


def test_a_slow_move_is_alive_and_a_hang_is_told_before_the_pod_is_killed() -> None:
    probe = container()["livenessProbe"]
    assert probe["httpGet"] == {"path": "/livez", "port": "metrics"}
    patience = probe["periodSeconds"] * probe["failureThreshold"]
    assert patience >= 2 * watchdog.CHECK_SECONDS * watchdog.MOST_CHECKS
    (port,) = container()["ports"]
    (listen,) = [each for each in container()["args"] if each.startswith("--metrics-listen=")]
    assert listen.endswith(f":{port['containerPort']}")


def test_what_it_is_started_with_is_what_can_be_typed() -> None:
    command, *arguments = container()["args"]
    group = typer.main.get_command(app)
    context = typer.Context(group)
    move = group.get_command(context, command)  # type: ignore[attr-defined]
    assert move is not None
    assert move.make_context(command, arguments).params["plan"] == Path("/etc/dynaferry/plan.toml")


def test_its_volume_is_larger_since_the_spool_is_there() -> None:
    claim = read_yaml(DEPLOY / "kubernetes" / "volume-claim.yaml")
    assert claim["spec"]["resources"]["requests"]["storage"] == "1Gi"
    (patch,) = [p for p in KUSTOMIZATION["patches"] if "target" in p]
    assert patch["target"] == {
        "kind": "PersistentVolumeClaim",
        "name": claim["metadata"]["name"],
    }
    (operation,) = yaml.safe_load(patch["patch"])
    assert operation["path"] == "/spec/resources/requests/storage"
    assert operation["value"] == "100Gi"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl on this machine")
def test_the_kustomization_has_the_deployment_in_the_place_of_the_job() -> None:
    ran = subprocess.run(
        ["kubectl", "kustomize", MOVE],  # noqa: S607  # the one that was found
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    built = {each["kind"]: each for each in yaml.safe_load_all(ran.stdout)}
    assert "Job" not in built
    (image,) = KUSTOMIZATION["images"]
    (runs,) = pod_of(built["Deployment"])["containers"]
    assert runs["image"] == f"{image['newName']}:{image['newTag']}"
    assert "plan.toml" in built["ConfigMap"]["data"]
    storage = built["PersistentVolumeClaim"]["spec"]["resources"]["requests"]["storage"]
    assert storage == "100Gi"
    assert {each["metadata"].get("namespace") for each in built.values()} == {"dynaferry", None}
    labels = built["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    for kind, selector in (("PodMonitor", "selector"), ("NetworkPolicy", "podSelector")):
        assert built[kind]["spec"][selector]["matchLabels"].items() <= labels
