"""The credentials of one side as they are now, and when new ones are asked for."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, NamedTuple

from aiobotocore.credentials import AioCredentials

from dynaferry.dynamodb.account.credential_errors import CREDENTIAL_ERRORS
from dynaferry.dynamodb.account.redaction import Redactor
from dynaferry.dynamodb.environment.service_clock import ServiceClock
from dynaferry.errors import DynaferryError, UnavailableError

# botocore renews credentials whenever it is asked, from 15 minutes ahead of their end on: so it is
# not asked with every request.
CREDENTIALS_REFRESH_SECONDS = 60.0
LEAST_CREDENTIALS_REFRESH_SECONDS = 1.0  # of those that end sooner
# Who gives credentials and has just failed is not asked again at once by everybody who waits.
FAILED_SECONDS = 5.0
# How long a request waits for a renewal of what has ended, before the retry layer hears of it.
CREDENTIALS_WAIT_SECONDS = 20.0

_log = logging.getLogger(__name__)


class Credentials(NamedTuple):
    """Credentials as they are at one moment."""

    access_key: str
    secret_key: str
    token: str | None

    def __repr__(self) -> str:
        """Never the credentials themselves (invariant 8)."""
        return "Credentials(…)"


class CredentialSource:
    """The current credentials of one side, and the way to new ones.

    Requests are signed with what is known for as long as it is good; renewing it goes on beside
    them, once a minute at most, and a renewal that fails meanwhile is a warning. Only where nothing
    is good, or the service refused what is known, does anybody wait.
    """

    def __init__(
        self,
        resolve: Callable[[], Awaitable[Any]],
        to_error: Callable[[Exception], DynaferryError],
        secrets: Redactor | None = None,
        *,
        whose: str = "a side",
        clock: Callable[[], float] = time.monotonic,
        service_clock: ServiceClock | None = None,
    ) -> None:
        self._resolve = resolve
        self._to_error = to_error
        self.secrets = secrets or Redactor()
        self._whose = whose
        self._clock = clock
        self._service_clock = service_clock or ServiceClock()
        self._frozen: Any = None
        self._current = Credentials("", "", None)
        self._refresh_at = -math.inf
        self._good_until = -math.inf
        self._refreshing: asyncio.Task[None] | None = None
        self._refused: Credentials | None = None
        self._failure: tuple[float, DynaferryError] | None = None
        self.botocore_credentials: Any = None

    async def current(self) -> Credentials:
        """Credentials that are good now; renewed before they end.

        :raises AccessDeniedError: there are none, or the role may not be assumed
        :raises UnavailableError: STS did not respond
        :raises CorruptAnswerError: something else than STS responded
        """
        now = self._clock()
        if now < self._refresh_at:
            return self._current
        if now < self._good_until:
            self._refresh_at = self._next_refresh(now)
            self._refresh()
            return self._current
        await self._refresh_and_wait(now)
        return self._current

    async def frozen(self) -> Any:
        """The same, in the form of botocore."""
        await self.current()
        return self._frozen

    def seconds_left(self, now: datetime) -> float | None:
        """How long the credentials of this moment last; None where they have no end.

        Those that can be are renewed 15 to 10 minutes ahead, so less than that tells of trouble.
        Asking renews nothing.
        """
        # botocore has no public word for it.
        end: datetime | None = getattr(self.botocore_credentials, "_expiry_time", None)
        return None if end is None else (end - now).total_seconds()

    async def renew(self, refused: Credentials) -> None:
        """Resolves anew, unless another request has already done so since `refused`."""
        if await self.current() == refused:
            await self._refresh_and_wait(self._clock(), refused)

    def forget(self) -> None:
        """Begins anew: nothing is found yet, and nothing has failed."""
        self.botocore_credentials = self._failure = None

    async def aclose(self) -> None:
        """Ends a renewal that is under way."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.wait([self._refreshing])

    # Looking for new ones -----------------------------------------------------------------------

    async def _refresh_and_wait(self, now: float, refused: Credentials | None = None) -> None:
        if self._failure is not None and now < self._failure[0]:
            raise self._failure[1].with_traceback(None)
        refresh = self._refresh(refused)
        # It goes on for the others where one of those who wait for it is cancelled.
        if self._frozen is None:
            await asyncio.shield(refresh)
            return
        await asyncio.wait([refresh], timeout=CREDENTIALS_WAIT_SECONDS)
        if not refresh.done():
            error = UnavailableError(f"{self._whose}'s credentials were not renewed in time")
            error.took_seconds = CREDENTIALS_WAIT_SECONDS
            raise error
        refresh.result()

    def _refresh(self, refused: Credentials | None = None) -> "asyncio.Task[None]":
        """One look at a time, for everybody; another one only for what was refused meanwhile."""
        before = self._refreshing
        if before is None or (refused is not None and self._refused != refused):
            self._refused = refused
            self._refreshing = asyncio.create_task(self._refresh_once(before, refused))
            self._refreshing.add_done_callback(self._on_refreshed)
            return self._refreshing
        return before

    async def _refresh_once(
        self, before: "asyncio.Task[None] | None", refused: Credentials | None
    ) -> None:
        if before is not None:
            await asyncio.wait([before])
            if self._current != refused:
                return
        try:
            if refused is not None or self.botocore_credentials is None:
                self.botocore_credentials = await self._resolve()
                self._service_clock.measure(self.botocore_credentials)
            frozen = await self.botocore_credentials.get_frozen_credentials()
        except CREDENTIAL_ERRORS as error:
            raise self._to_error(error) from error
        self._take(frozen, self._clock(), self.seconds_left(self._service_clock.now()))

    def _take(self, frozen: Any, now: float, left_seconds: float | None) -> None:
        self._failure = None
        self._frozen = frozen
        self._current = Credentials(frozen.access_key, frozen.secret_key, frozen.token)
        self.secrets.note(self._current)
        self._good_until = now + (math.inf if left_seconds is None else left_seconds)
        self._refresh_at = self._next_refresh(now)

    def _next_refresh(self, now: float) -> float:
        """In a minute, or in the middle of what is left where that is sooner."""
        soon = max(LEAST_CREDENTIALS_REFRESH_SECONDS, (self._good_until - now) / 2)
        return min(self._good_until, now + min(CREDENTIALS_REFRESH_SECONDS, soon))

    def _on_refreshed(self, refresh: "asyncio.Task[None]") -> None:
        if refresh is self._refreshing:
            self._refreshing = None
        error = None if refresh.cancelled() else refresh.exception()
        if error is None:
            return
        now = self._clock()
        if isinstance(error, DynaferryError):
            self._failure = (now + FAILED_SECONDS, error)
        if now < self._good_until < math.inf:
            minutes = (self._good_until - now) / 60
            _log.warning(
                f"{self._whose}'s credentials could not be renewed; those known are good for "
                f"{minutes:.1f} minutes more: {error}"
            )


class SharedCredentials(AioCredentials):  # type: ignore[misc]  # botocore comes without types
    """What a botocore client asks for credentials: always those of the source, renewed or not."""

    def __init__(self, source: CredentialSource) -> None:
        super().__init__("asked", "for", "each time", method="dynaferry")
        self._source = source

    async def get_frozen_credentials(self) -> Any:
        return await self._source.frozen()

    async def get_account_id(self) -> str | None:
        account_id: str | None = (await self.get_frozen_credentials()).account_id
        return account_id
