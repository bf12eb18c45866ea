"""Settings are read as the AWS CLI reads them, by control calls and data path alike.

The grid holds three readings of one environment against each other: what a control call sends,
what the data path would send, and what plain botocore sends where the few variables that the AWS
CLI v2 reads in another way are put to what it makes of them. DYNAFERRY_TEST_ENVIRONMENTS is how
many environments are looked at.
"""

import asyncio
import os
import random
import re
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import botocore.session
import pytest
from aiobotocore.httpsession import AIOHTTPSession
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from yarl import URL

from dynaferry.dynamodb import client as wire_module
from dynaferry.dynamodb.account.session import AccountSession, open_account
from dynaferry.dynamodb.client import open_client
from dynaferry.dynamodb.environment.proxies import Proxy
from dynaferry.dynamodb.http.connection import HttpResponse, SignedHeaders
from dynaferry.dynamodb.tables.describe import call_service
from dynaferry.errors import DynaferryError, PlanError, RequestRefusedError
from dynaferry.plan.settings import Account
from tests.worlds.certificates import self_signed
from tests.worlds.credential_services import CredentialServices
from tests.worlds.endpoint import Answer, Decide, running_endpoint

ENVIRONMENTS = int(os.environ.get("DYNAFERRY_TEST_ENVIRONMENTS", "40"))
ARN = "arn:aws:dynamodb:eu-west-1:333333333333:table/orders"


class Sent(NamedTuple):
    """How one request leaves this machine."""

    url: str
    region: str
    access_key: str
    proxy: str | None
    proxy_user: str | None
    certificates: str | None


class Surroundings(NamedTuple):
    """One environment: variables, ~/.aws/config, and the flags of a side."""

    variables: dict[str, str]
    config: str
    account: Account
    table: str

    def put_in(self, patch: pytest.MonkeyPatch, home: Path) -> None:
        for name in list(os.environ):
            if name.startswith("AWS_") or name.lower().endswith("_proxy"):
                patch.delenv(name)
        path = home / "config"
        path.write_text(self.config)
        patch.setenv("AWS_CONFIG_FILE", str(path))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "none"))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        for name, value in self.variables.items():
            patch.setenv(name, value)


def _surroundings(dice: random.Random, home: Path) -> Surroundings:
    bundles = [str(home / name) for name in ("one.pem", "two.pem")]

    def maybe(*values: str, often: float = 0.4) -> str | None:
        return dice.choice(values) if dice.random() < often else None

    urls = ("http://127.0.0.1:8000", "https://vpce-1.dynamodb.example:8443/path")
    given = {
        "AWS_REGION": maybe("eu-west-1", "cn-north-1", "us-gov-west-1"),
        "AWS_DEFAULT_REGION": maybe("eu-west-2", "local", "ap-southeast-2"),
        "AWS_PROFILE": maybe("one", "two", often=0.3),
        "AWS_DEFAULT_PROFILE": maybe("one", "two", often=0.3),
        "AWS_ACCESS_KEY_ID": maybe("AKIAENVIRONMENT"),
        "AWS_ACCOUNT_ID": maybe("111111111111"),
        "AWS_ENDPOINT_URL": maybe(*urls, often=0.15),
        "AWS_ENDPOINT_URL_DYNAMODB": maybe(*urls, often=0.15),
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": maybe("true", "false", often=0.2),
        "AWS_USE_FIPS_ENDPOINT": maybe("true", "false", often=0.2),
        "AWS_USE_DUALSTACK_ENDPOINT": maybe("true", "false", often=0.2),
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": maybe("preferred", "disabled", "required"),
        "AWS_STS_REGIONAL_ENDPOINTS": maybe("legacy", "regional"),
        "AWS_CA_BUNDLE": maybe(*bundles, often=0.2),
        "REQUESTS_CA_BUNDLE": maybe(*bundles, often=0.2),
        "HTTPS_PROXY": maybe("http://proxy.example:3128", "http://me:p%40ss@proxy.example:3128"),
        "http_proxy": maybe("plain.example:3128", often=0.3),
        "NO_PROXY": maybe(
            ".amazonaws.com",
            "dynamodb.eu-west-1.amazonaws.com",
            "333333333333.ddb.eu-west-1.amazonaws.com",
            "127.0.0.1:8000",
            "*",
        ),
    }
    variables = {name: value for name, value in given.items() if value is not None}
    if "AWS_ACCESS_KEY_ID" in variables:
        variables["AWS_SECRET_ACCESS_KEY"] = "of-the-environment"
    profiles = [_profile(name, maybe, bundles, urls) for name in ("default", "one", "two")]
    services = f"[services local]\ndynamodb =\n  endpoint_url = {urls[0]}\n"
    flags = Account(
        region=maybe("eu-central-1", often=0.2),
        profile=maybe("one", often=0.2),
        endpoint_url=maybe(urls[1], often=0.1),
    )
    return Surroundings(
        variables, "".join(profiles) + services, flags, dice.choice(("orders", ARN))
    )


