"""Credentials that cannot be had: what is told says whose, why not, and what to do about it."""

import hashlib
import json
import os
import pty
import sys
import termios
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from dynaferry.dynamodb.account import mfa
from dynaferry.dynamodb.account.session import open_account
from dynaferry.errors import (
    AccessDeniedError,
    DynaferryError,
    PlanError,
    StoppedError,
    UnavailableError,
)
from dynaferry.plan.settings import Account, CopyPlan
from dynaferry.run.sides import open_sides
from tests.worlds.credential_services import CredentialServices
from tests.worlds.endpoint import Answer, Decide, running_endpoint

REGION = "eu-central-1"
ROLE_ARN = "arn:aws:iam::222222222222:role/ferry"
NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
Prepare = Callable[[pytest.MonkeyPatch, Path], None]


def config(patch: pytest.MonkeyPatch, home: Path, text: str) -> None:
    for name in NAMES:
        patch.delenv(name, raising=False)
    (home / "config").write_text(text)
    patch.setenv("AWS_CONFIG_FILE", str(home / "config"))


def moment(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


async def refused(account: Account) -> AccessDeniedError:
    """What comes of opening the source; to stop, and not to be tried again."""
    with pytest.raises(AccessDeniedError) as caught:
        async with open_account(account, "source"):
            pass
    assert isinstance(caught.value, StoppedError)
    assert "the source's credentials" in caught.value.message
    return caught.value


def program(command: str) -> Prepare:
    def prepare(patch: pytest.MonkeyPatch, home: Path) -> None:
        config(patch, home, f"[default]\ncredential_process = {command}\n")

    return prepare


def given_by_a_program(document: dict[str, object]) -> Prepare:
    def prepare(patch: pytest.MonkeyPatch, home: Path) -> None:
        (home / "print.py").write_text(f"print({json.dumps(json.dumps(document))})")
        config(
            patch,
            home,
            f"[default]\ncredential_process = {sys.executable} {home / 'print.py'}\n",
        )

    return prepare


def expired_in_the_environment(patch: pytest.MonkeyPatch, _: Path) -> None:
    patch.setenv("AWS_CREDENTIAL_EXPIRATION", moment(-60))


def no_token_of_a_pod(patch: pytest.MonkeyPatch, home: Path) -> None:
    config(patch, home, "")
    patch.setenv("AWS_ROLE_ARN", ROLE_ARN)
    patch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(home / "no-token"))


def no_token_of_a_container(patch: pytest.MonkeyPatch, home: Path) -> None:
    config(patch, home, "")
    patch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/creds")
    patch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(home / "no-token"))


def half_a_key(patch: pytest.MonkeyPatch, _: Path) -> None:
    patch.delenv("AWS_SECRET_ACCESS_KEY")


OLD = {"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "s", "Expiration": "2020-01-01T00:00Z"}
CAUSES: list[tuple[Prepare, str, str]] = [
    (expired_in_the_environment, "have expired", "AWS_CREDENTIAL_EXPIRATION"),
    (half_a_key, "AWS_SECRET_ACCESS_KEY", "set AWS_SECRET_ACCESS_KEY as well"),
    (program("no-such-helper --token abc"), "no-such-helper cannot be run", "its whole path"),
    (program("echo Please log in"), "something else than credentials", "run it by itself"),
    (program("true"), "something else than credentials", "run it by itself"),
    (program("false"), "custom-process", "run the credential_process false by itself"),
    (given_by_a_program({"Version": 2}), "Unsupported version", "by itself"),
    (given_by_a_program({"Version": 1}), "AccessKeyId", "by itself"),
    (given_by_a_program(OLD), "have expired", "log in with"),
    (no_token_of_a_pod, "no-token with the token of the web identity", "its mount"),
    (no_token_of_a_container, "no-token with the token of the container", "its mount"),
]


@pytest.mark.parametrize(("prepare", "what", "hint"), CAUSES)
async def test_each_source_that_fails_is_named_with_what_to_do_about_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, prepare: Prepare, what: str, hint: str
) -> None:
    prepare(monkeypatch, tmp_path)
    error = await refused(Account(region=REGION))
    assert what in error.message
    assert hint in (error.hint or "")
    assert "abc" not in f"{error.message} {error.hint}"


@pytest.mark.parametrize(("status", "error"), [(403, AccessDeniedError), (503, UnavailableError)])
async def test_a_containers_service_that_refuses_stops_and_one_that_is_away_may_come_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int, error: type[DynaferryError]
) -> None:
    config(monkeypatch, tmp_path, "")
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    async with running_endpoint() as container:
        container.otherwise = Answer(status=status, checksum="none")
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", container.url)
        with pytest.raises(error, match=str(status)) as caught:
            async with open_account(Account(region=REGION), "source"):
                pass
    assert caught.value.hint is not None


async def test_what_is_missing_is_reported_of_the_caller_also_where_a_role_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program("no-such-helper")(monkeypatch, tmp_path)
    error = await refused(Account(region=REGION, role_arn=ROLE_ARN))
    assert ROLE_ARN not in error.message
    assert "no-such-helper cannot be run" in error.message


