"""What the server imports beforehand that `warm.py` forks from; nobody else imports it."""

from functools import cache
from typing import Any

import boto3
import uvloop
from botocore.loaders import JSONFileLoader

import dynaferry.cli.commands.move
import dynaferry.cli.interrupts
import dynaferry.cli.main
import dynaferry.run.copy_tables
import dynaferry.verify.run
import tests.moves.warm

__all__ = ["dynaferry", "tests", "uvloop"]

_load_file = JSONFileLoader.load_file


@cache
def _load_once(path: str) -> Any:
    return _load_file(JSONFileLoader(), path)


# The descriptions of the service's API, which every process reads at its start.
JSONFileLoader.load_file = lambda _, path: _load_once(path)
for service in ("dynamodb", "sts"):
    boto3.client(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
