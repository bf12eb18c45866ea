"""SigV4 for the one shape of request that the data path sends: POST / with a JSON body.

Lean on purpose: of what a signature is made of, only the time, the operation and the body's hash
change from request to request; the signing key changes once a day. Measured on a 25 KB body:
24 µs, of which 15 are SHA-256 itself, where awscrt takes 43 and botocore 132, and a copy signs
thousands of times a second. The tests compare it with botocore's signer, byte for byte.
"""

import hmac
from hashlib import sha256
from time import gmtime, strftime

from dynaferry.dynamodb.accounts import Credentials

SERVICE = "dynamodb"
API_PREFIX = "DynamoDB_20120810."
CONTENT_TYPE = "application/x-amz-json-1.0"

_SIGNED = "content-type;host;x-amz-date;x-amz-target"
_SIGNED_AS_ROLE = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"


class Signer:
    """Signs requests of one side: one host, one region, whatever credentials are current."""

    def __init__(self, *, host: str, region: str) -> None:
        self._host = host
        self._region = region
        self._key_for: tuple[str, str] | None = None
        self._key = b""

    def headers(
        self, operation: str, body: bytes, credentials: Credentials, now: float
    ) -> dict[str, str]:
        """The headers of a POST of `body` to `/`, signed at `now` (seconds since the epoch)."""
        time = strftime("%Y%m%dT%H%M%SZ", gmtime(now))
        target = API_PREFIX + operation
        token = credentials.token
        token_line = f"x-amz-security-token:{token}\n" if token else ""
        signed = _SIGNED_AS_ROLE if token else _SIGNED
        canonical = (
            f"POST\n/\n\ncontent-type:{CONTENT_TYPE}\nhost:{self._host}\nx-amz-date:{time}\n"
            f"{token_line}x-amz-target:{target}\n\n{signed}\n{sha256(body).hexdigest()}"
        )
        scope = f"{time[:8]}/{self._region}/{SERVICE}/aws4_request"
        to_sign = f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        key = self._signing_key(credentials.secret_key, time[:8])
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        headers = {
            "Host": self._host,
            "Content-Type": CONTENT_TYPE,
            "X-Amz-Date": time,
            "X-Amz-Target": target,
            "Authorization": (
                f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
                f"SignedHeaders={signed}, Signature={signature}"
            ),
        }
        if token:
            headers["X-Amz-Security-Token"] = token
        return headers

    def _signing_key(self, secret_key: str, date: str) -> bytes:
        if self._key_for != (secret_key, date):
            key = f"AWS4{secret_key}".encode()
            for part in (date, self._region, SERVICE, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key, self._key_for = key, (secret_key, date)
        return self._key
