"""A copy that takes many hours, on a clock that is put ahead with every request."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dynaferry import CopyPlan, copy_table
from dynaferry.dynamodb.account.session import Credentials
from dynaferry.dynamodb.http.connection import SignedHeaders
from dynaferry.dynamodb.signing import Signer
from dynaferry.plan.settings import Account, TablePlan
from tests.worlds.credential_services import CredentialServices, FastClock
from tests.worlds.endpoint import Decide, running_endpoint
from tests.worlds.moto import REGION, MotoWorld

SEGMENTS = 160
# Few beside an hour: a request may wait for another's answer between its credentials and its
# signature, and time goes on only with requests here.
MINUTES_A_REQUEST = 2.5


def record_signatures(patch: pytest.MonkeyPatch, clock: FastClock) -> list[tuple[str, datetime]]:
    """With which key each request of the data path was signed, and when."""
    signed: list[tuple[str, datetime]] = []
    sign = Signer.sign

    def recording(
        self: Signer, operation: str, body: bytes, credentials: Credentials, now: float
    ) -> SignedHeaders:
        signed.append((credentials.access_key, clock.now()))
        clock.ahead += timedelta(minutes=MINUTES_A_REQUEST)
        return sign(self, operation, body, credentials, now)

    patch.setattr(Signer, "sign", recording)
    return signed


async def test_no_request_of_a_run_of_many_hours_is_signed_with_a_session_that_has_ended(
    moto_world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = moto_world.source_tables  # moto takes keys that it does not know for this account's
    await tables.create_table("orders")
    await tables.put_items("orders", [{"pk": {"S": f"k{n}"}} for n in range(3 * SEGMENTS)])
    await tables.create_table("copied")
    clock = FastClock.put_in(monkeypatch)
    signed = record_signatures(monkeypatch, clock)
    services = CredentialServices()
    services.now = clock.now

    def side(name: str) -> Account:
        role_arn = f"arn:aws:iam::222222222222:role/{name}"
        return Account(region=REGION, role_arn=role_arn, endpoint_url=moto_world.url)

    async with running_endpoint() as sts:
        sts.otherwise = Decide(services.answer)
        summary = await copy_table(
            CopyPlan(
                tables=(TablePlan("orders", "copied"),),
                source=side("source"),
                target=side("target"),
                sts_endpoint_url=sts.url,
                state_dir=tmp_path,
                segments=SEGMENTS,
                readers=1,
                writers=1,
            )
        )
    assert summary.status == "complete"
    assert await tables.read_table("copied") == await tables.read_table("orders")
    assert all(when < services.ends[key] for key, when in signed)
    hours = len(signed) * MINUTES_A_REQUEST / 60
    assert hours > 10
    # Renewed 15 minutes ahead of the end, for two sides: not once a request.
    assert hours - 1 < services.given < 2 * (hours / 0.5)
