import socket

import pytest

from dynaferry.web.address import Address
from dynaferry.web.guards import TOKEN_HEADER, control_refusal, host_may

HERE = Address("127.0.0.1", 9464)
EVERYWHERE = Address("0.0.0.0", 9464)  # noqa: S104  # not bound
TOKEN = "a-token"


@pytest.mark.parametrize("host", ["127.0.0.1:9464", "localhost:9464", "localhost", "[::1]:9464"])
def test_this_machine_may_see_everything(host: str) -> None:
    assert host_may(host, "/", HERE)
    assert host_may(host, "/metrics", EVERYWHERE)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:9464", "10.0.0.1:9464", "localhost.evil.example", "", "["],
)
@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz"])
def test_under_another_name_a_server_for_this_machine_shows_nothing(host: str, path: str) -> None:
    assert not host_may(host, path, HERE)


def test_a_server_for_everybody_shows_its_page_under_addresses_and_its_own_name_only() -> None:
    assert host_may("10.0.0.1:9464", "/", EVERYWHERE)
    assert host_may("[fd00::1]:9464", "/", EVERYWHERE)
    assert host_may(f"{socket.gethostname()}:9464", "/", EVERYWHERE)
    assert not host_may("evil.example:9464", "/", EVERYWHERE)


@pytest.mark.parametrize("path", ["/metrics", "/healthz"])
def test_scrapers_come_to_a_server_for_everybody_by_any_name(path: str) -> None:
    assert host_may("dynaferry.jobs.svc:9464", path, EVERYWHERE)


def refusal(
    peer: str | None = "127.0.0.1", token: str | None = TOKEN, **headers: str
) -> str | None:
    given = {"Host": "127.0.0.1:9464", TOKEN_HEADER: TOKEN}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return control_refusal(peer=peer, headers=given, expected_token=token)


def test_whoever_has_the_token_on_this_machine_may_control() -> None:
    assert refusal() is None
    assert refusal(Origin="http://127.0.0.1:9464", Sec_Fetch_Site="same-origin") is None


@pytest.mark.parametrize("token", ["", "a-toke", "a-token ", "ä-token", "\udcff\udcfe"])
def test_without_the_token_nobody_may(token: str) -> None:
    assert "token" in (refusal(**{TOKEN_HEADER: token}) or "")


def test_a_run_that_was_started_without_control_has_none() -> None:
    assert "--allow-control" in (refusal(token=None) or "")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:80"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_another_site_may_not_even_with_the_token(headers: dict[str, str]) -> None:
    assert "another site" in (refusal(**headers) or "")


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("10.0.0.7", "127.0.0.1"),
        ("127.0.0.1", "10.0.0.7"),
        (None, "127.0.0.1"),
        ("127.0.0.1", "evil.example"),
    ],
)
def test_another_machine_may_not(peer: str | None, host: str) -> None:
    assert "its own machine" in (refusal(peer=peer, Host=host) or "")
