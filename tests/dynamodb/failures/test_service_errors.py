"""Every way in which the service says no, and what the caller is told to do about it."""

import json
import ssl
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ParamValidationError,
    PartialCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.loaders import Loader
from botocore.parsers import ResponseParserError
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.dynamodb.failures.call_site import CallSite
from dynaferry.dynamodb.failures.network_errors import from_network_error
from dynaferry.dynamodb.failures.service_errors import (
    decode_error,
    from_client_error,
    from_service_error,
)
from dynaferry.errors import (
    AccessDeniedError,
    CorruptAnswerError,
    DynaferryError,
    ItemRefusedError,
    RequestRefusedError,
    RetryableError,
    TableNotFoundError,
    ThrottledError,
    UnavailableError,
)

ROLE = "role arn:aws:iam::222222222222:role/ferry"
SITE = CallSite(table="orders", side="target", acting_as=ROLE)
TABLE_ARN = "arn:aws:dynamodb:eu-central-1:222222222222:table/orders"
INDEX_ARN = f"{TABLE_ARN}/index/by_email"

THROTTLES = [
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
]
PASSING = [
    "IDPCommunicationError",
    "InternalServerError",
    "InternalServerErrorException",
    "PriorRequestNotComplete",
    "ReplicatedWriteConflictException",
    "RequestTimeout",
    "RequestTimeoutException",
    "TransactionConflictException",
    "TransactionInProgressException",
]
PASSING_5XX = ["InternalFailure", "ServiceUnavailable", "ServiceUnavailableException"]
ITEM_REFUSALS = [
    "ItemCollectionSizeLimitExceededException",
    "SerializationException",
    "ValidationException",
]
DENIALS = ["AccessDenied", "AccessDeniedException"]
BAD_CREDENTIALS = [
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
]
FINAL = [
    "ConditionalCheckFailedException",
    "ExpiredIteratorException",
    "NeverHeardOfException",
    "ResourceInUseException",
    "TrimmedDataAccessException",
]


def _answer(
    code: str, *, status: int = 400, operation: str = "BatchWriteItem", message: str = "its words"
) -> DynaferryError:
    body = json.dumps(
        {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
    ).encode()
    answer = decode_error(status, body)
    assert answer.code == code
    return from_service_error(answer, status=status, operation=operation, site=SITE)


def _client_error(code: str, *, operation: str = "DescribeTable", status: int = 400) -> ClientError:
    response = {
        "Error": {"Code": code, "Message": "its words"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, operation)


def _from_client(error: Exception, operation: str = "DescribeTable") -> DynaferryError:
    return from_client_error(
        error, operation=operation, table="orders", side="target", acting_as=ROLE
    )


def _codes_in(retries: Any) -> Iterator[str]:
    if isinstance(retries, dict):
        if "service_error_code" in retries:
            yield retries["service_error_code"]
        for part in retries.values():
            yield from _codes_in(part)


def _what_botocore_tries_again() -> Iterator[str]:
    """By its standard mode, and by its legacy mode for every service and for those asked here."""
    yield from TransientRetryableChecker._TRANSIENT_ERROR_CODES
    yield from ThrottledRetryableChecker._THROTTLED_ERROR_CODES
    legacy = Loader().load_data("_retry")
    yield from _codes_in(legacy["definitions"])
    for service in ("dynamodb", "sts"):
        yield from _codes_in(legacy["retry"][service])


# Codes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["Scan", "BatchWriteItem"])
@pytest.mark.parametrize(
    ("codes", "error"),
    [
        (THROTTLES, ThrottledError),
        (PASSING, UnavailableError),
        (["ResourceNotFoundException", "TableNotFoundException"], TableNotFoundError),
        (DENIALS, AccessDeniedError),
        (BAD_CREDENTIALS, AccessDeniedError),
        (FINAL, RequestRefusedError),
    ],
)
def test_a_code_decides_what_to_do(
    codes: list[str], error: type[DynaferryError], operation: str
) -> None:
    for code in codes:
        found = _answer(code, operation=operation)
        assert type(found) is error, code
        assert (found.operation, found.table) == (operation, "orders")
        assert "its words" in found.message
        assert f"{operation} on the target table orders" in found.message


@pytest.mark.parametrize("code", sorted(set(_what_botocore_tries_again())))
def test_every_code_that_botocore_tries_again_is_tried_again(code: str) -> None:
    for operation in ("Scan", "BatchWriteItem", "AssumeRole"):
        found = _answer(code, operation=operation)
        assert isinstance(found, RetryableError)
        assert isinstance(_from_client(_client_error(code), operation), RetryableError)


@pytest.mark.parametrize("body", [b"", b"<h1>Request Time-out</h1>", b"{}", b'{"message":"x"}'])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (408, UnavailableError),
        (421, UnavailableError),
        (425, UnavailableError),
        (429, ThrottledError),
        (499, UnavailableError),
        (509, UnavailableError),
    ],
)
def test_a_status_that_passes_is_waited_for_where_no_code_came_with_it(
    status: int, error: type[DynaferryError], body: bytes
) -> None:
    for operation in ("Scan", "BatchWriteItem"):
        answer = decode_error(status, body)
        found = from_service_error(answer, status=status, operation=operation, site=SITE)
        assert type(found) is error
    of_botocore = _client_error(str(status), status=status)
    assert type(_from_client(of_botocore)) is error


