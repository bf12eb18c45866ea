"""Credentials, roles and endpoints of a side, with moto's accounts and with an STS that obeys."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiobotocore.httpsession import AIOHTTPSession
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import JSONFileLoader

from dynaferry.dynamodb.account import session as accounts
from dynaferry.dynamodb.account.session import (
    AccountSession,
    Credentials,
    CredentialSource,
    ServiceModels,
    open_account,
)
from dynaferry.dynamodb.tables.describe import describe_table
from dynaferry.errors import (
    AccessDeniedError,
    CorruptAnswerError,
    DynaferryError,
    PlanError,
    RequestRefusedError,
    TableNotFoundError,
    UnavailableError,
)
from dynaferry.plan.settings import Account
from tests.worlds.certificates import self_signed
from tests.worlds.endpoint import Answer, Decide, Drop, Endpoint, Request, running_endpoint
from tests.worlds.moto import REGION, TARGET_ACCOUNT_ID, TARGET_ROLE_ARN, MotoWorld
from tests.worlds.sides import CredentialsInTurn, made_up_credentials, renewed, session_of

EXTERNAL_ID = "external-id-secret"
ROLE_ACCOUNT = Account(region=REGION, role_arn=TARGET_ROLE_ARN, external_id=EXTERNAL_ID)
HOUR = timedelta(hours=1)


def _xml(content: str) -> Answer:
    return Answer(body=content.encode(), headers={"Content-Type": "text/xml"}, checksum="none")


def _assumed(number: int, lasts: timedelta = HOUR) -> Answer:
    """STS's answer to AssumeRole, with credentials that differ by their number."""
    credentials = made_up_credentials(number)
    expiration = (datetime.now(UTC) + lasts).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _xml(
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>'
        f"<Credentials><AccessKeyId>{credentials.access_key}</AccessKeyId>"
        f"<SecretAccessKey>{credentials.secret_key}</SecretAccessKey>"
        f"<SessionToken>{credentials.token}</SessionToken>"
        f"<Expiration>{expiration}</Expiration></Credentials>"
        "<AssumedRoleUser><AssumedRoleId>AROA:dynaferry</AssumedRoleId>"
        f"<Arn>arn:aws:sts::{TARGET_ACCOUNT_ID}:assumed-role/dynaferry-target/dynaferry</Arn>"
        "</AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
    )


def _refused(code: str, message: str, status: int = 403) -> Answer:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    answer = _xml(f"<ErrorResponse>{error}</ErrorResponse>")
    return Answer(body=answer.body, status=status, headers=answer.headers, checksum="none")


def _role_sessions(lasts: Callable[[int], timedelta] = lambda _: HOUR) -> Decide:
    """An STS that gives new credentials each time it is asked, numbered from 1."""
    given = 0

    def assume(_: Request) -> Answer:
        nonlocal given
        given += 1
        return _assumed(given, lasts(given))

    return Decide(assume)


@pytest.fixture
def nothing_leaves(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stops every request of botocore's to anywhere but loopback, and keeps its URL."""
    stopped: list[str] = []
    send = AIOHTTPSession.send

    async def send_to_loopback(self: Any, request: Any) -> Any:
        if urlsplit(request.url).hostname == "127.0.0.1":
            return await send(self, request)
        stopped.append(request.url)
        raise BotoCoreError  # not one of those that botocore would try again after a wait

    monkeypatch.setattr(AIOHTTPSession, "send", send_to_loopback)
    return stopped


@pytest.fixture
def no_waiting_between_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes botocore's own retries of control-plane calls follow at once."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", _no_delay)


def _no_delay(_: Any, context: Any) -> float:
    return 0.0


def _write_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, config: str) -> None:
    path = tmp_path / "config"
    path.write_text(config)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))


def _without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)


# Two accounts ----------------------------------------------------------------------------------


