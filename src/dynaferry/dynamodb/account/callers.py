"""A side's own credentials: found as botocore finds them, and told about in words of ours."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from aiobotocore.credentials import AioCredentials
from botocore.exceptions import NoCredentialsError

from dynaferry.dynamodb.account.credential_errors import (
    CREDENTIAL_ERRORS,
    Origin,
    from_credentials_error,
)
from dynaferry.dynamodb.account.mfa import Prompter
from dynaferry.dynamodb.account.redaction import Redactor
from dynaferry.dynamodb.environment.characters import check_credentials


class CallersCredentials(AioCredentials):  # type: ignore[misc]  # botocore comes without types
    """What the side's own credentials are found to be; secret too where a role is assumed on top.

    What is wrong with them is told here, so that it is not told of the role.
    """

    def __init__(self, found: Any, secrets: Redactor, origin: Origin) -> None:
        super().__init__("asked", "for", "each time", method=found.method)
        self._found = found
        self._secrets = secrets
        self._origin = origin

    @property
    def _expiry_time(self) -> datetime | None:
        return getattr(self._found, "_expiry_time", None)

    def end_in_words(self, now: datetime, prompter: Prompter) -> str | None:
        """When they end, where nothing renews them; None where something does, or they last."""
        if self._expiry_time is None:
            return None
        if prompter.has_given:
            why = "without another code of the MFA device"
        elif self.method == "env":
            why = "since the environment stays as it is"
        else:
            return None
        minutes = max(0.0, (self._expiry_time - now).total_seconds() / 60)
        return (
            f"the {self._origin.side}'s credentials ({self._origin.who}) end in {minutes:,.0f}"
            f" minutes and cannot be renewed {why}: what is not done by then stops, and the same"
            " command resumes"
        )

    async def get_frozen_credentials(self) -> Any:
        try:
            frozen = await self._found.get_frozen_credentials()
        except CREDENTIAL_ERRORS as error:
            self._secrets.hide_in_error(error)
            raise from_credentials_error(error, self._origin) from error
        self._secrets.note((frozen.access_key, frozen.secret_key, frozen.token))
        parts = {
            "the access key": frozen.access_key,
            "the secret access key": frozen.secret_key,
            "the session token": frozen.token,
        }
        check_credentials(parts, side=self._origin.side, who=self._origin.who)
        return frozen


async def load_callers(
    new_session: Callable[[], Any], secrets: Redactor, origin: Origin, prompter: Prompter
) -> CallersCredentials:
    """The side's own credentials, from scratch.

    A session of its own each time: a session caches the roles of its profile, and would give again
    what was just refused.

    :raises DynaferryError: there are none, or they cannot be had
    """
    resolver = new_session().get_component("credential_provider")
    resolver.get_provider("assume-role")._prompter = prompter
    try:
        found = await resolver.load_credentials()
        if found is None:
            raise NoCredentialsError
    except CREDENTIAL_ERRORS as error:
        secrets.hide_in_error(error)
        raise from_credentials_error(error, origin) from error
    return CallersCredentials(found, secrets, origin)