def _profile(name: str, maybe: Any, bundles: list[str], urls: tuple[str, ...]) -> str:
    section = name if name == "default" else f"profile {name}"
    settings = {
        "aws_access_key_id": f"AKIA{name.upper()}",
        "aws_secret_access_key": f"of-{name}",
        "aws_account_id": maybe("222222222222"),
        "region": maybe("eu-north-1", "us-east-1", often=0.7),
        "ca_bundle": maybe(*bundles, often=0.2),
        "endpoint_url": maybe(*urls, often=0.1),
        "services": maybe("local", often=0.15),
        "use_fips_endpoint": maybe("true", often=0.1),
        "use_dualstack_endpoint": maybe("true", often=0.1),
        "account_id_endpoint_mode": maybe("disabled", "preferred", often=0.2),
        "ignore_configured_endpoint_urls": maybe("true", often=0.1),
    }
    lines = [f"{key} = {value}\n" for key, value in settings.items() if value is not None]
    return f"[{section}]\n{''.join(lines)}"


def _as_the_cli_reads(found: Surroundings) -> Surroundings:
    """The same for plain botocore, which prefers other variables than the AWS CLI v2."""
    variables = dict(found.variables)
    for first, second in (
        ("AWS_REGION", "AWS_DEFAULT_REGION"),
        ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
    ):
        if first in variables:
            variables[second] = variables[first]
    return found._replace(variables=variables)


def _scope(authorization: str) -> tuple[str, str]:
    """The access key and the region that a request is signed with."""
    found = re.search(r"Credential=([^/]+)/\d+/([^/]+)/dynamodb/", authorization)
    assert found is not None
    return found[1], found[2]


def _sent(request: Any, proxies: Any, verify: str | bool) -> Sent:
    authorization = request.headers["Authorization"]
    if isinstance(authorization, bytes):
        authorization = authorization.decode()
    key, region = _scope(authorization)
    named = proxies.proxy_url_for(request.url)
    proxy = None if named is None else URL(named)
    return Sent(
        url=request.url,
        region=region,
        access_key=key,
        proxy=None if proxy is None else str(proxy.with_user(None)),
        proxy_user=None if proxy is None else proxy.user,
        certificates=verify if isinstance(verify, str) else None,
    )


class _StoppedHereError(BotoCoreError):  # type: ignore[misc]  # botocore comes without types
    """The request is known: it need not be sent."""

    fmt = "stopped"


def by_botocore(found: Surroundings) -> Sent | None:
    """What plain botocore sends; None where it refuses to."""
    sent: list[Sent] = []

    def note(request: Any, **_: Any) -> AWSResponse:
        http = client._endpoint.http_session
        sent.append(_sent(request, http._proxy_config, http._verify))
        return AWSResponse(request.url, 200, {}, None)

    session = botocore.session.Session(profile=found.account.profile)
    try:
        client = session.create_client(
            "dynamodb",
            region_name=found.account.region,
            endpoint_url=found.account.endpoint_url,
            config=Config(retries={"total_max_attempts": 1}),
        )
        client.meta.events.register("before-send.dynamodb.DescribeTable", note)
        client.describe_table(TableName=found.table)
    except (BotoCoreError, ValueError, AttributeError):  # an answer of nothing is none
        pass
    return sent[0] if sent else None


async def by_a_control_call(session: AccountSession, table: str, patch: Any) -> Sent | None:
    """What the control plane sends; None where botocore refuses to."""
    sent: list[Sent] = []

    async def send(self: AIOHTTPSession, request: Any) -> None:
        sent.append(_sent(request, self._proxy_config, self._verify))
        raise _StoppedHereError

    with patch.context() as here:
        here.setattr(AIOHTTPSession, "send", send)
        with suppress(BotoCoreError):
            await session.client.describe_table(TableName=table)
    return sent[0] if sent else None


