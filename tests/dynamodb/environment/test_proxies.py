"""A proxy that cannot be read, wants a password or forbids: told as such, without its password."""

import re
from urllib.parse import unquote

import aiohttp
import pytest
from botocore.exceptions import HTTPClientError, ProxyConnectionError
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from dynaferry.dynamodb.account.redaction import HIDDEN, Redactor
from dynaferry.dynamodb.environment import proxies
from dynaferry.dynamodb.failures.call_site import CallSite
from dynaferry.dynamodb.failures.network_errors import from_network_error
from dynaferry.dynamodb.failures.service_errors import (
    decode_error,
    from_client_error,
    from_service_error,
)
from dynaferry.errors import DynaferryError, PlanError, RequestRefusedError, UnavailableError

SITE = CallSite(table="orders", side="source", acting_as="profile dev")
HTTPS = URL("https://dynamodb.us-east-1.amazonaws.com/")
UNREADABLE = [
    "http://user:pr0xyS3cret@127.0.0.1:99999",
    "http://user:pr0xyS3cret@proxy:8080x",
    "http://user:pr0xyS3cret@[::1",
    "http://user:pr0xy#S3cret@proxy:8080",
    "http://user:pr0xy/S3cret@proxy:8080",
    "http://user:123/S3cret@proxy:8080",
    "http://user:123?S3cret@proxy:8080",
    "user:pr0xy/S3cret@proxy:8080",
    "http://",
]


@pytest.mark.parametrize("named", UNREADABLE)
def test_an_address_that_cannot_be_read_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", named)
    with pytest.raises(PlanError, match="HTTPS_PROXY cannot be read") as caught:
        proxies.proxy_for(HTTPS)
    assert "%23" in (caught.value.hint or "")
    for part in ("S3cret", "user:", "pr0xy"):
        assert part not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("kind", ["socks5", "socks5h", "SOCKS4"])
def test_a_kind_of_proxy_that_is_not_known_is_named(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"{kind}://user:S3cret@proxy:1080")
    with pytest.raises(PlanError, match=kind.lower()) as caught:
        proxies.proxy_for(HTTPS)
    assert "proxy" in (caught.value.hint or "")
    assert "S3cret" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("named", [*UNREADABLE[:-1], "http://me:pr0xy%23S3cret@proxy:8080"])
def test_wherever_a_proxys_password_stands_it_is_hidden(
    monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", named)
    known = Redactor(lasting=proxies.passwords())
    password = named.rpartition("@")[0].rpartition("user:")[2].removeprefix("http://me:")
    parts = re.split("[/#?]", password)
    for told in (named, password, parts[-1], unquote(password)):
        assert "S3cret" not in known.hide(f"cannot parse {told}@proxy:8080")
    error = HTTPClientError(error=ValueError(named))
    known.hide_in_error(error)
    assert HIDDEN in str(error)
    assert "S3cret" not in str(error)


def test_control_calls_report_an_address_that_cannot_be_read_like_the_data_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", UNREADABLE[0])
    error = HTTPClientError(error=ValueError(UNREADABLE[0]))
    assert type(_from_client(error)) is PlanError


def _from_client(error: Exception) -> DynaferryError:
    return from_client_error(
        error, operation="DescribeTable", table="orders", side="source", acting_as="profile dev"
    )


def _answered(status: int, words: str) -> aiohttp.ClientHttpProxyError:
    request = aiohttp.RequestInfo(HTTPS, "CONNECT", CIMultiDictProxy(CIMultiDict()), HTTPS)
    return aiohttp.ClientHttpProxyError(request, (), status=status, message=words)


REFUSING = [
    (407, "Proxy Authentication Required", "wants a password", "a user and a password"),
    (403, "Forbidden", "refuses to connect", "NO_PROXY"),
]


@pytest.mark.parametrize(("status", "words", "what", "hint"), REFUSING)
@pytest.mark.parametrize("by_botocore", [True, False])
def test_a_proxy_that_refuses_stops_with_its_words_and_a_hint_about_it(
    status: int, words: str, what: str, hint: str, *, by_botocore: bool
) -> None:
    answered = _answered(status, words)
    if by_botocore:
        error = _from_client(ProxyConnectionError(proxy_url="http://proxy", error=answered))
    else:
        error = from_network_error(answered, operation="Scan", site=SITE)
    assert type(error) is RequestRefusedError
    assert f"{status} {words}" in error.message
    assert what in error.message
    assert hint in (error.hint or "")
    assert "proxy" in (error.hint or "")


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_proxy_that_does_not_reach_the_endpoint_now_may_do_so_later(status: int) -> None:
    error = from_network_error(_answered(status, "Bad Gateway"), operation="Scan", site=SITE)
    assert type(error) is UnavailableError
    assert "proxy" in (error.hint or "")


def test_a_proxy_of_plain_http_that_wants_a_password_is_reported_alike() -> None:
    answer = decode_error(407, b"<html>sign in</html>")
    error = from_service_error(answer, status=407, operation="Scan", site=SITE)
    assert type(error) is RequestRefusedError
    assert "a user and a password" in (error.hint or "")
