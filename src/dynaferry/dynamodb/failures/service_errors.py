"""Turns responses of the service (or the network) into errors.py: the one place that knows codes.

Match the code before the HTTP status: authentication errors are 400 on one page of the service's
documentation and 403 on another. A status counts where no code of the service's came with it.
Sources: [DG:Programming.Errors], [M:ThrottlingReason].
"""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError, SSLError
from botocore.parsers import ResponseParserError
from msgspec import Raw, Struct

from dynaferry.dynamodb.environment.proxies import unreadable_proxy
from dynaferry.dynamodb.error_causes import REFUSALS, Refusal, hint_for
from dynaferry.dynamodb.failures.call_site import CallSite
from dynaferry.dynamodb.failures.network_errors import (
    PROXY_HINT,
    SOMEBODY_ELSE_HINT,
    WANTS_PASSWORD,
    address_hint,
    from_network_error,
    from_proxy,
)
from dynaferry.dynamodb.failures.stream_errors import error_in_stream
from dynaferry.dynamodb.failures.tls_errors import tls_fault, why_not_connected
from dynaferry.errors import (
    AccessDeniedError,
    ConditionFailedError,
    CorruptAnswerError,
    DynaferryError,
    ItemRefusedError,
    RequestRefusedError,
    TableNotFoundError,
    ThrottledError,
    UnavailableError,
)

# What reading a response raises, in botocore as here, where another kind of response came.
RESPONSE_ERRORS: Final = (ResponseParserError, AttributeError, KeyError, TypeError, ValueError)
# What comes of a call that botocore makes.
CALL_ERRORS: Final = (BotoCoreError, ClientError, *RESPONSE_ERRORS)

