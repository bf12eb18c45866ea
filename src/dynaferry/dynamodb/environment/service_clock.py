"""What time it is for the service, learnt from its own Date where it refuses a signature for it.

botocore signs with this machine's clock and stops where that is wrong. So all its clients have a
clock of ours: what one has learnt the others sign with, the data path begins with it, and how long
credentials last is measured by it as well.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from dynaferry.dynamodb.error_causes import REFUSED_SIGNATURES

# The service accepts five minutes [facts sheet, section 4]; a smaller offset is not the cause.
TOLERANCE_SECONDS: Final = 60.0
_STAMP: Final = "%Y%m%dT%H%M%SZ"


class ServiceClock:
    """The service's time, as far as it is known: `offset_seconds` ahead of this machine's."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.offset_seconds = 0.0

    def copy(self) -> "ServiceClock":
        """One that begins with what is known, for an endpoint that may have another time."""
        other = ServiceClock(self.clock)
        other.offset_seconds = self.offset_seconds
        return other

    def now(self) -> datetime:
        """The time, for what botocore measures."""
        return datetime.fromtimestamp(self.clock() + self.offset_seconds, UTC)

    def learn(self, date: str, signed_with_seconds: float) -> bool:
        """Takes the service's Date over; False where the clock is not the cause of a refusal.

        It is the cause if the request was signed with another offset: what is known by now may
        have been learnt by a request that was refused at the same time.
        """
        try:
            service_time = parsedate_to_datetime(date).timestamp()
        except ValueError:
            return False
        offset = service_time - self.clock()
        if abs(offset - signed_with_seconds) < TOLERANCE_SECONDS:
            return False
        self.offset_seconds = offset
        return True

    def keep(self, botocore_session: Any) -> None:
        """Lets all clients of the session sign by this clock, and learn it."""
        botocore_session.register("before-sign", self._sign_by_it, unique_id="service-clock-sign")
        botocore_session.register("needs-retry", self._try_again, unique_id="service-clock-retry")

    def measure(self, botocore_credentials: Any) -> None:
        """Lets credentials that end be measured by this clock."""
        found = getattr(botocore_credentials, "_found", botocore_credentials)
        if hasattr(found, "_time_fetcher"):  # botocore has no public word for it
            found._time_fetcher = self.now

    def _sign_by_it(self, request_signer: Any, **_: Any) -> None:
        if getattr(request_signer.get_auth_instance, "__func__", None) is None:
            return  # it does already
        find = request_signer.get_auth_instance

        async def find_and_set(*arguments: Any, **named: Any) -> Any:
            auth = await find(*arguments, **named)
            self._set(auth)
            return auth

        request_signer.get_auth_instance = find_and_set

    def _set(self, auth: Any) -> None:
        """The moment is put into the request's context first, and everything else is made of it."""
        go_on = getattr(auth, "_modify_request_before_signing", None)
        if go_on is None or not self.offset_seconds:
            return

        def set_first(request: Any) -> None:
            request.context["timestamp"] = self.now().strftime(_STAMP)
            go_on(request)

        auth._modify_request_before_signing = set_first

    def _try_again(self, response: Any, request_dict: Any, **_: Any) -> float | None:
        """At once, with the right time; None where that is not what is wrong."""
        parsed = response[1] if response is not None else {}
        if parsed.get("Error", {}).get("Code") not in REFUSED_SIGNATURES:
            return None
        date = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
        stamp = request_dict.get("context", {}).get("timestamp", "")
        try:
            signed_at = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC).timestamp()
        except ValueError:
            return None
        return 0.0 if self.learn(date, signed_at - self.clock()) else None