class _NotedHttp:
    """Takes one request down, and answers it."""

    is_reusable = True

    def __init__(self) -> None:
        self.head: SignedHeaders | None = None

    async def send(self, head: SignedHeaders, body: bytes) -> HttpResponse:
        self.head = head
        return HttpResponse(200, {b"x-amz-crc32": b"0"}, b"")

    async def lend(self) -> "_NotedHttp":
        return self

    def give_back(self, line: object) -> None:
        pass


async def by_the_data_path(session: AccountSession, table: str, patch: Any) -> Sent | None:
    """What the data path sends; None where there is no endpoint."""
    http = _NotedHttp()
    noted: dict[str, Any] = {}

    @asynccontextmanager
    async def open_http(
        url: URL, proxy: Proxy | None, ca_bundle: str | None, connections: int, patience: object
    ) -> AsyncIterator[_NotedHttp]:
        noted.update(url=url, proxy=proxy, ca_bundle=ca_bundle)
        yield http

    try:
        endpoint = await session.endpoint_for(table)
    except DynaferryError:
        return None
    with patch.context() as here:
        here.setattr(wire_module, "_open_http", open_http)
        async with open_client(session, table=table, endpoint=endpoint, connections=1) as client:
            await client.send("Scan", b"{}")
    assert http.head is not None
    key, region = _scope(http.head.authorization)
    proxy: Any = noted["proxy"]
    return Sent(
        url=str(noted["url"]),
        region=region,
        access_key=key,
        proxy=None if proxy is None else str(proxy.url),
        proxy_user=_user(proxy.headers) if proxy is not None else None,
        certificates=noted["ca_bundle"],
    )


def _user(headers: Mapping[str, str]) -> str | None:
    basic = headers.get("Authorization")
    return None if basic is None else b64decode(basic.removeprefix("Basic ")).decode().split(":")[0]


