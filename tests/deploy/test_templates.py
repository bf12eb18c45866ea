"""The templates of deploy/iam say nothing that CloudFormation would not take."""

import subprocess
import sys
from pathlib import Path

from tests.worlds.iam import TEMPLATES


def test_cfn_lint_finds_nothing_in_any_template() -> None:
    templates = sorted(TEMPLATES.glob("*.yaml"))
    assert [path.name for path in templates] == ["runner.yaml", "source.yaml", "target.yaml"]
    linter = Path(sys.executable).with_name("cfn-lint")
    said = subprocess.run(
        [linter, "--non-zero-exit-code", "informational", "--", *templates],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
