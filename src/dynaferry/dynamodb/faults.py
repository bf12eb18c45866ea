"""Turns what the service (or the network) answered into errors.py: the one place that knows codes.

Match the code before the HTTP status: authentication errors are 400 on one page of the service's
documentation and 403 on another. A status counts where no code of the service's came with it.
Sources: [DG:Programming.Errors], [M:ThrottlingReason].
"""

import asyncio
import re
import ssl
from typing import Any, Final

import aiohttp
import msgspec
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, SSLError
from botocore.parsers import ResponseParserError
from msgspec import Raw, Struct

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

# What reading an answer raises, in botocore as here, where another kind of answer came.
NOT_AN_ANSWER: Final = (ResponseParserError, AttributeError, KeyError, TypeError, ValueError)
# What comes of a call that botocore makes.
CALL_ERRORS: Final = (BotoCoreError, ClientError, *NOT_AN_ANSWER)

EXPIRED_CREDENTIALS = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "UnrecognizedClientException"}
)
REFUSED_SIGNATURES = frozenset(
    {"InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed"}
)
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
_DENIALS = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
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
# Of somebody between who gives no code of the service's: too late, sent to another, too early, and
# what balancers note when they gave up on it themselves.
_PASSING_STATUSES = frozenset({408, 421, 425, 499})
_THROTTLING_STATUS = 429


class CallSite(Struct, frozen=True, kw_only=True):
    """Where a call was made: what every message names.

    `table` is None for what is done once for the whole side.
    """

    table: str | None
    side: str
    acting_as: str

    def where(self, operation: str) -> str:
        """The beginning of a message."""
        if self.table is not None:
            return f"{operation} on the {self.side} table {self.table}"
        if operation == "AssumeRole":
            return f"assuming the {self.side}'s {self.acting_as}"
        return f"{operation} for the {self.side}"


class ServiceAnswer(Struct, frozen=True, kw_only=True):
    """An error as the service words it."""

    code: str
    message: str
    reasons: tuple[tuple[str, str], ...] = ()
    item: bytes | None = None


class _Reason(Struct, frozen=True):
    reason: str = ""
    resource: str = ""


class _ErrorBody(Struct, frozen=True):
    type: str = msgspec.field(name="__type", default="")
    message: str = ""
    capital_message: str = msgspec.field(name="Message", default="")
    # The spelling depends on the exception [M]: both are read.
    reasons: tuple[_Reason, ...] = msgspec.field(name="throttlingReasons", default=())
    capital_reasons: tuple[_Reason, ...] = msgspec.field(name="ThrottlingReasons", default=())
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
_MOST_WORDS = 200  # characters


def in_one_line(text: str) -> str:
    """What anybody on the way may answer (a proxy's page, say), without markup and not too long."""
    words = " ".join(_MARKUP.sub(" ", text).split())
    return words if len(words) <= _MOST_WORDS else f"{words[: _MOST_WORDS - 1]}…"


def decode_error(status: int, body: bytes) -> ServiceAnswer:
    """Reads the body of an answer that is not 200, whatever stands in it."""
    error = _read_error(body)
    code = error.type.rpartition("#")[2]
    if not code:
        code = "RequestEntityTooLargeException" if status == 413 else f"HTTP {status}"
    return ServiceAnswer(
        code=code,
        message=error.message or error.capital_message or _words_of(body) or "(no message)",
        reasons=tuple((r.reason, r.resource) for r in (*error.reasons, *error.capital_reasons)),
        item=bytes(error.item) or None,
    )


def _words_of(body: bytes) -> str:
    """A body in one line, where it is not JSON, so that no field of it is a message."""
    try:
        msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return in_one_line(body.decode("utf-8", "replace"))
    return ""


def from_answer(
    answer: ServiceAnswer, *, status: int, operation: str, site: CallSite
) -> DynaferryError:
    """The error for what the service answered to `operation`."""
    where = site.where(operation)
    words = f"{where}: {answer.code}: {answer.message}"
    is_denial = answer.code in _DENIALS | EXPIRED_CREDENTIALS | REFUSED_SIGNATURES
    if answer.code in _THROTTLES or (status == _THROTTLING_STATUS and not is_denial):
        return ThrottledError(
            words,
            code=answer.code,
            reasons=answer.reasons,
            operation=operation,
            table=site.table,
        )
    passes_by_status = status >= 500 or status in _PASSING_STATUSES
    if answer.code in _PASSING or (passes_by_status and not is_denial):
        return UnavailableError(words, operation=operation, table=site.table)
    if answer.code == "ConditionalCheckFailedException" and operation in _CONDITIONAL_WRITES:
        return ConditionFailedError(words, item=answer.item, operation=operation, table=site.table)
    if answer.code in _ITEM_REFUSALS and operation in _WRITES_OF_ITEMS:
        return ItemRefusedError(
            answer.message, code=answer.code, operation=operation, table=site.table
        )
    if answer.code in ("ResourceNotFoundException", "TableNotFoundException"):
        return TableNotFoundError(
            f"{where}: there is no such table ({answer.message})",
            hint=f"check the table's name, the region and the account ({site.acting_as})",
            operation=operation,
            table=site.table,
        )
    if is_denial:
        return _denied(answer, operation, where, site)
    return RequestRefusedError(words, operation=operation, table=site.table)


