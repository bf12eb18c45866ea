import socket

import pytest

from dynaferry.errors import PlanError
from dynaferry.web.address import Address, bind, is_loopback, parse

ANY = "0.0.0.0"  # noqa: S104  # never bound


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9464", Address("127.0.0.1", 9464)),
        ("localhost:0", Address("localhost", 0)),
        ("[::1]:9464", Address("::1", 9464)),
        ("metrics.example:65535", Address("metrics.example", 65535)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, address: Address) -> None:
    assert parse(text) == address


@pytest.mark.parametrize(
    "text", ["", "9464", ":9464", "localhost", "localhost:", "localhost:http", "localhost:65536",
             "localhost:-1", "::1:9464", "http://localhost:9464", "localhost:٣"]
)  # fmt: skip
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(PlanError, match="is not HOST:PORT") as refused:
        parse(text)
    assert "127.0.0.1:9464" in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("LOCALHOST.", True), ("127.9.9.9", True), ("::1", True),
     (ANY, False), ("::", False), ("10.0.0.1", False), ("localhost.evil.example", False)],
)  # fmt: skip
def test_loopback_is_this_machine_alone(host: str, *, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_a_port_that_is_taken_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PlanError, match=rf"127\.0\.0\.1:{port} cannot be listened on") as told:
            bind(Address("127.0.0.1", port))
    assert "choose another port" in (told.value.hint or "")


def test_a_host_of_another_machine_is_refused() -> None:
    with pytest.raises(PlanError, match=r"192\.0\.2\.1:9464 cannot be listened on"):
        bind(Address("192.0.2.1", 9464))


def test_a_host_that_nobody_knows_is_refused() -> None:
    with pytest.raises(PlanError, match=r"--metrics-listen no such host:9464"):
        bind(Address("no such host", 9464))


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:80/"), ("::1", "http://[::1]:80/"),
     (ANY, "http://127.0.0.1:80/"), ("::", "http://[::1]:80/")],
)  # fmt: skip
def test_its_url_can_be_opened_on_this_machine(host: str, url: str) -> None:
    assert Address(host, 0).url(80) == url
