"""The CloudFormation templates under deploy/ say nothing that CloudFormation would not take."""

import subprocess
import sys
from pathlib import Path

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_cfn_lint_finds_nothing_in_any_template() -> None:
    templates = [
        path for path in DEPLOY.rglob("*.yaml") if "AWSTemplateFormatVersion" in path.read_text()
    ]
    assert {"runner.yaml", "source.yaml", "target.yaml"} <= {path.name for path in templates}
    linter = Path(sys.executable).with_name("cfn-lint")
    said = subprocess.run(
        [linter, "--non-zero-exit-code", "informational", "--", *templates],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