_MISSING_ACTION = re.compile(r"not authorized to perform: (\w+:\w+)")


def _missing_action(message: str) -> str | None:
    """The action that the service names: CreateTable with tags may miss dynamodb:TagResource."""
    found = _MISSING_ACTION.search(message)
    return None if found is None else found[1]


def _denied(answer: ServiceAnswer, operation: str, where: str, site: CallSite) -> AccessDeniedError:
    if answer.code in ("AccessDenied", "AccessDeniedException", "NotAuthorized"):
        action = _missing_action(answer.message) or f"dynamodb:{operation}"
        hint = f"allow {action} on this resource to {site.acting_as}, then run the command again"
        if operation == "AssumeRole":
            hint = (
                "the role's trust policy must name the caller and the external id must match; "
                "the caller needs sts:AssumeRole on the role"
            )
    else:
        hint = f"check the credentials of {site.acting_as} and this machine's clock"
    whom = "" if site.table is None else f" to {site.acting_as}"
    return AccessDeniedError(
        f"{where} was refused{whom}: {answer.code}: {answer.message}",
        hint=hint,
        operation=operation,
        table=site.table,
    )


def from_network_error(error: Exception, *, operation: str, site: CallSite) -> DynaferryError:
    """The error for a request that got no usable answer.

    A certificate that is not trusted will not be trusted a minute later: that stops the run.
    """
    where = site.where(operation)
    if isinstance(error, (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError)):
        return RequestRefusedError(
            f"{where}: the endpoint's certificate is not trusted: {error}",
            hint="set AWS_CA_BUNDLE to the certificates of your network",
            operation=operation,
            table=site.table,
        )
    what = "timed out" if isinstance(error, asyncio.TimeoutError) else str(error) or repr(error)
    return UnavailableError(f"{where}: {what}", operation=operation, table=site.table)


def from_client_error(
    error: Exception, *, operation: str, table: str | None, side: str, acting_as: str
) -> DynaferryError:
    """The error for what botocore raised from a control-plane call.

    `table` is None for what is done once for the whole side.
    """
    site = CallSite(table=table, side=side, acting_as=acting_as)
    if isinstance(error, ClientError):
        answer, status = _read_client_error(error)
        return from_answer(answer, status=status, operation=operation, site=site)
    if isinstance(error, NoCredentialsError):
        return AccessDeniedError(
            f"there are no credentials for the {side} ({acting_as})",
            hint=f"set --{side}-profile or the environment variables of the AWS CLI",
            operation=operation,
            table=table,
        )
    if isinstance(error, BotoCoreError):
        return _from_botocore(error, operation, site)
    if isinstance(error, NOT_AN_ANSWER):
        return _not_an_answer(error, operation, site)
    return from_network_error(error, operation=operation, site=site)


def _not_an_answer(error: Exception, operation: str, site: CallSite) -> CorruptAnswerError:
    """Somebody answered, in another way than the service does."""
    missing = f"{error} is missing" if isinstance(error, KeyError) else in_one_line(str(error))
    return CorruptAnswerError(
        f"{site.where(operation)}: the answer is not one of the service's: {missing}",
        hint="look whether a proxy answers instead, and check the endpoint address",
        operation=operation,
        table=site.table,
    )


def _read_client_error(error: ClientError) -> tuple[ServiceAnswer, int]:
    response: dict[str, Any] = error.response
    words = response.get("Error", {})
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
    answer = ServiceAnswer(
        code=str(words.get("Code") or f"HTTP {status}"),
        # botocore takes a body that is not JSON for the message.
        message=in_one_line(str(words.get("Message", ""))) or "(no message)",
    )
    return answer, status


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


_LOGGED_OUT = frozenset({"SSOTokenLoadError", "TokenRetrievalError", "UnauthorizedSSOTokenError"})


def _from_botocore(error: BotoCoreError, operation: str, site: CallSite) -> DynaferryError:
    where = site.where(operation)
    if isinstance(error, SSLError):
        return from_network_error(error.kwargs["error"], operation=operation, site=site)
    if type(error).__name__ in _NETWORK_ERRORS:
        return UnavailableError(
            f"{where}: {error}",
            hint="check the region, the endpoint address and the network",
            operation=operation,
            table=site.table,
        )
    if type(error).__name__ in _LOGGED_OUT:
        profile = site.acting_as.removeprefix("profile ")
        login = (
            f"aws sso login --profile {profile}" if profile != site.acting_as else "aws sso login"
        )
        return AccessDeniedError(
            f"{where}: {error}",
            hint=f"run {login}, then the same command again",
            operation=operation,
            table=site.table,
        )
    return RequestRefusedError(
        f"{where}: {error}",
        hint=f"check the AWS configuration of {site.acting_as}",
        operation=operation,
        table=site.table,
    )
