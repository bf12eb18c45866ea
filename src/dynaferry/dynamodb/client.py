"""One signed request: bytes in, bytes out.

There is no retry here but two repairs that cost one more request each: credentials that the
service calls expired are renewed, and a signature refused for this machine's clock is made again
with the offset learnt from the service's own Date. Everything else is raised, and the retry
layer decides.
"""

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ssl import SSLContext, create_default_context
from typing import Self

import aiohttp
from botocore.httpsession import get_cert_path
from yarl import URL
from zlib_ng import zlib_ng

from dynaferry._version import __version__
from dynaferry.dynamodb import error_causes
from dynaferry.dynamodb.account.session import AccountSession, CredentialSource
from dynaferry.dynamodb.environment.proxies import Proxy, proxy_for
from dynaferry.dynamodb.environment.service_clock import ServiceClock
from dynaferry.dynamodb.environment.settings import is_aws
from dynaferry.dynamodb.failures import service_errors
from dynaferry.dynamodb.failures.call_site import CallSite
from dynaferry.dynamodb.failures.network_errors import from_network_error
from dynaferry.dynamodb.http.connection import HttpResponse
from dynaferry.dynamodb.http.pool import (
    Connection,
    ConnectionPool,
    ConnectionProvider,
    EndpointAddress,
    Timeouts,
)
from dynaferry.dynamodb.http.proxied import open_proxied
from dynaferry.dynamodb.http.timeouts import SidesPatience, times_for
from dynaferry.dynamodb.http.unpacking import unpacked
from dynaferry.dynamodb.signing import API_PREFIX, Signer
from dynaferry.errors import (
    CorruptAnswerError,
    ImpossibleAnswerError,
    PlanError,
    RetryableError,
)

USER_AGENT = f"dynaferry/{__version__}"
_log = logging.getLogger(__name__)


class DynamoClient:
    """The connections of one side and one endpoint.

    DynamoDB sends the checksum of every response; `always_checked` takes none without it. Stand-ins
    for it may send none. With `accepts_gzip` they may come packed, and without it none may.
    """

    def __init__(
        self,
        http: ConnectionProvider,
        *,
        signer: Signer,
        credentials: CredentialSource,
        site: CallSite,
        always_checked: bool = False,
        accepts_gzip: bool = False,
        service_clock: ServiceClock | None = None,
    ) -> None:
        self.http = http
        self.signer = signer
        self.credentials = credentials
        self.site = site
        self._always_checked = always_checked
        self._accepts_gzip = accepts_gzip
        self._warned_of_no_checksum = False
        self.service_clock = service_clock or ServiceClock()

    async def send(self, operation: str, body: bytes) -> bytes:
        """Posts `body` as `operation` and returns the body of the response, checked and unpacked.

        :raises RetryableError: throttled, unavailable, cut short or failing its checksum
        :raises ItemRefusedError: BatchWriteItem was refused for its content
        :raises StoppedError: denied, no such table, or refused for good
        """
        async with self.series(operation) as series:
            return await series.send(body)

    def series(self, operation: str) -> "RequestSeries":
        """Requests of one operation, one after the other."""
        return RequestSeries(self, operation)

    def unpack(self, operation: str, response: HttpResponse) -> bytes:
        """Checks x-amz-crc32, which covers the body as sent, and only then decompresses it."""
        checksum = response.headers.get(b"x-amz-crc32")
        if checksum is None:
            self._note_no_checksum(operation, response)
        elif checksum != b"%d" % zlib_ng.crc32(response.body):
            raise self._corrupt(operation, "the response failed its checksum")
        encoding = response.headers.get(b"content-encoding")
        if encoding is None or encoding == b"identity":
            return response.body
        if encoding != b"gzip" or not self._accepts_gzip:
            named = encoding.decode("latin-1")
            raise self._corrupt(
                operation, f"the response came packed ({named}), unasked", ImpossibleAnswerError
            )
        try:
            return unpacked(response.body)
        except ValueError as error:
            raise self._corrupt(operation, str(error)) from error

    def _note_no_checksum(self, operation: str, response: HttpResponse) -> None:
        """A refusal changes nothing, and may be a balancer's: it is believed without one."""
        if response.status != 200:
            return
        if self._always_checked:
            raise self._corrupt(
                operation,
                "the response came without its checksum (x-amz-crc32): a proxy may have changed it",
            )
        if not self._warned_of_no_checksum:
            self._warned_of_no_checksum = True
            _log.info(
                "responses of the %s table %s come without a checksum and are taken unchecked",
                self.site.side,
                self.site.table,
                extra={"event": "unchecked", "side": self.site.side, "table": self.site.table},
            )

    def _corrupt(
        self, operation: str, what: str, kind: type[CorruptAnswerError] = CorruptAnswerError
    ) -> CorruptAnswerError:
        return kind(
            f"{operation} on the {self.site.side} table {self.site.table}: {what}",
            operation=operation,
            table=self.site.table,
        )


