"""One side of a copy without AWS: credentials in the order a test gives, and a session of them."""

import asyncio
from dataclasses import dataclass, field

from dynaferry.dynamodb.account.session import AccountSession, Credentials, CredentialSource, Side
from dynaferry.dynamodb.failures.service_errors import from_client_error
from dynaferry.errors import DynaferryError

REGION = "eu-central-1"
ROLE = "role arn:aws:iam::222222222222:role/ferry"


@dataclass(slots=True)
class FixedCredentials:
    """What botocore would hold: credentials that do not change by themselves."""

    credentials: Credentials

    async def get_frozen_credentials(self) -> Credentials:
        return self.credentials


@dataclass(slots=True)
class CredentialsInTurn:
    """Resolves to the next credentials each time, and to the last ones for ever."""

    turns: list[Credentials]
    resolved: int = field(default=0)

    async def resolve(self) -> FixedCredentials:
        turn = self.turns[min(self.resolved, len(self.turns) - 1)]
        self.resolved += 1
        return FixedCredentials(turn)


async def renewed(source: CredentialSource) -> Credentials:
    """The credentials after a look at them that goes on beside requests, where one is due."""
    await source.current()
    if source._refreshing is not None:
        await asyncio.wait([source._refreshing])
    return await source.current()


def made_up_credentials(number: int = 1) -> Credentials:
    """Credentials that differ by their number."""
    return Credentials(f"AKIAMADEUP{number}", f"secret-of-{number}", f"token-of-{number}")


def session_of(
    credentials: CredentialsInTurn | None = None,
    *,
    side: Side = "source",
    ca_bundle: str | None = None,
) -> AccountSession:
    """A session as `open_account` makes it, but for the control plane, which is not there."""

    def to_error(error: Exception) -> DynaferryError:
        return from_client_error(
            error, operation="AssumeRole", table=None, side=side, acting_as=ROLE
        )

    turns = credentials or CredentialsInTurn([made_up_credentials()])
    return AccountSession(
        side=side,
        region=REGION,
        acting_as=ROLE,
        client=None,
        credentials=CredentialSource(turns.resolve, to_error),
        ca_bundle=ca_bundle,
    )