async def test_without_any_credentials_the_side_is_named_and_how_to_set_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config(monkeypatch, tmp_path, "")
    with pytest.raises(AccessDeniedError, match="no credentials for the target") as caught:
        async with open_account(Account(region=REGION), "target"):
            pass
    assert "--target-profile" in (caught.value.hint or "")


async def test_a_login_is_asked_of_the_profile_that_needs_it_at_the_end_of_the_chain(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config(
        monkeypatch,
        tmp_path,
        "[sso-session corp]\nsso_start_url = https://corp.example/start\nsso_region = us-east-1\n"
        "[profile dev]\nsso_session = corp\nsso_account_id = 111111111111\nsso_role_name = Dev\n"
        f"[profile chained]\nsource_profile = dev\nrole_arn = {ROLE_ARN}\n",
    )
    cache = tmp_path / "cache"
    cache.mkdir()
    name = hashlib.sha1(b"corp", usedforsecurity=False).hexdigest()
    token = {"accessToken": "t", "expiresAt": moment(-3600), "region": "us-east-1"}
    (cache / f"{name}.json").write_text(json.dumps(token))
    monkeypatch.setattr("botocore.tokens.SSOTokenProvider._SSO_TOKEN_CACHE_DIR", str(cache))
    monkeypatch.setattr("botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR", str(cache))
    for account in (
        Account(region=REGION, profile="chained"),
        Account(region=REGION, profile="dev", role_arn=ROLE_ARN),
    ):
        assert "aws sso login --profile dev" in ((await refused(account)).hint or "")


async def test_a_web_identity_that_is_refused_is_no_missing_right_of_dynamodbs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config(monkeypatch, tmp_path, "")
    (tmp_path / "token").write_text("web.identity.token")
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE_ARN)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    words = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
    xml = f"<ErrorResponse><Error><Code>AccessDenied</Code><Message>{words}</Message></Error>"
    async with running_endpoint() as sts:
        sts.otherwise = Answer(body=f"{xml}</ErrorResponse>".encode(), status=403, checksum="none")
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        with pytest.raises(AccessDeniedError, match=words) as caught:
            async with open_account(Account(region=REGION), "source"):
                pass
    assert "dynamodb:" not in f"{caught.value.message} {caught.value.hint}"
    assert "the provider of the token" in (caught.value.hint or "")


async def test_the_end_of_credentials_of_the_environment_is_announced_beforehand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = Account(region=REGION)
    async with open_account(account, "source") as session:
        assert session.end_in_words is None
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", moment(3600))
    plan = CopyPlan.for_table("orders", "copied", to=account, from_=account)
    told: list[str] = []
    async with open_sides(plan, told.append):
        pass
    whose = "credentials (the credentials of the environment) end in 60 minutes"
    assert len(told) == 2
    assert told[0].startswith(f"the source's {whose}")
    assert told[1].startswith(f"the target's {whose}")


async def test_credentials_that_renew_themselves_are_not_said_to_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given_by_a_program({**OLD, "Expiration": moment(3600)})(monkeypatch, tmp_path)
    async with open_account(Account(region=REGION), "source") as session:
        assert session.end_in_words is None


# Characters ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("added", "fault"),
    [("\r", "line break"), ("\r\n", "line break"), (" ", "space"), ("é", "sent")],
)
async def test_what_was_pasted_along_with_a_key_is_reported_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, name: str, added: str, fault: str
) -> None:
    monkeypatch.setenv(name, f"marked{added}")
    error = await refused(Account(region=REGION))
    assert fault in error.message
    assert "marked" not in f"{error.message} {error.hint}"


