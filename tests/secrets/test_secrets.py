"""Whole commands with marked secrets; then every byte that they wrote anywhere is searched.

Invariant 8: no secret is stored, logged or exported. The commands run as processes, each in a
directory, a home and a temporary directory of this test, so that nothing is written elsewhere.
"""

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest

from tests.worlds.credential_services import CredentialServices, numbered
from tests.worlds.endpoint import Answer, Behaviour, Decide, Request, refusal, running_endpoint
from tests.worlds.moto import REGION, MotoWorld
from tests.worlds.refusals import REFUSED

ACCESS_KEY = "AKIAMARKEDCALLER"
SECRET_KEY = "marked-secret-of-the-caller"
TOKEN = "marked-session-token-of-the-caller"
PROXY_PASSWORD = "marked-password-of-the-proxy"
SOURCE_EXTERNAL_ID = "marked-external-id-of-the-source"
TARGET_EXTERNAL_ID = "marked-external-id-of-the-target"
ITEMS = 3000
ROOT = Path(__file__).parents[2]


@dataclass
class Finished:
    """A command that has ended."""

    code: int | None
    out: bytes
    err: bytes


@dataclass
class Place:
    """Where commands run, and all that they said."""

    path: Path
    dynamodb: str
    sts: str
    services: CredentialServices
    said: list[bytes] = field(default_factory=list)

    async def run(
        self, *arguments: str, fault: str = "none", env: Mapping[str, str] | None = None
    ) -> Finished:
        """Runs one command line."""
        work = self.path / "work"
        for directory in (work, self.path / "home", self.path / "tmp"):
            directory.mkdir(exist_ok=True)
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.secrets.child", fault, *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=work,
            env=self._environment() | dict(env or {}),
        )
        listed = Path(f"/proc/{child.pid}/cmdline")  # what `ps` shows to everybody
        self.said.append(listed.read_bytes() if listed.exists() else b"")
        out, err = await child.communicate()
        self.said += [out, err]
        return Finished(child.returncode, out, err)

    def copy(self, *more: str) -> list[str]:
        """The command line of a copy under a role on both sides."""
        role = "arn:aws:iam::222222222222:role"
        return [
            *("copy", "orders", "copied", "--sts-endpoint-url", self.sts, "--segments", "8"),
            *("--source-role-arn", f"{role}/source", "--target-role-arn", f"{role}/target"),
            *("--source-endpoint-url", self.dynamodb, "--target-endpoint-url", self.dynamodb),
            *("--progress", "plain", "--json", "--patience", "3", *more),
        ]

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.path / "home"),
            "TMPDIR": str(self.path / "tmp"),
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_SESSION_TOKEN": TOKEN,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "DYNAFERRY_SOURCE_EXTERNAL_ID": SOURCE_EXTERNAL_ID,
            "DYNAFERRY_TARGET_EXTERNAL_ID": TARGET_EXTERNAL_ID,
        }

    def secrets(self) -> set[str]:
        """All there are: the caller's, and those of every role session that was given."""
        given = (numbered(n + 1) for n in range(self.services.given))
        return {
            *(ACCESS_KEY, SECRET_KEY, TOKEN, SOURCE_EXTERNAL_ID, TARGET_EXTERNAL_ID),
            PROXY_PASSWORD,
            *(part for credentials in given for part in credentials if part),
        }

    def leaks(self) -> list[tuple[str, str]]:
        """Each secret that was written anywhere, and where."""
        written = {f"output {n}": content for n, content in enumerate(self.said)}
        for path in self.path.rglob("*"):
            if path.is_file():
                written[path.name] = path.read_bytes()
        return [
            (secret, place)
            for place, content in written.items()
            for secret in self.secrets()
            if any(form in content for form in _forms(secret))
        ]


def _forms(secret: str) -> Sequence[bytes]:
    """How a secret may be written: as it is, in a URL, in base64 at any offset, as UTF-16."""
    plain = secret.encode()
    encoded = [base64.b64encode(b"x" * shift + plain)[4:-4] for shift in range(3)]
    return [plain, quote(secret).encode(), secret.encode("utf-16-le"), *encoded]


