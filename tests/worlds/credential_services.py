"""Where credentials come from, on loopback: STS, SSO's portal, a container's and an instance's.

Each gives other credentials each time it is asked, numbered from 1, so that a test sees which are
used. DynamoDB answers at the same address.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

import msgspec
import pytest
from botocore.credentials import RefreshableCredentials

from dynaferry.dynamodb.account.credentials import Credentials, CredentialSource
from tests.worlds.endpoint import Answer, Behaviour, Request, refusal

HOUR = timedelta(hours=1)
INSTANCE_ROLE = "role-of-the-instance"
CONTAINER_TOKEN = "authorization-of-the-container"
INSTANCE_TOKEN = "token-of-the-instance"
SSO_TOKEN = "token-of-a-person"
WEB_TOKEN = "web.identity.token"


@dataclass(slots=True)
class FastClock:
    """A clock that a test puts ahead."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        """The time."""
        return datetime.now(UTC) + self.ahead

    @classmethod
    def put_in(cls, patch: pytest.MonkeyPatch) -> Self:
        """A clock that botocore, and whoever keeps credentials, takes for the time."""
        clock = cls()

        def seconds_remaining(credentials: RefreshableCredentials) -> float:
            left: timedelta = credentials._expiry_time - clock.now()
            return left.total_seconds()

        patch.setattr(RefreshableCredentials, "_seconds_remaining", seconds_remaining)
        patch.setattr("botocore.credentials._local_now", clock.now)
        defaults = CredentialSource.__init__.__kwdefaults__
        assert defaults is not None
        patch.setitem(defaults, "clock", lambda: clock.now().timestamp())
        return clock


def numbered(number: int) -> Credentials:
    """The credentials that were given out as this number."""
    return Credentials(f"ASIAGIVEN{number:07}", f"secret-key-{number}-", f"session-token-{number}-")


class CredentialServices:
    """All of them. `lasts` says how long the credentials of a number are good."""

    def __init__(self, lasts: Callable[[int], timedelta] = lambda _: HOUR) -> None:
        self.given = 0
        self.asked: list[Request] = []
        self.ends: dict[str, datetime] = {}  # of what was given, by its access key
        self._lasts = lasts
        self.dynamodb: Callable[[Request], Behaviour] = lambda _: Answer(body=b"{}")
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def answer(self, request: Request) -> Behaviour:
        """What the service at this path says."""
        if "x-amz-target" in request.headers:
            return self.dynamodb(request)
        self.asked.append(request)
        path = request.target.partition("?")[0]
        if path == "/latest/api/token":
            return _plain(INSTANCE_TOKEN)
        if path == "/latest/meta-data/iam/security-credentials/":
            return _plain(INSTANCE_ROLE)
        if path == f"/latest/meta-data/iam/security-credentials/{INSTANCE_ROLE}":
            return self._if(request, "x-aws-ec2-metadata-token", INSTANCE_TOKEN, self._of_instance)
        if path == "/container":
            return self._if(request, "authorization", CONTAINER_TOKEN, self._of_instance)
        if path == "/federation/credentials":
            return self._if(request, "x-amz-sso_bearer_token", SSO_TOKEN, self._of_sso)
        if request.operation.startswith("AssumeRole"):
            return self._of_sts(request.operation)
        return refusal("NotFound", status=404)

    def _if(
        self, request: Request, header: str, value: str, give: Callable[[], Behaviour]
    ) -> Behaviour:
        return give() if request.headers.get(header) == value else refusal("Denied", status=401)

    def _next(self) -> tuple[Credentials, datetime]:
        self.given += 1
        credentials, end = numbered(self.given), self.now() + self._lasts(self.given)
        self.ends[credentials.access_key] = end
        return credentials, end

    def _of_instance(self) -> Behaviour:
        credentials, end = self._next()
        return _json(
            {
                "Code": "Success",
                "Type": "AWS-HMAC",
                "AccessKeyId": credentials.access_key,
                "SecretAccessKey": credentials.secret_key,
                "Token": credentials.token or "",
                "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )

    def _of_sso(self) -> Behaviour:
        credentials, end = self._next()
        return _json(
            {
                "roleCredentials": {
                    "accessKeyId": credentials.access_key,
                    "secretAccessKey": credentials.secret_key,
                    "sessionToken": credentials.token or "",
                    "expiration": int(end.timestamp() * 1000),
                }
            }
        )

    def _of_sts(self, operation: str) -> Behaviour:
        credentials, end = self._next()
        xml = (
            f'<{operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<{operation}Result><Credentials>"
            f"<AccessKeyId>{credentials.access_key}</AccessKeyId>"
            f"<SecretAccessKey>{credentials.secret_key}</SecretAccessKey>"
            f"<SessionToken>{credentials.token}</SessionToken>"
            f"<Expiration>{end.strftime('%Y-%m-%dT%H:%M:%SZ')}</Expiration></Credentials>"
            "<AssumedRoleUser><AssumedRoleId>AROA:dynaferry</AssumedRoleId>"
            "<Arn>arn:aws:sts::222222222222:assumed-role/ferry/dynaferry</Arn></AssumedRoleUser>"
            f"</{operation}Result></{operation}Response>"
        )
        return Answer(body=xml.encode(), headers={"Content-Type": "text/xml"}, checksum="none")


def _plain(text: str) -> Answer:
    return Answer(body=text.encode(), headers={"Content-Type": "text/plain"}, checksum="none")


def _json(content: Mapping[str, object]) -> Answer:
    headers = {"Content-Type": "application/json"}
    return Answer(body=msgspec.json.encode(content), headers=headers, checksum="none")