@pytest.mark.parametrize("status", [400, 401, 403, 408, 429])
@pytest.mark.parametrize("code", [*DENIALS, *BAD_CREDENTIALS])
def test_a_denial_is_one_whatever_the_status(code: str, status: int) -> None:
    assert type(_answer(code, status=status)) is AccessDeniedError


@pytest.mark.parametrize("code", [*PASSING, *PASSING_5XX, "NeverHeardOfException"])
def test_a_5xx_passes_whatever_its_code(code: str) -> None:
    assert type(_answer(code, status=503)) is UnavailableError


@pytest.mark.parametrize("code", THROTTLES)
def test_a_throttle_is_one_whatever_the_status(code: str) -> None:
    found = _answer(code, status=503)
    assert isinstance(found, ThrottledError)
    assert found.code == code


@pytest.mark.parametrize("code", ITEM_REFUSALS)
def test_a_batch_refused_for_its_content_is_to_be_split(code: str) -> None:
    found = _answer(code, operation="BatchWriteItem")
    assert isinstance(found, ItemRefusedError)
    assert (found.code, found.message) == (code, "its words")
    assert (found.operation, found.table) == ("BatchWriteItem", "orders")


@pytest.mark.parametrize("code", ITEM_REFUSALS)
@pytest.mark.parametrize("operation", ["Scan", "DescribeTable"])
def test_what_is_no_batch_cannot_be_split_and_is_refused(code: str, operation: str) -> None:
    assert type(_answer(code, operation=operation)) is RequestRefusedError


@pytest.mark.parametrize("body", [b"", b"<html>413 Request Entity Too Large</html>", b"{}"])
def test_a_batch_that_is_too_large_is_to_be_split(body: bytes) -> None:
    answer = decode_error(413, body)
    found = from_service_error(answer, status=413, operation="BatchWriteItem", site=SITE)
    assert isinstance(found, ItemRefusedError)
    assert found.code == "RequestEntityTooLargeException"
    found = from_service_error(answer, status=413, operation="Scan", site=SITE)
    assert type(found) is RequestRefusedError


def test_an_unknown_code_is_named_and_stops() -> None:
    found = _answer("NeverHeardOfException")
    assert type(found) is RequestRefusedError
    assert "NeverHeardOfException: its words" in found.message


# Words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", DENIALS)
@pytest.mark.parametrize("operation", ["Scan", "BatchWriteItem", "DescribeTable"])
def test_a_denial_names_operation_table_role_and_the_missing_action(
    code: str, operation: str
) -> None:
    found = _answer(code, operation=operation)
    assert f"{operation} on the target table orders" in found.message
    assert ROLE in found.message
    assert "its words" in found.message
    assert f"dynamodb:{operation}" in (found.hint or "")
    assert ROLE in (found.hint or "")


def test_a_role_that_may_not_be_assumed_is_explained_by_trust_policy_and_external_id() -> None:
    found = _answer("AccessDenied", operation="AssumeRole")
    hint = found.hint or ""
    assert type(found) is AccessDeniedError
    assert "trust policy" in hint
    assert "external id" in hint
    assert "sts:AssumeRole" in hint
    assert "dynamodb:AssumeRole" not in hint