# What SDKs try again is tried again here: botocore's lists, which a test compares, and more.
_THROTTLES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_ITEM_REFUSALS = frozenset(
    {
        "ItemCollectionSizeLimitExceededException",
        "RequestEntityTooLargeException",
        "SerializationException",
        "ValidationException",
        "ValidationError",
    }
)
_WRITES_OF_ITEMS = frozenset({"BatchWriteItem", "PutItem"})
_CONDITIONAL_WRITES = frozenset({"PutItem", "DeleteItem"})
_PASSING = frozenset(
    {
        "IDPCommunicationError",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServerErrorException",
        "PriorRequestNotComplete",
        "ReplicatedWriteConflictException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
_NO_TABLE = frozenset(
    {"GlobalTableNotFoundException", "ResourceNotFoundException", "TableNotFoundException"}
)
_CONDITION = "ConditionalCheckFailedException"
_KNOWN = _THROTTLES | REFUSALS | _ITEM_REFUSALS | _PASSING | _NO_TABLE | {_CONDITION}
# Of somebody between who gives no code of the service's: too late, sent to another, too early, and
# what balancers note when they gave up on it themselves.
_PASSING_STATUSES = frozenset({408, 421, 425, 499})
_THROTTLING_STATUS = 429


class ServiceError(Struct, frozen=True, kw_only=True):
    """An error as the service words it."""

    code: str
    message: str
    reasons: tuple[tuple[str, str], ...] = ()
    item: bytes | None = None


class _WireReason(Struct, frozen=True):
    reason: str = ""
    resource: str = ""


class _ErrorBody(Struct, frozen=True):
    type: str = msgspec.field(name="__type", default="")
    message: str = ""
    capital_message: str = msgspec.field(name="Message", default="")
    # The spelling depends on the exception [M]: both are read.
    reasons: tuple[_WireReason, ...] = msgspec.field(name="throttlingReasons", default=())
    capital_reasons: tuple[_WireReason, ...] = msgspec.field(name="ThrottlingReasons", default=())
    # Of a condition that did not hold, with ReturnValuesOnConditionCheckFailure [M:PutItem].
    item: Raw = msgspec.field(name="Item", default=Raw())


class _ErrorType(Struct, frozen=True):
    type: str = msgspec.field(name="__type", default="")


_decode_error = msgspec.json.Decoder(_ErrorBody).decode
_decode_error_type = msgspec.json.Decoder(_ErrorType).decode


def _read_error(body: bytes) -> _ErrorBody:
    """What can be read of the body: a field that is not as modelled does not hide the code."""
    unreadable = (msgspec.MsgspecError, UnicodeDecodeError)
    try:
        return _decode_error(body)
    except unreadable:
        try:
            return _ErrorBody(type=_decode_error_type(body).type)
        except unreadable:
            return _ErrorBody()


_MARKUP = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_MOST_WORDS = 200  # characters of a page
# The service's own words are told whole: why a request was refused stands at their end. This is
# ten times the longest that is known.
_MOST_OF_A_MESSAGE = 10_000


def in_one_line(text: str) -> str:
    """What anybody on the way may respond (a proxy's page, say), without markup and not long."""
    return _shortened(_MARKUP.sub(" ", text), _MOST_WORDS)


def _shortened(text: str, most: int) -> str:
    words = " ".join(text.split())
    return words if len(words) <= most else f"{words[: most - 1]}…"


def decode_error(
    status: int, body: bytes, hide: Callable[[str], str] = lambda text: text
) -> ServiceError:
    """Reads the body of a response that is not 200, whatever stands in it.

    `hide` takes secrets out of words, once it is understood what they are, and before any is cut.
    """
    error = _read_error(body)
    code = error.type.rpartition("#")[2]
    if not code:
        code = "RequestEntityTooLargeException" if status == 413 else f"HTTP {status}"
    return ServiceError(
        code=code if code in _KNOWN else hide(code),
        message=_shortened(hide(error.message or error.capital_message), _MOST_OF_A_MESSAGE)
        or _words_of(body, hide)
        or "(no message)",
        reasons=tuple((r.reason, r.resource) for r in (*error.reasons, *error.capital_reasons)),
        item=bytes(error.item) or None,
    )


def _words_of(body: bytes, hide: Callable[[str], str]) -> str:
    """A body in one line, where it is not JSON, so that no field of it is a message."""
    try:
        msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return in_one_line(hide(body.decode("utf-8", "replace")))
    return ""


def from_service_error(
    service_error: ServiceError, *, status: int, operation: str, site: CallSite
) -> DynaferryError:
    """The error for the service's response to `operation`."""
    where = site.where(operation)
    words = f"{where}: {service_error.code}: {service_error.message}"
    is_denial = service_error.code in REFUSALS
    if status == WANTS_PASSWORD and not is_denial:
        return from_proxy(status, service_error.message, operation=operation, site=site)
    if service_error.code in _THROTTLES or (status == _THROTTLING_STATUS and not is_denial):
        code, reasons = service_error.code, service_error.reasons
        return ThrottledError(
            words, code=code, reasons=reasons, operation=operation, table=site.table
        )
    passes_by_status = status >= 500 or status in _PASSING_STATUSES
    if (kind := error_in_stream(operation, service_error.code)) is not None:
        return kind(words, operation=operation, table=site.table)
    if service_error.code in _PASSING or (passes_by_status and not is_denial):
        return UnavailableError(words, operation=operation, table=site.table)
    if service_error.code == _CONDITION and operation in _CONDITIONAL_WRITES:
        return ConditionFailedError(
            words, item=service_error.item, operation=operation, table=site.table
        )
    if service_error.code in _ITEM_REFUSALS and operation in _WRITES_OF_ITEMS:
        return ItemRefusedError(
            service_error.message, code=service_error.code, operation=operation, table=site.table
        )
    if service_error.code in _NO_TABLE:
        return TableNotFoundError(
            f"{where}: there is no such table ({service_error.message})",
            hint=f"check the table's name, the region and the account ({site.acting_as})",
            operation=operation,
            table=site.table,
        )
    if is_denial:
        return _denied(service_error, operation, where, site)
    hint = SOMEBODY_ELSE_HINT if is_page(service_error.code) else None
    return RequestRefusedError(words, hint=hint, operation=operation, table=site.table)


def is_page(code: str) -> bool:
    """Whether this is no code of the service's, but stands for a response's bare status."""
    return code.startswith("HTTP ") or code.isdigit()


def _denied(
    service_error: ServiceError, operation: str, where: str, site: CallSite
) -> AccessDeniedError:
    refusal = Refusal(
        code=service_error.code,
        message=service_error.message,
        operation=operation,
        who=site.signer(operation),
    )
    whom = "" if site.table is None else f" to {site.acting_as}"
    return AccessDeniedError(
        f"{where} was refused{whom}: {service_error.code}: {service_error.message}",
        hint=hint_for(refusal),
        operation=operation,
        table=site.table,
    )


def from_client_error(
    error: Exception,
    *,
    operation: str,
    table: str | None,
    side: str,
    acting_as: str,
    caller: str | None = None,
) -> DynaferryError:
    """The error for what botocore raised from a control-plane call.

    `table` is None for what is done once for the whole side; `caller` is who asks for a role.
    """
    site = CallSite(table=table, side=side, acting_as=acting_as, caller=caller)
    if isinstance(error, ClientError):
        service_error, status = _read_client_error(error)
        return from_service_error(service_error, status=status, operation=operation, site=site)
    if isinstance(error, BotoCoreError):
        return _from_botocore(error, operation, site)
    if isinstance(error, RESPONSE_ERRORS):
        return _unreadable_response(error, operation, site)
    return from_network_error(error, operation=operation, site=site)


def _unreadable_response(error: Exception, operation: str, site: CallSite) -> CorruptAnswerError:
    """Somebody responded, in another way than the service does."""
    missing = f"{error} is missing" if isinstance(error, KeyError) else in_one_line(str(error))
    return CorruptAnswerError(
        f"{site.where(operation)}: the response is not one of the service's: {missing}",
        hint=SOMEBODY_ELSE_HINT,
        operation=operation,
        table=site.table,
    )


def _read_client_error(error: ClientError) -> tuple[ServiceError, int]:
    response: dict[str, Any] = error.response
    words = response.get("Error", {})
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
    code, message = str(words.get("Code") or f"HTTP {status}"), str(words.get("Message", ""))
    # botocore takes a body that is not the service's for the message, and its status for the code.
    shown = in_one_line(message) if is_page(code) else _shortened(message, _MOST_OF_A_MESSAGE)
    service_error = ServiceError(code=code, message=shown or "(no message)")
    return service_error, status


# What botocore raises when the network, not the request, is at fault.
_NETWORK_ERRORS = frozenset(
    {
        "ConnectTimeoutError",
        "ConnectionClosedError",
        "EndpointConnectionError",
        "HTTPClientError",
        "ProxyConnectionError",
        "ReadTimeoutError",
    }
)


def _reason(error: BotoCoreError) -> str:
    """What botocore leaves out of why an endpoint could not be connected to."""
    below = getattr(error.kwargs.get("error"), "os_error", None)
    if below is None:
        return ""
    is_tls = str(error.kwargs.get("endpoint_url", "")).startswith("https:")
    return f" ({why_not_connected(below, tls=is_tls)})"


def _from_botocore(error: BotoCoreError, operation: str, site: CallSite) -> DynaferryError:
    cause = error.kwargs.get("error")
    if isinstance(error, SSLError):
        return from_network_error(cause, operation=operation, site=site)
    name = type(error).__name__
    proxy = unreadable_proxy() if name in _NETWORK_ERRORS else None
    if proxy is not None:
        return proxy
    if name == "ProxyConnectionError" and isinstance(cause, Exception):
        return from_network_error(cause, operation=operation, site=site, hint=PROXY_HINT)
    if name in _NETWORK_ERRORS and tls_fault(error) is not None:
        return from_network_error(error, operation=operation, site=site)
    if name in _NETWORK_ERRORS:
        return UnavailableError(
            f"{site.where(operation)}: {error}{_reason(error)}",
            hint=PROXY_HINT if name == "ProxyConnectionError" else address_hint(str(error)),
            operation=operation,
            table=site.table,
        )
    return RequestRefusedError(
        f"{site.where(operation)}: {error}",
        hint=f"check the AWS configuration of {site.acting_as}",
        operation=operation,
        table=site.table,
    )
