"""SigV4 for the one shape of request that the data path sends: POST / with a JSON body.

Lean on purpose: of what a signature is made of, only the body's hash changes from request to
request. The rest is made ready once a second, the signing key once a day. A copy signs thousands
of times a second: see benchmarks/README.md for what that costs, here and with other signers. The
tests compare it with botocore's signer, byte for byte.
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from time import gmtime, strftime
from typing import NamedTuple

from dynaferry.dynamodb.account.session import Credentials
from dynaferry.dynamodb.http.connection import SignedHeaders
from dynaferry.errors import AccessDeniedError

SERVICE = "dynamodb"
API_PREFIX = "DynamoDB_20120810."
STREAMS_API_PREFIX = "DynamoDBStreams_20120810."
CONTENT_TYPE = "application/x-amz-json-1.0"

_SIGNED = "content-type;host;x-amz-date;x-amz-target"
_SIGNED_AS_ROLE = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"


class _Ready(NamedTuple):
    """All of a signature but the body's hash: good for one second, operation and caller."""

    second: int
    operation: str
    credentials: Credentials
    key: bytes
    canonical: bytes
    to_sign: bytes
    headers: dict[str, str]
    authorization: str


class Signer:
    """Signs requests of one side: one host, one region, whatever credentials are current.

    `also` are headers that go out unsigned with every request. `api_prefix` is what an operation's
    name follows in X-Amz-Target: DynamoDB's own, or that of DynamoDB Streams.
    """

    def __init__(
        self,
        *,
        host: str,
        region: str,
        also: Mapping[str, str] | None = None,
        api_prefix: str = API_PREFIX,
    ) -> None:
        self._host = host
        self._api_prefix = api_prefix
        self._region = region
        self._also = also or {}
        self._key_for: tuple[str, str] | None = None
        self._key = b""
        self._ready: _Ready | None = None

    def sign(
        self, operation: str, body: bytes, credentials: Credentials, now: float
    ) -> SignedHeaders:
        """The headers of a POST of `body` to `/`, signed at `now` (seconds since the epoch).

        :raises AccessDeniedError: the credentials hold what no header may hold
        """
        second = int(now)
        ready = self._ready
        if (
            ready is None
            or ready.second != second
            or ready.operation != operation
            or ready.credentials != credentials
        ):
            ready = self._ready = self._make_ready(second, operation, credentials)
        canonical = ready.canonical + sha256(body).hexdigest().encode()
        to_sign = ready.to_sign + sha256(canonical).hexdigest().encode()
        signature = hmac.digest(ready.key, to_sign, "sha256").hex()
        return SignedHeaders(ready.headers, ready.authorization + signature)

    def _make_ready(self, second: int, operation: str, credentials: Credentials) -> _Ready:
        _check_printable(credentials)
        time = strftime("%Y%m%dT%H%M%SZ", gmtime(second))
        target = self._api_prefix + operation
        token = credentials.token
        token_line = f"x-amz-security-token:{token}\n" if token else ""
        signed = _SIGNED_AS_ROLE if token else _SIGNED
        scope = f"{time[:8]}/{self._region}/{SERVICE}/aws4_request"
        headers = {
            "Host": self._host,
            "Content-Type": CONTENT_TYPE,
            "X-Amz-Date": time,
            "X-Amz-Target": target,
            **self._also,
        }
        if token:
            headers["X-Amz-Security-Token"] = token
        return _Ready(
            second=second,
            operation=operation,
            credentials=credentials,
            key=self._signing_key(credentials.secret_key, time[:8]),
            canonical=(
                f"POST\n/\n\ncontent-type:{CONTENT_TYPE}\nhost:{self._host}\nx-amz-date:{time}\n"
                f"{token_line}x-amz-target:{target}\n\n{signed}\n"
            ).encode(),
            to_sign=f"AWS4-HMAC-SHA256\n{time}\n{scope}\n".encode(),
            headers=headers,
            authorization=(
                f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
                f"SignedHeaders={signed}, Signature="
            ),
        )

    def _signing_key(self, secret_key: str, date: str) -> bytes:
        if self._key_for != (secret_key, date):
            key = f"AWS4{secret_key}".encode()
            for part in (date, self._region, SERVICE, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key, self._key_for = key, (secret_key, date)
        return self._key


def _check_printable(credentials: Credentials) -> None:
    """A line break, pasted along with a token, would begin another header."""
    for value in (credentials.access_key, credentials.token or ""):
        if not (value.isascii() and value.isprintable()):
            raise AccessDeniedError(
                "the credentials hold a character that cannot be sent in a header",
                hint="look for a line break at the end of the access key or session token",
            )