class RequestSeries:
    """Requests of one operation over one connection, one after the other; to be entered.

    What they have in common is done once: to find a connection, and what they are signed with.
    """

    __slots__ = ("_client", "_connection", "_credentials", "_offset_seconds", "_operation")

    def __init__(self, client: DynamoClient, operation: str) -> None:
        self._client = client
        self._operation = operation
        self._connection: Connection | None = None

    async def __aenter__(self) -> Self:
        await self._learn()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connection is not None:
            self._client.http.give_back(self._connection)

    async def send(self, body: bytes) -> bytes:
        """Posts `body`; the body of the response, checked and unpacked. See `DynamoClient.send`."""
        client, operation = self._client, self._operation
        for last_try in (False, True):
            began = time.monotonic()
            try:
                connection = self._connection
                if connection is None or not connection.is_reusable:
                    connection = await self._next_connection()
                now = client.service_clock.clock() + self._offset_seconds
                head = client.signer.sign(operation, body, self._credentials, now)
                response = await connection.send(head, body)
            except (aiohttp.ClientError, OSError) as failure:  # a TimeoutError is an OSError
                network_error = from_network_error(failure, operation=operation, site=client.site)
                if isinstance(network_error, RetryableError):
                    network_error.took_seconds = time.monotonic() - began
                raise network_error from failure
            content = client.unpack(operation, response)
            if response.status == 200:
                return content
            hide = client.credentials.secrets.hide
            error = service_errors.decode_error(response.status, content, hide)
            if last_try or not await self._is_repaired(error, response):
                break
        raise service_errors.from_service_error(
            error, status=response.status, operation=operation, site=client.site
        )

    async def _learn(self) -> None:
        self._credentials = await self._client.credentials.current()
        self._offset_seconds = self._client.service_clock.offset_seconds

    async def _next_connection(self) -> Connection:
        used, self._connection = self._connection, None
        if used is not None:
            self._client.http.give_back(used)
        self._connection = await self._client.http.lend()
        return self._connection

    async def _is_repaired(self, error: service_errors.ServiceError, refusal: HttpResponse) -> bool:
        if error.code in error_causes.EXPIRED_CREDENTIALS:
            await self._client.credentials.renew(self._credentials)
        elif (
            error.code not in error_causes.REFUSED_SIGNATURES
            or not self._client.service_clock.learn(
                refusal.headers.get(b"date", b"").decode("latin-1"), self._offset_seconds
            )
        ):
            return False
        await self._learn()
        return True


@asynccontextmanager
async def open_client(
    session: AccountSession,
    *,
    table: str,
    endpoint: str,
    connections: int,
    accepts_gzip: bool = False,
    patience: SidesPatience | None = None,
    api_prefix: str = API_PREFIX,
) -> AsyncIterator[DynamoClient]:
    """Opens the data path of one side: as many keep-alive connections as requests in flight.

    `accepts_gzip` asks for gzip. No request is waited for longer than `patience` has left.
    With the `api_prefix` of Streams a response's checksum is looked at where there is one: the
    service promises none there.
    """
    encoding = "gzip" if accepts_gzip else "identity"
    url = URL(endpoint)
    # Streams have a client of their own in botocore, with a host of its own.
    proxy = proxy_for(url, session.base_url if api_prefix == API_PREFIX else None)
    times = times_for(patience)
    async with _open_http(url, proxy, session.ca_bundle, connections, times) as http:
        yield DynamoClient(
            http,
            signer=Signer(
                host=_host_header(url),
                region=session.signing_region or session.region,
                also={"Accept-Encoding": encoding, "User-Agent": USER_AGENT},
                api_prefix=api_prefix,
            ),
            credentials=session.credentials,
            site=CallSite(table=table, side=session.side, acting_as=session.acting_as),
            always_checked=is_aws(url) and api_prefix == API_PREFIX,
            accepts_gzip=accepts_gzip,
            service_clock=session.service_clock.copy(),
        )


@asynccontextmanager
async def _open_http(
    url: URL, proxy: Proxy | None, ca_bundle: str | None, connections: int, patience: Timeouts
) -> AsyncIterator[ConnectionProvider]:
    tls = _trust(ca_bundle) if url.scheme == "https" else None
    if proxy is not None:
        async with open_proxied(
            url, proxy, tls=tls, limit=connections, patience=patience
        ) as proxied:
            yield proxied
        return
    address = EndpointAddress(url.raw_host or "", url.port or 0, tls, url.raw_path or "/")
    pool = ConnectionPool(address, limit=connections, patience=patience)
    try:
        yield pool
    finally:
        await pool.aclose()


def _host_header(url: URL) -> str:
    host = f"[{url.raw_host}]" if ":" in (url.raw_host or "") else url.raw_host
    return f"{host}" if url.is_default_port() else f"{host}:{url.port}"


def _trust(ca_bundle: str | None) -> SSLContext:
    """Trusts whom botocore would trust: the configured bundle, or its own."""
    try:
        return create_default_context(cafile=get_cert_path(ca_bundle or True))
    except OSError as error:
        raise PlanError(
            f"the certificates {ca_bundle} cannot be read: {error}",
            hint="check AWS_CA_BUNDLE, the profile's ca_bundle and REQUESTS_CA_BUNDLE",
        ) from error