# A word of the hint of each, and whether the clock may be the cause.
HINTS_OF_BAD_CREDENTIALS = {
    "ExpiredToken": ("have ended", True),
    "ExpiredTokenException": ("have ended", True),
    "IncompleteSignature": ("proxy", False),
    "InvalidClientTokenId": ("no such access key", False),
    "InvalidSignatureException": ("secret access key", True),
    "MissingAuthenticationToken": ("proxy", False),
    "MissingAuthenticationTokenException": ("proxy", False),
    "SignatureDoesNotMatch": ("secret access key", True),
    "UnrecognizedClientException": ("switched off", False),
}


@pytest.mark.parametrize("code", BAD_CREDENTIALS)
def test_bad_credentials_hint_at_their_own_cause_and_at_no_missing_action(code: str) -> None:
    word, may_be_the_clock = HINTS_OF_BAD_CREDENTIALS[code]
    hint = _answer(code).hint or ""
    assert "credentials" in hint
    assert ROLE in hint
    assert word in hint
    assert ("clock" in hint) is may_be_the_clock
    assert "dynamodb:" not in hint


def test_a_missing_table_hints_at_region_and_account() -> None:
    hint = _answer("ResourceNotFoundException").hint or ""
    assert "region" in hint
    assert ROLE in hint


# Bodies ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b'{"__type":"a.b#Code","message":"m"}', "Code", "m"),
        (b'{"__type":"a.b#Code","Message":"m"}', "Code", "m"),
        (b'{"Message":"m","__type":"Code"}', "Code", "m"),
        (b'{"__type":"a.b#Code"}', "Code", "(no message)"),
        (b'{"__type":"a.b#Code","message":"m","x":[1]}', "Code", "m"),
        (b"<html>Bad Gateway</html>", "HTTP 502", "Bad Gateway"),
        (b"", "HTTP 502", "(no message)"),
        (b"{}", "HTTP 502", "(no message)"),
        (b"[]", "HTTP 502", "(no message)"),
        (b'{"__type":7}', "HTTP 502", "(no message)"),
    ],
)
def test_code_and_message_are_read_from_what_stands_there(
    body: bytes, code: str, message: str
) -> None:
    answer = decode_error(502, body)
    assert (answer.code, answer.message) == (code, message)


@pytest.mark.parametrize(
    "rest", [b'"message":null', b'"Message":null', b'"throttlingReasons":null', b'"message":{}']
)
def test_a_code_is_read_beside_fields_that_are_not_as_modelled(rest: bytes) -> None:
    assert decode_error(400, b'{"__type":"a.b#ThrottlingException",%b}' % rest).code == (
        "ThrottlingException"
    )


@pytest.mark.parametrize("body", [b'{"__type":"a#Code","message":"\xff"}', b'{"__type":"\xff"}'])
def test_a_body_that_is_not_utf_8_is_an_error_of_the_service_and_not_a_crash(body: bytes) -> None:
    found = from_service_error(decode_error(500, body), status=500, operation="Scan", site=SITE)
    assert type(found) is UnavailableError


@given(st.binary(max_size=200), st.sampled_from([400, 403, 404, 500, 503]))
def test_no_body_is_a_crash(body: bytes, status: int) -> None:
    found = from_service_error(
        decode_error(status, body), status=status, operation="Scan", site=SITE
    )
    assert type(found) is (UnavailableError if status >= 500 else RequestRefusedError)


# Reasons of a throttle -------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["throttlingReasons", "ThrottlingReasons"])
@pytest.mark.parametrize(
    "code",
    ["ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"],
)
def test_a_throttle_carries_its_reasons_and_resources(code: str, spelling: str) -> None:
    reasons = [
        {"reason": "TableWriteKeyRangeThroughputExceeded", "resource": TABLE_ARN},
        {"reason": "IndexWriteProvisionedThroughputExceeded", "resource": INDEX_ARN, "new": 1},
    ]
    body = json.dumps({"__type": f"a#{code}", "message": "m", spelling: reasons}).encode()
    found = from_service_error(
        decode_error(400, body), status=400, operation="BatchWriteItem", site=SITE
    )
    assert isinstance(found, ThrottledError)
    assert found.code == code
    assert found.reasons == (
        ("TableWriteKeyRangeThroughputExceeded", TABLE_ARN),
        ("IndexWriteProvisionedThroughputExceeded", INDEX_ARN),
    )