async def test_an_assumed_role_reaches_the_other_account(moto_world: MotoWorld) -> None:
    await moto_world.target_tables.create_table("orders")
    async with (
        open_account(moto_world.source, "source") as source,
        open_account(
            moto_world.target, "target", sts_endpoint_url=moto_world.sts_endpoint_url
        ) as target,
    ):
        assert (await describe_table(target, "orders")).arn == (
            f"arn:aws:dynamodb:{REGION}:{TARGET_ACCOUNT_ID}:table/orders"
        )
        with pytest.raises(TableNotFoundError):
            await describe_table(source, "orders")


async def test_a_side_says_where_it_is_and_as_whom_it_acts(moto_world: MotoWorld) -> None:
    async with open_account(
        moto_world.target, "target", sts_endpoint_url=moto_world.sts_endpoint_url
    ) as session:
        assert (session.side, session.region) == ("target", REGION)
        assert session.acting_as == f"role {TARGET_ROLE_ARN}"
    async with open_account(moto_world.source, "source") as session:
        assert session.acting_as == "the credentials of the environment"
        assert await session.credentials.current() == ("testing", "testing", "testing")


# Assuming a role -------------------------------------------------------------------------------


async def test_a_role_is_assumed_with_a_name_a_duration_and_the_external_id() -> None:
    async with (
        running_endpoint(_assumed(1)) as sts,
        open_account(ROLE_ACCOUNT, "target", sts_endpoint_url=sts.url) as session,
    ):
        assert await session.credentials.current() == made_up_credentials(1)
    assert sts.operations == ["AssumeRole"]
    assert sts.requests[0].access_key == "testing"
    assert sts.requests[0].form == {
        "Action": "AssumeRole",
        "Version": "2011-06-15",
        "RoleArn": TARGET_ROLE_ARN,
        "RoleSessionName": "dynaferry",
        "DurationSeconds": "3600",
        "ExternalId": EXTERNAL_ID,
    }


async def test_without_an_external_id_none_is_sent() -> None:
    account = Account(region=REGION, role_arn=TARGET_ROLE_ARN)
    async with (
        running_endpoint(_assumed(1)) as sts,
        open_account(account, "target", sts_endpoint_url=sts.url),
    ):
        assert "ExternalId" not in sts.requests[0].form


async def test_a_role_is_assumed_once_for_all_requests_of_both_planes() -> None:
    async with running_endpoint() as aws:
        sessions = _role_sessions()
        table = Answer(body=b'{"Table":{"TableName":"orders"}}')
        aws.otherwise = Decide(lambda r: sessions if r.operation == "AssumeRole" else table)
        account = Account(region=REGION, role_arn=TARGET_ROLE_ARN, endpoint_url=aws.url)
        async with open_account(account, "target", sts_endpoint_url=aws.url) as session:
            current = session.credentials.current
            together = await asyncio.gather(*(current() for _ in range(50)))
            in_turn = [await current() for _ in range(50)]
            await session.client.describe_table(TableName="orders")
        assert {*together, *in_turn} == {made_up_credentials(1)}
        assert aws.operations == ["AssumeRole", "DescribeTable"]
        assert aws.requests[1].access_key == made_up_credentials(1).access_key


@pytest.mark.parametrize("left", [timedelta(seconds=30), timedelta(minutes=9)])
async def test_credentials_are_renewed_ahead_of_their_end(
    monkeypatch: pytest.MonkeyPatch, left: timedelta
) -> None:
    monkeypatch.setattr("dynaferry.dynamodb.account.credentials.CREDENTIALS_REFRESH_SECONDS", 0.0)
    async with running_endpoint() as sts:
        sts.otherwise = _role_sessions(lambda number: left if number == 1 else HOUR)
        async with open_account(ROLE_ACCOUNT, "target", sts_endpoint_url=sts.url) as session:
            for _ in range(3):
                assert await renewed(session.credentials) == made_up_credentials(2)
    assert sts.operations == ["AssumeRole"] * 2


async def test_how_long_credentials_last_is_known_without_renewing_them() -> None:
    async with running_endpoint() as sts:
        sts.otherwise = _role_sessions()
        before = datetime.now(UTC)
        async with open_account(ROLE_ACCOUNT, "target", sts_endpoint_url=sts.url) as session:
            left = session.credentials.seconds_left(before)
            assert left is not None
            # The service tells the end to the second.
            assert left >= HOUR.total_seconds() - 1
            assert session.credentials.seconds_left(before + 2 * HOUR) == left - 7200
    assert sts.operations == ["AssumeRole"]