@pytest.fixture
async def place(moto_world: MotoWorld, tmp_path: Path) -> AsyncIterator[Place]:
    """Two tables of one account, and an STS that gives marked sessions for any role."""
    tables = moto_world.source_tables
    await tables.create_table("orders")
    await tables.put_items(
        "orders",
        [{"pk": {"S": f"k{n}"}, "note": {"S": REFUSED if n < 3 else ""}} for n in range(ITEMS)],
    )
    await tables.create_table("copied")
    services = CredentialServices()
    async with _sts(services) as url:
        yield Place(tmp_path, moto_world.url, url, services)


@asynccontextmanager
async def _sts(services: CredentialServices) -> AsyncIterator[str]:
    async with running_endpoint() as sts:
        sts.otherwise = Decide(services.answer)
        yield sts.url


async def test_success_rejections_dead_letters_and_status_show_no_secret(place: Place) -> None:
    assert (await place.run(*place.copy("--dry-run"))).code == 0
    metrics = ("--metrics-textfile", "metrics.prom")
    rejected = await place.run(*place.copy(*metrics), fault="refusals")
    assert (rejected.code, json.loads(rejected.out)["status"]) == (4, "rejected")
    assert (await place.run("status", "--json")).code == 0
    assert (await place.run("dead-letters", "list", "--json")).code == 0
    assert (await place.run("dead-letters", "export", "-o", "letters.jsonl")).code == 0
    assert (await place.run("dead-letters", "replay", "--json", fault="refusals")).code == 4
    assert (await place.run("dead-letters", "replay", "--json")).code == 0
    assert (await place.run(*place.copy("--restart", "--allow-non-empty-target"))).code == 0
    assert place.services.given >= 8
    assert (place.path / "work" / "letters.jsonl").stat().st_size > 0
    assert (place.path / "work" / "debug.log").exists()
    assert b"dynaferry_items_written_total" in (place.path / "work" / "metrics.prom").read_bytes()
    assert place.leaks() == []


@pytest.mark.parametrize("traceback", ["", "1"])
async def test_a_bug_shows_no_secret_also_in_its_traceback(place: Place, traceback: str) -> None:
    broken = await place.run(*place.copy(), fault="bug", env={"DYNAFERRY_TRACEBACK": traceback})
    assert broken.code == 5
    assert b"internal error" in broken.err
    assert (b"Traceback" in broken.err) == bool(traceback)
    assert place.services.given > 0
    assert place.leaks() == []


async def test_a_crash_leaves_no_secret_in_the_state_and_its_log(place: Place) -> None:
    killed = await place.run(*place.copy(), fault="kill")
    assert killed.code == -9
    state = place.path / "work" / ".dynaferry"
    assert {path.suffix for path in state.iterdir()} >= {".sqlite", ".sqlite-wal", ".lock"}
    assert place.leaks() == []


REFUSALS = {
    "AccessDenied": refusal("AccessDeniedException", "User is not authorized to perform: x:y"),
    "ExpiredToken": refusal("ExpiredTokenException", "The security token is expired"),
    "InvalidSignature": refusal("InvalidSignatureException", "The signature does not match"),
}


@pytest.mark.parametrize("answer", REFUSALS.values(), ids=REFUSALS.keys())
@pytest.mark.parametrize("traceback", ["", "1"])
async def test_a_service_that_refuses_makes_nobody_show_a_secret(
    place: Place, answer: Behaviour, traceback: str
) -> None:
    async with running_endpoint() as dynamodb:
        dynamodb.otherwise = answer
        place.dynamodb = dynamodb.url
        failed = await place.run(*place.copy(), env={"DYNAFERRY_TRACEBACK": traceback})
    assert failed.code == 3
    assert json.loads(failed.out)["error"] is not None
    assert place.services.given > 0
    assert place.leaks() == []


