"""The demo's two accounts, and an environment in which nothing else can be reached."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dynaferry.plan.settings import Account, CopyPlan, TablePlan

SOURCE_ACCOUNT = "123456789012"  # moto's own, for credentials that it did not hand out
TARGET_ACCOUNT = "222222222222"
SOURCE_REGION = "us-east-1"
TARGET_REGION = "eu-west-1"
ROLE_NAME = "dynaferry-target"
ROLE_ARN = f"arn:aws:iam::{TARGET_ACCOUNT}:role/{ROLE_NAME}"
WAY_BACK_ROLE_ARN = f"arn:aws:iam::{SOURCE_ACCOUNT}:role/dynaferry-way-back"
EXTERNAL_ID = "dynaferry-demo"
TABLE = "orders"
READERS = 2


def trust_policy() -> str:
    """Who may assume the target's role: the source account, with the external id."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{SOURCE_ACCOUNT}:root"},
                    "Action": "sts:AssumeRole",
                    "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}},
                }
            ],
        }
    )


def plan_for(endpoint_url: str, state_dir: Path) -> CopyPlan:
    """The plan that the demo runs, as one for real accounts would be, but for the endpoints.

    Few segments and requests at once: every Scan makes moto go through the whole table, and it
    serves one request at a time.
    """
    return CopyPlan(
        tables=(TablePlan(TABLE, TABLE),),
        source=Account(region=SOURCE_REGION, endpoint_url=endpoint_url),
        target=Account(
            region=TARGET_REGION,
            role_arn=ROLE_ARN,
            external_id=EXTERNAL_ID,
            endpoint_url=endpoint_url,
        ),
        run="demo",
        sts_endpoint_url=endpoint_url,
        segments=8,
        readers=READERS,
        writers=4,
        create_target=True,
        enable_stream=True,
        way_back="keep",
        state_dir=state_dir,
    )


@contextmanager
def only_this_machine(directory: Path) -> Iterator[None]:
    """Takes every AWS, proxy and dynaferry setting out of the environment and puts the demo's in.

    Whatever credentials, profiles, endpoints or flags the user has, none of them is read or used.
    The environment is as before afterwards.
    """
    before = dict(os.environ)
    nothing = directory / "no-aws-config"
    nothing.touch()
    for name in before:
        if name.startswith(("AWS_", "DYNAFERRY_")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": str(nothing),
        "AWS_SHARED_CREDENTIALS_FILE": str(nothing),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
