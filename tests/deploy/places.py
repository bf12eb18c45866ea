"""Where the files of deploy/ are, and how they are read."""

import json
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


class _CloudFormationLoader(yaml.SafeLoader):
    """Reads the short forms of functions (`!Ref Name`) as one-key maps, `{"Ref": "Name"}`."""


def _function(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    raise TypeError(f"a function of neither a text nor a list: {name}")


_CloudFormationLoader.add_multi_constructor("!", _function)


def read_template(path: Path) -> dict[str, Any]:
    """A CloudFormation template."""
    text = path.read_text(encoding="utf-8")
    template: dict[str, Any] = yaml.load(text, _CloudFormationLoader)  # noqa: S506  # a safe one
    return template


def read_yaml(path: Path) -> Any:
    """A file with one YAML document."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def read_json(path: Path) -> Any:
    """A JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