async def test_credentials_of_the_environment_have_no_end() -> None:
    async with open_account(Account(region="us-east-1"), "source") as session:
        assert session.credentials.seconds_left(datetime.now(UTC)) is None


async def test_credentials_near_their_end_are_used_while_sts_is_away(
    no_waiting_between_retries: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dynaferry.dynamodb.account.credentials.CREDENTIALS_REFRESH_SECONDS", 0.0)
    async with running_endpoint(_assumed(1, timedelta(minutes=12))) as sts:
        sts.otherwise = Drop()
        async with open_account(ROLE_ACCOUNT, "target", sts_endpoint_url=sts.url) as session:
            assert await renewed(session.credentials) == made_up_credentials(1)
            assert len(sts.requests) > 1  # it was asked for new ones


async def test_an_sts_that_gives_credentials_of_the_past_is_an_error_and_not_a_crash() -> None:
    async with running_endpoint() as sts:
        sts.otherwise = _role_sessions(lambda _: -HOUR)
        with pytest.raises(AccessDeniedError, match="has ended already") as caught:
            async with open_account(ROLE_ACCOUNT, "target", sts_endpoint_url=sts.url):
                pass
    assert "clock" in (caught.value.hint or "")


async def test_an_sts_that_does_not_respond_is_unavailability(
    no_waiting_between_retries: None,
) -> None:
    async with running_endpoint() as sts:
        sts.otherwise = Drop()
        with pytest.raises(UnavailableError, match=f"assuming the target's role {TARGET_ROLE_ARN}"):
            async with open_account(ROLE_ACCOUNT, "target", sts_endpoint_url=sts.url):
                pass


async def test_a_role_that_may_not_be_assumed_is_refused_at_the_start_and_explained() -> None:
    words = f"User is not authorized to perform: sts:AssumeRole on resource: {TARGET_ROLE_ARN}"
    async with running_endpoint(_refused("AccessDenied", words)) as sts:
        with pytest.raises(AccessDeniedError) as caught:
            async with open_account(ROLE_ACCOUNT, "target", sts_endpoint_url=sts.url):
                pass
    error = caught.value
    assert error.message == (
        f"assuming the target's role {TARGET_ROLE_ARN} with the credentials of the environment"
        f" was refused: AccessDenied: {words}"
    )
    assert "trust policy" in (error.hint or "")
    assert EXTERNAL_ID not in f"{error} {error!r} {error.hint}"


# Credentials that the service calls expired ----------------------------------------------------


async def test_many_requests_that_were_refused_assume_the_role_once_more() -> None:
    async with running_endpoint() as sts:
        sts.otherwise = _role_sessions()
        async with open_account(ROLE_ACCOUNT, "target", sts_endpoint_url=sts.url) as session:
            credentials = session.credentials
            refused = await credentials.current()
            await asyncio.gather(*(credentials.renew(refused) for _ in range(20)))
            assert await credentials.current() == made_up_credentials(2)
            await credentials.renew(refused)  # one more that comes late
            assert await credentials.current() == made_up_credentials(2)
    assert sts.operations == ["AssumeRole"] * 2


async def test_requests_that_ask_while_credentials_are_renewed_do_not_assume_the_role_too() -> None:
    async with running_endpoint() as sts:
        sts.otherwise = _role_sessions()
        async with open_account(ROLE_ACCOUNT, "target", sts_endpoint_url=sts.url) as session:
            credentials = session.credentials
            refused = await credentials.current()
            asking = (credentials.current() for _ in range(20))
            await asyncio.gather(credentials.renew(refused), *asking)
    assert sts.operations == ["AssumeRole"] * 2


def _slowly(turns: CredentialsInTurn) -> Callable[[], Awaitable[Any]]:
    """Resolves as a profile with SSO or a process does: not at once."""

    async def resolve() -> Any:
        await asyncio.sleep(0)
        return await turns.resolve()

    return resolve


async def test_requests_that_ask_during_a_slow_renewal_wait_for_it() -> None:
    turns = CredentialsInTurn([made_up_credentials(number) for number in range(1, 30)])
    source = CredentialSource(_slowly(turns), _not_expected)
    refused = await source.current()
    await asyncio.gather(source.renew(refused), *(source.current() for _ in range(20)))
    assert turns.resolved == 2
    assert await source.current() == made_up_credentials(2)


async def test_many_requests_that_were_refused_renew_once_though_it_is_slow() -> None:
    turns = CredentialsInTurn([made_up_credentials(number) for number in range(1, 30)])
    source = CredentialSource(_slowly(turns), _not_expected)
    refused = await source.current()
    await asyncio.gather(*(source.renew(refused) for _ in range(20)))
    assert turns.resolved == 2
    assert await source.current() == made_up_credentials(2)


def _not_expected(error: Exception) -> DynaferryError:
    raise error


async def test_renewing_what_is_no_longer_current_resolves_nothing() -> None:
    turns = CredentialsInTurn([made_up_credentials(1), made_up_credentials(2)])
    source = session_of(turns).credentials
    await source.current()
    await source.renew(made_up_credentials(7))
    assert turns.resolved == 1
    assert await source.current() == made_up_credentials(1)


async def test_the_control_plane_signs_with_renewed_credentials_too() -> None:
    async with running_endpoint() as aws:
        sessions = _role_sessions()
        aws.otherwise = Decide(
            lambda r: sessions if r.operation == "AssumeRole" else Answer(body=b"{}")
        )
        account = Account(region=REGION, role_arn=TARGET_ROLE_ARN, endpoint_url=aws.url)
        async with open_account(account, "target", sts_endpoint_url=aws.url) as session:
            await session.credentials.renew(await session.credentials.current())
            await session.client.describe_table(TableName="orders")
    assert aws.requests[-1].access_key == made_up_credentials(2).access_key


async def test_a_profiles_own_role_is_assumed_anew_when_its_session_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with running_endpoint() as sts:
        sts.otherwise = _role_sessions()
        config = f"""
[profile ferry]
region = {REGION}
role_arn = {TARGET_ROLE_ARN}
credential_source = Environment
"""
        _write_config(monkeypatch, tmp_path, config)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        async with open_account(Account(profile="ferry"), "source") as session:
            refused = await session.credentials.current()
            assert refused == made_up_credentials(1)
            await session.credentials.renew(refused)
            assert await session.credentials.current() == made_up_credentials(2)


# Settings that are missing ---------------------------------------------------------------------


async def _refuse_to_open(account: Account, side: accounts.Side = "target") -> DynaferryError:
    with pytest.raises(DynaferryError) as caught:
        async with open_account(account, side):
            pass
    return caught.value


async def test_a_profile_that_is_not_there_is_named_with_its_flag() -> None:
    error = await _refuse_to_open(Account(profile="nobody", region=REGION))
    assert type(error) is PlanError
    assert "'nobody'" in error.message
    assert "--target-profile" in (error.hint or "")


async def test_a_profile_of_the_environment_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody-either")
    error = await _refuse_to_open(Account(region=REGION))
    assert type(error) is PlanError
    assert "nobody-either" in error.message


async def test_a_missing_region_is_a_plan_error_that_names_the_flag() -> None:
    error = await _refuse_to_open(Account(), "source")
    assert type(error) is PlanError
    assert "region" in error.message
    assert "source" in error.message
    assert "--source-region" in (error.hint or "")


async def test_a_region_that_is_none_is_an_error_and_not_a_crash() -> None:
    error = await _refuse_to_open(Account(region="not a region!"))
    assert "not a region!" in error.message


async def test_a_configuration_that_cannot_be_read_is_an_error_and_not_a_crash(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _write_config(monkeypatch, tmp_path, "[profile broken\nregion us-east-1")
    await _refuse_to_open(Account(region=REGION))


async def test_missing_credentials_are_an_access_denied_that_says_how_to_set_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _without_credentials(monkeypatch)
    for account in (Account(region=REGION), ROLE_ACCOUNT):
        error = await _refuse_to_open(account)
        assert type(error) is AccessDeniedError
        assert "no credentials for the target" in error.message
        assert "--target-profile" in (error.hint or "")


@pytest.mark.parametrize(
    ("flag", "environment", "region"),
    [
        ("eu-west-1", {"AWS_DEFAULT_REGION": "eu-west-2", "AWS_REGION": "eu-west-3"}, "eu-west-1"),
        (None, {"AWS_DEFAULT_REGION": "eu-west-2", "AWS_REGION": "eu-west-3"}, "eu-west-3"),
        (None, {"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        (None, {"AWS_REGION": "eu-west-3"}, "eu-west-3"),
    ],
)
async def test_the_region_is_the_flags_or_the_environments(
    monkeypatch: pytest.MonkeyPatch, flag: str | None, environment: dict[str, str], region: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with open_account(Account(region=flag), "source") as session:
        assert session.region == region
        assert session.client.meta.region_name == region


async def test_a_profile_gives_region_credentials_and_certificates(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, bundle = self_signed(tmp_path)
    config = f"""
[profile ferry]
region = eu-north-1
aws_access_key_id = AKIAPROFILE
aws_secret_access_key = profile-secret
ca_bundle = {bundle}
"""
    _write_config(monkeypatch, tmp_path, config)
    async with open_account(Account(profile="ferry", endpoint_url="http://x"), "source") as session:
        assert session.region == "eu-north-1"
        assert session.acting_as == "profile ferry"
        assert session.ca_bundle == str(bundle)
        assert await session.credentials.current() == ("AKIAPROFILE", "profile-secret", None)


async def test_the_environments_certificates_are_the_sides(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    account = Account(region=REGION, endpoint_url="http://127.0.0.1:1")
    async with open_account(account, "source") as session:
        assert session.ca_bundle is None
    _, bundle = self_signed(tmp_path)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    async with open_account(account, "source") as session:
        assert session.ca_bundle == str(bundle)


async def test_certificates_that_are_not_there_are_a_plan_error_before_any_request(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "moved.pem"))
    async with running_endpoint() as sts:
        with pytest.raises(PlanError, match=r"moved\.pem are not there") as caught:
            async with open_account(ROLE_ACCOUNT, "target", sts_endpoint_url=sts.url):
                pass
    assert sts.requests == []
    assert "AWS_CA_BUNDLE" in (caught.value.hint or "")


@pytest.mark.parametrize("body", [b"<html><p>Sign in</p></html>", b"{}", b"", b"\xff\xfe"])
async def test_a_response_that_is_not_of_sts_is_corrupt(
    body: bytes, no_waiting_between_retries: None
) -> None:
    async with running_endpoint() as sts:
        sts.otherwise = Answer(body=body, checksum="none")
        with pytest.raises(CorruptAnswerError, match="assuming the target's role") as caught:
            async with open_account(ROLE_ACCOUNT, "target", sts_endpoint_url=sts.url):
                pass
    assert "proxy" in (caught.value.hint or "")


# Endpoints -------------------------------------------------------------------------------------

REGIONAL = f"https://dynamodb.{REGION}.amazonaws.com/"
OF_THE_ROLES_ACCOUNT = f"https://{TARGET_ACCOUNT_ID}.ddb.{REGION}.amazonaws.com/"
OF_AN_ARNS_ACCOUNT = f"https://333333333333.ddb.{REGION}.amazonaws.com/"
ARN = f"arn:aws:dynamodb:{REGION}:333333333333:table/orders"


async def _endpoint_as_role(sts: Endpoint, table: str, endpoint_url: str | None = None) -> str:
    account = Account(region=REGION, role_arn=TARGET_ROLE_ARN, endpoint_url=endpoint_url)
    async with open_account(account, "target", sts_endpoint_url=sts.url) as session:
        return await session.endpoint_for(table)


@pytest.mark.parametrize(
    ("mode", "table", "endpoint"),
    [
        (None, "orders", OF_THE_ROLES_ACCOUNT),
        ("preferred", "orders", OF_THE_ROLES_ACCOUNT),
        ("required", "orders", OF_THE_ROLES_ACCOUNT),
        ("disabled", "orders", REGIONAL),
        (None, ARN, OF_AN_ARNS_ACCOUNT),
        ("disabled", ARN, REGIONAL),
    ],
)
async def test_a_roles_endpoint_is_its_accounts_or_the_arns_unless_that_is_switched_off(
    monkeypatch: pytest.MonkeyPatch,
    nothing_leaves: list[str],
    mode: str | None,
    table: str,
    endpoint: str,
) -> None:
    if mode is not None:
        monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", mode)
    async with running_endpoint(_assumed(1)) as sts:
        assert await _endpoint_as_role(sts, table) == endpoint
    assert nothing_leaves == []


@pytest.mark.parametrize("table", ["orders", ARN])
async def test_a_configured_endpoint_wins_over_account_and_arn(
    nothing_leaves: list[str], table: str
) -> None:
    async with running_endpoint(_assumed(1)) as sts:
        url = "https://vpce-1.dynamodb.example:8443"
        assert (await _endpoint_as_role(sts, table, url)).rstrip("/") == url


async def test_a_plain_callers_endpoint_is_the_regional_one(nothing_leaves: list[str]) -> None:
    async with open_account(Account(region="eu-north-1"), "source") as session:
        endpoint = await session.endpoint_for("orders")
    assert endpoint == "https://dynamodb.eu-north-1.amazonaws.com/"


async def test_settings_that_leave_no_endpoint_are_an_error_that_names_the_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "required")
    async with open_account(Account(region=REGION), "source") as session:
        with pytest.raises(DynaferryError, match="DescribeTable on the source table orders"):
            await session.endpoint_for("orders")


async def test_a_certificate_that_is_not_trusted_shows_in_the_first_call_with_its_hint(
    no_waiting_between_retries: None, tmp_path: Path
) -> None:
    context, _ = self_signed(tmp_path)
    async with running_endpoint(tls=context) as endpoint:
        account = Account(region=REGION, endpoint_url=endpoint.url)
        async with open_account(account, "source") as session:
            with pytest.raises(RequestRefusedError) as caught:
                await describe_table(session, "orders")
    assert "AWS_CA_BUNDLE" in (caught.value.hint or "")


# Errors and secrets ----------------------------------------------------------------------------


def test_an_error_of_the_client_names_operation_table_side_and_role() -> None:
    session: AccountSession = session_of(side="target")
    refused = ClientError({"Error": {"Code": "AccessDeniedException"}}, "DescribeTable")
    error = session.error_for(refused, operation="DescribeTable", table="orders")
    assert type(error) is AccessDeniedError
    assert "DescribeTable on the target table orders" in error.message
    assert session.acting_as in error.message


async def test_neither_side_nor_credentials_show_a_secret() -> None:
    async with (
        running_endpoint(_assumed(1)) as sts,
        open_account(ROLE_ACCOUNT, "target", sts_endpoint_url=sts.url) as session,
    ):
        current: Credentials = await session.credentials.current()
        shown = f"{session!r} {session} {session.credentials!r} {current!r} {current}"
    for secret in (*made_up_credentials(1), EXTERNAL_ID, "testing"):
        assert secret is not None
        assert secret not in shown


async def test_accounts_that_share_models_read_what_botocore_knows_of_a_service_once(
    moto_world: MotoWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    load_file = JSONFileLoader.load_file

    def noting(self: JSONFileLoader, file_path: str) -> object:
        found = load_file(self, file_path)
        if found is not None:
            read.append(file_path)
        return found

    monkeypatch.setattr(JSONFileLoader, "load_file", noting)
    models = ServiceModels()
    async with (
        open_account(moto_world.source, "source", models=models),
        open_account(
            moto_world.target, "target", sts_endpoint_url=moto_world.sts_endpoint_url, models=models
        ),
    ):
        assert any("dynamodb" in path for path in read)
        assert len(read) == len(set(read))