def test_a_throttle_without_reasons_carries_none() -> None:
    found = _answer("ThrottlingException")
    assert isinstance(found, ThrottledError)
    assert found.reasons == ()


# The network -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (aiohttp.ServerDisconnectedError(), "Server disconnected"),
        (aiohttp.ClientPayloadError("not enough bytes"), "not enough bytes"),
        (aiohttp.ServerTimeoutError("read"), "timed out"),
        (TimeoutError(), "timed out"),
        (ConnectionResetError(), "ConnectionResetError"),
        (OSError(101, "Network is unreachable"), "unreachable"),
    ],
)
def test_a_network_error_passes_and_says_what_it_was(error: Exception, words: str) -> None:
    found = from_network_error(error, operation="Scan", site=SITE)
    assert type(found) is UnavailableError
    assert words in found.message
    assert "Scan on the target table orders" in found.message


def test_a_certificate_that_is_not_trusted_does_not_pass() -> None:
    error = ssl.SSLCertVerificationError(1, "self-signed certificate")
    found = from_network_error(error, operation="Scan", site=SITE)
    assert type(found) is RequestRefusedError
    assert "AWS_CA_BUNDLE" in (found.hint or "")


# botocore --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ThrottlingException", ThrottledError),
        ("LimitExceededException", ThrottledError),
        ("ResourceNotFoundException", TableNotFoundError),
        ("AccessDeniedException", AccessDeniedError),
        ("ExpiredTokenException", AccessDeniedError),
        ("ValidationException", RequestRefusedError),
        ("NeverHeardOfException", RequestRefusedError),
    ],
)
def test_botocores_error_means_what_the_services_does(
    code: str, error: type[DynaferryError]
) -> None:
    found = _from_client(_client_error(code))
    assert type(found) is error
    assert "DescribeTable on the target table orders" in found.message
    assert "its words" in found.message


def test_botocores_5xx_passes() -> None:
    assert type(_from_client(_client_error("Strange", status=500))) is UnavailableError


@pytest.mark.parametrize("response", [{}, {"Error": {}}, {"Error": {"Code": "503"}}])
def test_botocores_error_without_words_is_refused_and_not_a_crash(response: dict[str, Any]) -> None:
    found = _from_client(ClientError(response, "DescribeTable"))
    assert type(found) is RequestRefusedError


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://x", error="refused"),
        ConnectTimeoutError(endpoint_url="https://x"),
        ReadTimeoutError(endpoint_url="https://x"),
        ConnectionClosedError(endpoint_url="https://x"),
    ],
)
def test_botocores_network_errors_pass_and_hint_at_the_address(error: BotoCoreError) -> None:
    found = _from_client(error)
    assert type(found) is UnavailableError
    assert isinstance(found, RetryableError)
    assert "endpoint" in (found.hint or "")


def test_a_proxy_that_does_not_respond_passes() -> None:
    error = ProxyConnectionError(proxy_url="http://proxy:3128", error="refused")
    assert type(_from_client(error)) is UnavailableError


@pytest.mark.parametrize(
    "error",
    [
        ParamValidationError(report="TableName is too short"),
        PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        BotoCoreError(),
    ],
)
def test_what_botocore_refuses_itself_is_refused_and_hints_at_the_configuration(
    error: BotoCoreError,
) -> None:
    found = _from_client(error)
    assert type(found) is RequestRefusedError
    assert str(error) in found.message
    assert ROLE in (found.hint or "")


def test_a_certificate_that_botocore_does_not_trust_hints_at_the_bundle() -> None:
    untrusted = ssl.SSLCertVerificationError(1, "certificate verify failed")
    found = _from_client(SSLError(endpoint_url="https://x", error=untrusted))
    assert type(found) is RequestRefusedError
    assert "AWS_CA_BUNDLE" in (found.hint or "")


