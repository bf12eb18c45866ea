"""Every way in which botocore finds credentials: calls are signed with them, also much later."""

import hashlib
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dynaferry.dynamodb.account.session import AccountSession, open_account
from dynaferry.dynamodb.client import open_client
from dynaferry.errors import AccessDeniedError, DynaferryError
from dynaferry.plan.settings import Account
from tests.worlds.credential_services import (
    CONTAINER_TOKEN,
    HOUR,
    SSO_TOKEN,
    WEB_TOKEN,
    CredentialServices,
    FastClock,
    numbered,
)
from tests.worlds.endpoint import Decide, Endpoint, running_endpoint
from tests.worlds.sides import renewed

REGION = "eu-central-1"
ROLE_ARN = "arn:aws:iam::222222222222:role/ferry"
OUTER_ROLE_ARN = "arn:aws:iam::333333333333:role/ferry-target"
START_URL = "https://people.awsapps.example/start"
SSO_FILE = f"{hashlib.sha1(START_URL.encode(), usedforsecurity=False).hexdigest()}.json"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FastClock:
    """What botocore takes for the time when it looks how long credentials are good."""
    return FastClock.put_in(monkeypatch)


Prepare = Callable[[pytest.MonkeyPatch, Path, str], Account]


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def _config(patch: pytest.MonkeyPatch, home: Path, text: str) -> None:
    patch.setenv("AWS_CONFIG_FILE", str(_write(home / "config", text)))


def _nothing_in_the_environment(patch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        patch.delenv(name)


def container(patch: pytest.MonkeyPatch, home: Path, url: str) -> Account:
    _nothing_in_the_environment(patch)
    patch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/container")
    patch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", CONTAINER_TOKEN)
    return Account(region=REGION)


def container_with_a_token_file(patch: pytest.MonkeyPatch, home: Path, url: str) -> Account:
    _nothing_in_the_environment(patch)
    token = _write(home / "token", CONTAINER_TOKEN)
    patch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/container")
    patch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(token))
    return Account(region=REGION)


def instance(patch: pytest.MonkeyPatch, home: Path, url: str) -> Account:
    _nothing_in_the_environment(patch)
    patch.setenv("AWS_EC2_METADATA_DISABLED", "false")
    patch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
    return Account(region=REGION)


def sso(patch: pytest.MonkeyPatch, home: Path, url: str) -> Account:
    _config(
        patch,
        home,
        f"[profile person]\nregion = {REGION}\nsso_start_url = {START_URL}\n"
        f"sso_region = {REGION}\nsso_account_id = 111111111111\nsso_role_name = Copy\n",
    )
    end = (datetime.now(UTC) + 8 * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")
    _write(
        home / ".aws" / "sso" / "cache" / SSO_FILE,
        json.dumps({"accessToken": SSO_TOKEN, "expiresAt": end}),
    )
    patch.setattr(
        "botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR", str(home / ".aws/sso/cache")
    )
    patch.setenv("AWS_ENDPOINT_URL_SSO", url)
    return Account(profile="person")


def web_identity(patch: pytest.MonkeyPatch, home: Path, url: str) -> Account:
    _nothing_in_the_environment(patch)
    patch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(_write(home / "web", WEB_TOKEN)))
    patch.setenv("AWS_ROLE_ARN", ROLE_ARN)
    patch.setenv("AWS_ENDPOINT_URL_STS", url)
    return Account(region=REGION)


def role_of_a_profile(patch: pytest.MonkeyPatch, home: Path, url: str) -> Account:
    _config(
        patch,
        home,
        f"[profile ferry]\nregion = {REGION}\nrole_arn = {ROLE_ARN}\nsource_profile = person\n"
        "[profile person]\naws_access_key_id = AKIAPERSON\naws_secret_access_key = of-a-person\n",
    )
    patch.setenv("AWS_ENDPOINT_URL_STS", url)
    return Account(profile="ferry")