async def test_a_region_with_a_line_break_is_reported_as_such(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", f"{REGION}\r")
    with pytest.raises(PlanError, match="line break"):
        async with open_account(Account(), "source"):
            pass


# MFA -------------------------------------------------------------------------------------------

MFA = (
    f"[profile mfa]\nsource_profile = person\nrole_arn = {ROLE_ARN}\nmfa_serial = an-mfa-device\n"
    "[profile person]\naws_access_key_id = AKIAPERSON\naws_secret_access_key = of-a-person\n"
)


async def test_a_code_that_nobody_can_type_is_reported_as_such(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config(monkeypatch, tmp_path, MFA)
    monkeypatch.setattr(mfa, "_TERMINAL", str(tmp_path / "no-terminal"))
    error = await refused(Account(region=REGION, profile="mfa"))
    assert "MFA device an-mfa-device" in error.message
    assert "terminal" in (error.hint or "")


@pytest.mark.parametrize("role_arn", [None, ROLE_ARN])
async def test_a_code_is_asked_for_once_and_another_one_never_in_the_middle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, role_arn: str | None
) -> None:
    config(monkeypatch, tmp_path, MFA)
    asked: list[str] = []

    async def ask(question: str) -> str:
        asked.append(question)
        return "123456"

    monkeypatch.setattr("dynaferry.dynamodb.account.session.ask", ask)
    services = CredentialServices(lambda _: timedelta(minutes=5))
    async with running_endpoint() as sts:
        sts.otherwise = Decide(services.answer)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        account = Account(region=REGION, profile="mfa", role_arn=role_arn)
        async with open_account(account, "source") as session:
            assert "end in 5 minutes and cannot be renewed" in (session.end_in_words or "")
            current = await session.credentials.current()
            with pytest.raises(AccessDeniedError, match="asked for another code") as caught:
                await session.credentials.renew(current)
            assert "type a new code" in (caught.value.hint or "")
    assert len(asked) == 1
    assert asked[0].startswith(f"the source, profile mfa, {ROLE_ARN}: ")
    assert "MFA code for an-mfa-device" in asked[0]
    assert services.asked[0].form["TokenCode"] == "123456"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """A terminal: the end that a person has, and that of the program."""
    person, program = pty.openpty()
    monkeypatch.setattr(mfa, "_TERMINAL", os.ttyname(program))
    return person, program


def echoes(program: int) -> bool:
    return bool(termios.tcgetattr(program)[3] & termios.ECHO)


async def test_what_is_typed_is_not_shown(terminal: tuple[int, int]) -> None:
    person, program = terminal
    before = termios.tcgetattr(program)
    answers: list[str | None] = []

    async def ask() -> None:
        answers.append(await mfa.ask("MFA code for \x1b[2Jdevice: "))

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        question = await to_thread.run_sync(os.read, person, 1024)
        assert not echoes(program)
        os.write(person, b"123456\n")
    assert question == rb"MFA code for \x1b[2Jdevice: "
    assert answers == ["123456"]
    assert b"123456" not in await to_thread.run_sync(os.read, person, 1024)
    assert termios.tcgetattr(program) == before
    os.close(person)
    os.close(program)


async def test_a_question_that_is_cancelled_leaves_the_terminal_as_it_was(
    terminal: tuple[int, int],
) -> None:
    person, program = terminal
    before = termios.tcgetattr(program)
    async with anyio.create_task_group() as group:
        group.start_soon(mfa.ask, "MFA code: ")
        await to_thread.run_sync(os.read, person, 1024)
        group.cancel_scope.cancel()
    assert termios.tcgetattr(program) == before
    os.close(person)
    os.close(program)


# What newer AWS CLIs write ----------------------------------------------------------------------

LOGIN = f"region = {REGION}\nlogin_session = arn:aws:iam::111111111111:user/somebody\n"


@pytest.mark.parametrize(
    ("text", "account", "variables", "profile"),
    [
        (f"[profile dev]\n{LOGIN}", Account(profile="dev"), {}, "dev"),
        (f'[profile "my dev"]\n{LOGIN}', Account(profile="my dev"), {}, "'my dev'"),
        (f"[profile dev]\n{LOGIN}", Account(), {"AWS_PROFILE": "dev"}, "dev"),
        (f"[default]\n{LOGIN}", Account(), {}, "default"),
        (
            f"[profile ferry]\nregion = {REGION}\nrole_arn = {ROLE_ARN}\nsource_profile = dev\n"
            f"[profile dev]\n{LOGIN}",
            Account(profile="ferry"),
            {},
            "dev",
        ),
        (f"[profile dev]\n{LOGIN}", Account(profile="dev", role_arn=ROLE_ARN), {}, "dev"),
    ],
)
async def test_a_profile_that_logs_in_by_aws_login_is_reported_as_such_with_a_way_round(
    text: str,
    account: Account,
    variables: dict[str, str],
    profile: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    config(monkeypatch, tmp_path, text)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    error = await refused(account)
    assert "`aws login` (login_session), which is not known here" in error.message
    assert f"aws configure export-credentials --profile {profile} --format" in (error.hint or "")


async def test_a_profile_that_has_a_login_and_keys_is_used_by_its_keys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = "aws_access_key_id = AKIADEV\naws_secret_access_key = of-dev\n"
    config(monkeypatch, tmp_path, f"[profile dev]\n{LOGIN}{keys}")
    async with open_account(Account(profile="dev"), "source") as session:
        assert (await session.credentials.current()).access_key == "AKIADEV"


# Tokens that are not text ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "variable", ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]
)
async def test_a_file_with_a_token_that_is_not_text_is_named(
    variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config(monkeypatch, tmp_path, "")
    path = tmp_path / "token"
    path.write_bytes(b"\xff\xfe")
    monkeypatch.setenv(variable, str(path))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE_ARN)
    async with running_endpoint() as services:
        services.otherwise = Decide(CredentialServices().answer)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", services.url)
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{services.url}/container")
        error = await refused(Account(region=REGION))
    assert f"the file {path} with the token" in error.message
    assert "is not text" in error.message
    assert variable in (error.hint or "")


async def test_a_token_of_a_container_that_cannot_be_sent_is_reported_as_such(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = b"\xff\xfe"
    config(monkeypatch, tmp_path, "")
    async with running_endpoint() as services:
        services.otherwise = Decide(CredentialServices().answer)
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{services.url}/container")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", os.fsdecode(token))
        error = await refused(Account(region=REGION))
    assert "AWS_CONTAINER_AUTHORIZATION_TOKEN" in error.message
    assert os.fsdecode(token) not in f"{error.message}{error.hint}"
