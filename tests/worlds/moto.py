"""Two accounts on this machine, for tests: moto's server on loopback.

moto keeps accounts apart by access key. Keys of its own making, from AssumeRole, lead to the
role's account; any other key leads to the default account. So the source is the default account,
and the target is reached, as in life, by assuming a role there.
"""

import http.client
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

from moto.server import ThreadedMotoServer

from dynaferry.plan.settings import Account
from tests.worlds.table_client import TableClient, unchecked_authorization

REGION = "us-east-1"
SOURCE_ACCOUNT_ID = "123456789012"
SOURCE_ACCESS_KEY = "testing"
TARGET_ACCOUNT_ID = "222222222222"
TARGET_ROLE_ARN = f"arn:aws:iam::{TARGET_ACCOUNT_ID}:role/dynaferry-target"
TARGET_EXTERNAL_ID = "dynaferry-tests"


class MotoWorld:
    """A source and a target account behind one address, and the way past dynaferry to both.

    `source` and `target` are what a plan is given, together with `sts_endpoint_url`;
    `source_tables` and `target_tables` are for seeding and reading back.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.sts_endpoint_url = url
        self.source = Account(region=REGION, endpoint_url=url)
        self.target = Account(
            region=REGION,
            endpoint_url=url,
            role_arn=TARGET_ROLE_ARN,
            external_id=TARGET_EXTERNAL_ID,
        )
        self.source_tables = TableClient(url, REGION, SOURCE_ACCESS_KEY)
        self.target_tables = self._assume_target_role()

    def reset(self) -> Self:
        """Empties both accounts. Credentials that were handed out lead nowhere from here on."""
        self._post("/moto-api/reset", "", {})
        self.target_tables = self._assume_target_role()
        return self

    def _assume_target_role(self) -> TableClient:
        form = {
            "Action": "AssumeRole",
            "Version": "2011-06-15",
            "RoleArn": TARGET_ROLE_ARN,
            "RoleSessionName": "tests",
            "ExternalId": TARGET_EXTERNAL_ID,
        }
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": unchecked_authorization(SOURCE_ACCESS_KEY, REGION, "sts"),
        }
        xml = self._post("/", urlencode(form), headers)
        answer = ElementTree.fromstring(xml)  # noqa: S314 - moto, in this very process, wrote it
        return TableClient(
            self.url,
            REGION,
            answer.findtext(".//{*}AccessKeyId") or "",
            answer.findtext(".//{*}SessionToken"),
        )

    def _post(self, path: str, body: str, headers: dict[str, str]) -> bytes:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc)
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise RuntimeError(f"moto answered {response.status} to {path}: {answer!r}")
        return answer


@contextmanager
def running_moto() -> Iterator[str]:
    """Runs moto's server on a free port of loopback and gives its address."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # it logs a line for every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()