def named_role(patch: pytest.MonkeyPatch, home: Path, url: str) -> Account:
    patch.setenv("AWS_ENDPOINT_URL_STS", url)
    return Account(region=REGION, role_arn=ROLE_ARN)


SOURCES: tuple[Prepare, ...] = (
    container,
    container_with_a_token_file,
    instance,
    sso,
    web_identity,
    role_of_a_profile,
    named_role,
)


async def sign_on_both_planes(session: AccountSession, aws: Endpoint) -> list[tuple[str, str]]:
    """One call of each plane: with which key and token each was signed."""
    before = len(aws.requests)
    await session.client.describe_table(TableName="orders")
    async with open_client(session, table="orders", endpoint=aws.url, connections=1) as client:
        await client.send("Scan", b"{}")
    return [
        (request.access_key, request.headers.get("x-amz-security-token", ""))
        for request in aws.requests[before:]
        if "x-amz-target" in request.headers
    ]


def signed_as(number: int) -> tuple[str, str]:
    credentials = numbered(number)
    return credentials.access_key, credentials.token or ""


@pytest.mark.parametrize("prepare", SOURCES)
async def test_both_planes_sign_with_what_is_found(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    services = CredentialServices()
    async with running_endpoint() as aws:
        aws.otherwise = Decide(services.answer)
        account = _at(prepare(monkeypatch, tmp_path, aws.url), aws.url)
        async with open_account(account, "source") as session:
            signed = await sign_on_both_planes(session, aws)
            assert signed == [signed_as(1)] * 2
            assert await sign_on_both_planes(session, aws) == signed
    assert services.given == 1


@pytest.mark.parametrize("prepare", SOURCES)
async def test_what_is_found_is_renewed_before_it_ends_for_as_long_as_it_takes(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: FastClock
) -> None:
    services = CredentialServices()
    services.now = clock.now
    async with running_endpoint() as aws:
        aws.otherwise = Decide(services.answer)
        account = _at(prepare(monkeypatch, tmp_path, aws.url), aws.url)
        async with open_account(account, "source") as session:
            for number in range(1, 8):
                assert await sign_on_both_planes(session, aws) == [signed_as(number)] * 2
                clock.ahead += timedelta(minutes=55)
                if number < 7:
                    await renewed(session.credentials)
    assert services.given == 7


@pytest.mark.parametrize("prepare", SOURCES)
async def test_what_the_service_calls_expired_is_found_anew(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    services = CredentialServices()
    async with running_endpoint() as aws:
        aws.otherwise = Decide(services.answer)
        account = _at(prepare(monkeypatch, tmp_path, aws.url), aws.url)
        async with open_account(account, "source") as session:
            await session.credentials.renew(await session.credentials.current())
            assert await sign_on_both_planes(session, aws) == [signed_as(2)] * 2


def _at(account: Account, url: str) -> Account:
    """The account, with its tables at the endpoint."""
    return Account(
        region=account.region,
        profile=account.profile,
        role_arn=account.role_arn,
        endpoint_url=url,
    )


# A role on top of a role -----------------------------------------------------------------------


async def test_a_role_is_assumed_on_top_of_a_profiles_role_for_an_hour(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    services = CredentialServices()
    async with running_endpoint() as aws:
        aws.otherwise = Decide(services.answer)
        role_of_a_profile(monkeypatch, tmp_path, aws.url)
        account = Account(profile="ferry", role_arn=OUTER_ROLE_ARN, endpoint_url=aws.url)
        async with open_account(account, "target") as session:
            assert await sign_on_both_planes(session, aws) == [signed_as(2)] * 2
    inner, outer = services.asked
    assert (inner.access_key, inner.form["RoleArn"]) == ("AKIAPERSON", ROLE_ARN)
    assert (outer.access_key, outer.form["RoleArn"]) == (numbered(1).access_key, OUTER_ROLE_ARN)
    # AWS refuses more than an hour of a role that was assumed by a role.
    assert int(outer.form["DurationSeconds"]) == 3600


async def test_both_roles_are_renewed_the_outer_one_with_the_inner_ones_new_session(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    services = CredentialServices(lambda n: timedelta(minutes=1) if n <= 2 else HOUR)
    async with running_endpoint() as aws:
        aws.otherwise = Decide(services.answer)
        role_of_a_profile(monkeypatch, tmp_path, aws.url)
        account = Account(profile="ferry", role_arn=OUTER_ROLE_ARN, endpoint_url=aws.url)
        async with open_account(account, "target") as session:
            (first, _), (second, _) = await sign_on_both_planes(session, aws)
    assert first == second == signed_as(services.given)[0]
    by_role = [(r.form["RoleArn"], r.access_key) for r in services.asked]
    last_inner = max(n for n, (role, _) in enumerate(by_role) if role == ROLE_ARN)
    last_outer = max(n for n, (role, _) in enumerate(by_role) if role == OUTER_ROLE_ARN)
    assert last_inner < last_outer
    assert by_role[last_outer][1] == numbered(last_inner + 1).access_key


@pytest.mark.parametrize("side", ["source", "target"])
async def test_each_side_may_have_a_role_on_top_of_an_instances(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, side: str
) -> None:
    services = CredentialServices()
    async with running_endpoint() as aws:
        aws.otherwise = Decide(services.answer)
        instance(monkeypatch, tmp_path, aws.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", aws.url)
        account = Account(region=REGION, role_arn=ROLE_ARN, endpoint_url=aws.url)
        async with open_account(account, "source" if side == "source" else "target") as session:
            assert await sign_on_both_planes(session, aws) == [signed_as(2)] * 2
    assert services.asked[-1].access_key == numbered(1).access_key


# A program of one's own, and what does not work ------------------------------------------------


async def test_a_profiles_program_is_run_again_when_its_credentials_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    end = (datetime.now(UTC) + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    program = _write(
        tmp_path / "program.py",
        "import json, pathlib\n"
        f"runs = pathlib.Path({str(tmp_path / 'runs')!r})\n"
        "runs.write_text((runs.read_text() if runs.exists() else '') + 'x')\n"
        "n = len(runs.read_text())\n"
        "print(json.dumps({'Version': 1, 'AccessKeyId': f'AKIARUN{n}', 'SecretAccessKey': 's',\n"
        f"    'SessionToken': 't', 'Expiration': {end!r}}}))\n",
    )
    _config(
        monkeypatch,
        tmp_path,
        f"[profile own]\nregion = {REGION}\ncredential_process = {sys.executable} {program}\n",
    )
    monkeypatch.setattr("dynaferry.dynamodb.account.credentials.CREDENTIALS_REFRESH_SECONDS", 0.0)
    async with open_account(Account(profile="own"), "source") as session:
        first = await session.credentials.current()
        second = await renewed(session.credentials)
    assert first.access_key.startswith("AKIARUN")
    assert second.access_key != first.access_key


async def test_a_person_who_is_logged_out_is_asked_to_log_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    account = sso(monkeypatch, tmp_path, "http://127.0.0.1:1")
    _write(
        tmp_path / ".aws" / "sso" / "cache" / SSO_FILE,
        json.dumps({"accessToken": SSO_TOKEN, "expiresAt": "2020-01-01T00:00:00Z"}),
    )
    with pytest.raises(AccessDeniedError) as caught:
        async with open_account(account, "source"):
            pass
    assert "aws sso login --profile person" in (caught.value.hint or "")
    assert SSO_TOKEN not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("prepare", [container, instance])
async def test_a_service_of_credentials_that_refuses_is_an_error_without_its_token(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "1")
    async with running_endpoint() as aws:
        with pytest.raises(DynaferryError) as caught:
            async with open_account(prepare(monkeypatch, tmp_path, aws.url), "source"):
                pass
    assert CONTAINER_TOKEN not in f"{caught.value!r} {caught.value.hint}"