@pytest.mark.parametrize("seed", range(ENVIRONMENTS))
async def test_control_calls_and_data_path_read_an_environment_as_the_aws_cli_does(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, certificate = self_signed(tmp_path)
    for name in ("one.pem", "two.pem"):
        (tmp_path / name).write_bytes(certificate.read_bytes())
    found = _surroundings(random.Random(seed), tmp_path)
    with monkeypatch.context() as patch:
        _as_the_cli_reads(found).put_in(patch, tmp_path)
        expected = by_botocore(found)
    found.put_in(monkeypatch, tmp_path)
    control = data = None
    try:
        async with open_account(found.account, "source") as session:
            control = await by_a_control_call(session, found.table, monkeypatch)
            data = await by_the_data_path(session, found.table, monkeypatch)
    except DynaferryError:
        pass
    assert control == expected, found
    assert data == expected, found


# Regions ---------------------------------------------------------------------------------------


async def test_where_nothing_else_names_a_region_the_instance_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_endpoint() as metadata:
        metadata.otherwise = Decide(
            lambda r: Answer(
                body=b"a-token" if r.target.endswith("/token") else b"eu-south-2a", checksum="none"
            )
        )
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.url)
        async with open_account(Account(), "source") as session:
            assert session.region == "eu-south-2"


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
async def test_a_region_that_is_set_to_nothing_is_refused_and_not_passed_over(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = "[default]\nregion = eu-north-1\n"
    Surroundings({name: ""}, config, Account(), "orders").put_in(monkeypatch, tmp_path)
    with pytest.raises(PlanError, match="the source's region is set to nothing"):
        async with open_account(Account(), "source"):
            pass


@pytest.mark.parametrize("legacy", [True, False])
async def test_sts_is_asked_in_the_region_that_the_aws_cli_would_take(
    legacy: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    variables = {"AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "eu-west-1"}
    if legacy:
        variables["AWS_STS_REGIONAL_ENDPOINTS"] = "legacy"
    config = (
        "[profile ferry]\nregion = eu-north-1\nsource_profile = person\n"
        "role_arn = arn:aws:iam::222222222222:role/ferry\n"
        "[profile person]\naws_access_key_id = AKIAPERSON\naws_secret_access_key = of-a-person\n"
    )
    account = Account(profile="ferry")
    Surroundings(variables, config, account, "orders").put_in(monkeypatch, tmp_path)
    asked: list[str] = []

    async def send(_: AIOHTTPSession, request: Any) -> None:
        asked.append(request.url)
        raise _StoppedHereError

    monkeypatch.setattr(AIOHTTPSession, "send", send)
    with pytest.raises(DynaferryError):
        async with open_account(account, "source"):
            pass
    assert set(asked) == {"https://sts.us-west-2.amazonaws.com/"}


# Certificates ----------------------------------------------------------------------------------


async def _call(account: Account) -> None:
    async with open_account(account, "source") as session:
        await call_service(session, "DescribeTable", "orders", TableName="orders")


@pytest.fixture
def no_waiting_between_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes botocore's own retries of control-plane calls follow at once."""
    delay = "botocore.retries.standard.ExponentialBackoff.delay_amount"
    monkeypatch.setattr(delay, lambda _, context: 0.0)


@pytest.mark.usefixtures("no_waiting_between_retries")
async def test_a_control_call_checks_the_name_in_a_certificate(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tls, bundle = self_signed(tmp_path)  # for 127.0.0.1, and for no name
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    async with running_endpoint(tls=tls) as aws:
        aws.otherwise = Answer()
        await _call(Account(region="us-east-1", endpoint_url=aws.url))
        elsewhere = aws.url.replace("127.0.0.1", "localhost")
        with pytest.raises(RequestRefusedError, match="localhost"):
            await _call(Account(region="us-east-1", endpoint_url=elsewhere))
        assert len(aws.requests) == 1


@pytest.mark.usefixtures("no_waiting_between_retries")
@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
async def test_a_bundle_that_is_set_to_nothing_trusts_nobody_more(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tls, _ = self_signed(tmp_path)
    monkeypatch.setenv(name, "")
    async with running_endpoint(tls=tls) as aws:
        aws.otherwise = Answer()
        with pytest.raises(RequestRefusedError):
            await _call(Account(region="us-east-1", endpoint_url=aws.url))
        assert aws.requests == []


@pytest.mark.usefixtures("no_waiting_between_retries")
async def test_the_sts_of_a_profiles_role_is_asked_only_where_its_certificate_is_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tls, bundle = self_signed(tmp_path)
    config = (
        "[profile ferry]\nregion = eu-north-1\ncredential_source = Environment\n"
        "role_arn = arn:aws:iam::222222222222:role/ferry\n"
    )
    async with running_endpoint(tls=tls) as sts:
        sts.otherwise = Decide(CredentialServices().answer)
        for host, asked in (("localhost", 0), ("127.0.0.1", 1)):
            variables = {
                "AWS_ENDPOINT_URL_STS": sts.url.replace("127.0.0.1", host),
                "AWS_CA_BUNDLE": str(bundle),
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
            }
            account = Account(profile="ferry")
            Surroundings(variables, config, account, "orders").put_in(monkeypatch, tmp_path)
            with suppress(DynaferryError):
                async with open_account(account, "source"):
                    pass
            assert len(sts.requests) == asked


@pytest.mark.usefixtures("no_waiting_between_retries")
async def test_behind_a_proxy_certificates_are_checked_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tls, bundle = self_signed(tmp_path)
    async with running_endpoint(tls=tls) as aws, _running_tunnel() as proxy:
        aws.otherwise = Answer()
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        account = Account(region="us-east-1", endpoint_url=aws.url)
        with pytest.raises(RequestRefusedError):
            await _call(account)
        assert aws.requests == []
        monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
        await _call(account)
        assert aws.operations == ["DescribeTable"]


@asynccontextmanager
async def _running_tunnel() -> AsyncIterator[str]:
    """A proxy on loopback that lets everything through."""
    piping: set[asyncio.Task[None]] = set()

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError):
                while some := await reader.read(65536):
                    writer.write(some)
                    await writer.drain()
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        host, _, port = head.split()[1].decode().partition(":")
        upstream, downstream = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for one, other in ((reader, downstream), (upstream, writer)):
            task = asyncio.create_task(pipe(one, other))
            piping.add(task)
            task.add_done_callback(piping.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(piping):
            task.cancel()
        await asyncio.gather(*piping, return_exceptions=True)
        await server.wait_closed()