@pytest.mark.parametrize("error", [TimeoutError(), OSError(101, "Network is unreachable")])
def test_what_comes_from_below_botocore_is_a_network_error(error: OSError) -> None:
    assert type(_from_client(error)) is UnavailableError


A_PROXYS_PAGE = """\
<!DOCTYPE html>
<html><head><title>Sign in</title><style>body { color: red }</style></head>
<body>Please\n   sign in</body></html>"""


def test_a_page_of_a_proxy_is_quoted_in_one_line_without_its_markup() -> None:
    assert decode_error(403, A_PROXYS_PAGE.encode()).message == "Sign in Please sign in"
    error = ClientError({"Error": {"Code": "403", "Message": A_PROXYS_PAGE}}, "DescribeTable")
    assert _from_client(error).message.endswith(": 403: Sign in Please sign in")


LONG_WORDS = "not authorized, " * 100 + "with an explicit deny in a service control policy"


def test_the_services_own_words_are_quoted_whole() -> None:
    body = json.dumps({"__type": "x#AccessDeniedException", "message": LONG_WORDS}).encode()
    found = from_service_error(decode_error(400, body), status=400, operation="Scan", site=SITE)
    assert LONG_WORDS in found.message
    response = {"Error": {"Code": "AccessDeniedException", "Message": LONG_WORDS}}
    assert LONG_WORDS in _from_client(ClientError(response, "DescribeTable")).message


def test_secrets_are_hidden_in_words_before_they_are_cut_and_nowhere_else() -> None:
    def hide(text: str) -> str:
        return text.replace("message", "…").replace("x" * 300, "…")

    body = (
        b'{"__type":"a#ConditionalCheckFailedException","message":"a message","Item":{"message":1}}'
    )
    answer = decode_error(400, body, hide)
    assert (answer.message, answer.item) == ("a …", b'{"message":1}')
    assert decode_error(403, b"<p>at last " + b"x" * 300, hide).message == "at last …"
    assert decode_error(400, b'{"__type":"a#the message"}', hide).code == "the …"


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_page_that_is_not_the_services_hints_at_who_else_may_respond(status: int) -> None:
    answer = decode_error(status, A_PROXYS_PAGE.encode())
    found = from_service_error(answer, status=status, operation="Scan", site=SITE)
    error = ClientError({"Error": {"Code": str(status), "Message": "a page"}}, "DescribeTable")
    for told in (found, _from_client(error)):
        assert type(told) is RequestRefusedError
        assert "proxy" in (told.hint or "")
    assert _answer("NeverHeardOfException").hint is None


def test_a_long_page_is_shortened() -> None:
    message = decode_error(502, b"<p>no</p> " * 5000).message
    assert len(message) == 200
    assert message.endswith("…")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ResponseParserError("Unable to parse response:\nb'<html>a page</html>'"), "a page"),
        (KeyError("Table"), "'Table' is missing"),
        (AttributeError("'list' object has no attribute 'get'"), "'list' object"),
    ],
)
def test_a_response_that_is_not_the_services_is_corrupt_and_hints_at_what_stands_between(
    error: Exception, words: str
) -> None:
    found = _from_client(error)
    assert type(found) is CorruptAnswerError
    assert words in found.message
    assert "DescribeTable" in found.message
    assert "\n" not in found.message
    assert "<" not in found.message
    assert "proxy" in (found.hint or "")


def test_an_accounts_endpoint_that_is_not_reached_is_reported_with_what_does_without() -> None:
    host = "222222222222.ddb.eu-west-1.amazonaws.com"
    unreached = EndpointConnectionError(endpoint_url=f"https://{host}/", error="refused")
    on_the_data_path = from_network_error(
        ConnectionError(f"cannot connect to {host}:443: Name or service not known"),
        operation="Scan",
        site=SITE,
    )
    for error in (_from_client(unreached), on_the_data_path):
        assert type(error) is UnavailableError
        assert "AWS_ACCOUNT_ID_ENDPOINT_MODE=disabled" in (error.hint or "")
    regional = EndpointConnectionError(
        endpoint_url="https://dynamodb.eu-west-1.amazonaws.com/", error="refused"
    )
    assert "AWS_ACCOUNT_ID" not in (_from_client(regional).hint or "")