@pytest.mark.parametrize("traceback", ["", "1"])
@pytest.mark.parametrize("as_xml", [True, False])
async def test_an_sts_that_repeats_what_it_was_sent_makes_nobody_show_a_secret(
    place: Place, traceback: str, as_xml: bool
) -> None:
    """STS words a value that it refuses; a proxy may show all of a request on its page."""

    def echo(request: Request) -> Behaviour:
        words = f"Value '{request.form['ExternalId']}' at 'externalId'; {_all_of(request)}"
        error = f"<Error><Code>ValidationError</Code><Message>{words}</Message></Error>"
        body = f"<ErrorResponse>{error}</ErrorResponse>" if as_xml else f"<html>{words}"
        return Answer(body=body.encode(), status=400, checksum="none")

    async with running_endpoint() as sts:
        sts.otherwise = Decide(echo)
        place.sts = sts.url
        failed = await place.run(*place.copy(), env={"DYNAFERRY_TRACEBACK": traceback})
        assert sts.requests
    assert failed.code in (3, 5)
    assert json.loads(failed.out)["error"] is not None
    assert place.leaks() == []


@pytest.mark.parametrize("traceback", ["", "1"])
@pytest.mark.parametrize("operation", ["DescribeTable", "Scan", "BatchWriteItem"])
async def test_a_service_that_repeats_the_signed_request_makes_nobody_show_a_secret(
    place: Place, traceback: str, operation: str
) -> None:
    """As for a signature that does not match: with the session token in it."""
    moto = place.dynamodb

    async def echo(request: Request) -> Behaviour:
        if request.operation == operation:
            words = f"The Canonical String should have been '{_all_of(request)}'"
            return refusal("InvalidSignatureException", words)
        return await _passed_on(request, moto)

    async with running_endpoint() as dynamodb:
        dynamodb.otherwise = Decide(echo)
        place.dynamodb = dynamodb.url
        failed = await place.run(*place.copy(), env={"DYNAFERRY_TRACEBACK": traceback})
    assert failed.code in (3, 5)
    assert b"The Canonical String" in failed.err
    assert place.leaks() == []


def _all_of(request: Request) -> str:
    return f"{dict(request.headers)} {request.body.decode()}"


async def _passed_on(request: Request, url: str) -> Behaviour:
    """What the service at `url` answers."""
    headers = {k: v for k, v in request.headers.items() if k not in ("host", "content-length")}
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, data=request.body, headers=headers) as response,
    ):
        return Answer(body=await response.read(), status=response.status)


@pytest.mark.parametrize(
    "proxy", [f"u:{PROXY_PASSWORD}@127.0.0.1:99999", f"u:{PROXY_PASSWORD}@127.0.0.1:9", "u:{}@[::1"]
)
async def test_a_proxy_that_is_not_reached_or_cannot_be_read_shows_no_password(
    place: Place, proxy: str
) -> None:
    address = f"http://{proxy.format(PROXY_PASSWORD)}"
    env = {"HTTP_PROXY": address, "http_proxy": address, "DYNAFERRY_TRACEBACK": "1"}
    failed = await place.run(*place.copy("--patience", "1"), env=env)
    assert failed.code in (2, 3, 5)
    assert b"proxy" in failed.err
    assert place.leaks() == []


async def test_a_command_line_that_is_wrong_shows_no_secret(place: Place) -> None:
    (place.path / "work").mkdir()
    typed = ["copy", "orders", "copied", "--target-region", "nowhere at all", "--json"]
    assert (await place.run(*typed)).code == 2
    assert (await place.run(*typed, "--no-such-flag")).code == 2
    assert (await place.run(*typed, "--readers", "x")).code == 2
    plan = place.path / "work" / "plan.toml"
    plan.write_text(
        f'[target]\nexternal_id = ["{TARGET_EXTERNAL_ID}"]\n[[tables]]\nsource = "orders"\n'
        'target = "copied"\n'
    )
    assert (await place.run("copy", "--plan", "plan.toml", "--json")).code == 2
    plan.unlink()
    assert place.leaks() == []


async def test_the_search_finds_what_is_written(place: Place) -> None:
    (place.path / "a").write_bytes(b"..." + base64.b64encode(b"id=" + TARGET_EXTERNAL_ID.encode()))
    (place.path / "b").write_bytes(SECRET_KEY.encode("utf-16-le"))
    place.said.append(f"token {TOKEN}".encode())
    assert {secret for secret, _ in place.leaks()} == {TARGET_EXTERNAL_ID, SECRET_KEY, TOKEN}
