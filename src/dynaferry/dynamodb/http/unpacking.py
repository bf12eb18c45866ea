"""Unpacks responses that were asked for packed (gzip)."""

from zlib_ng import zlib_ng

from dynaferry.dynamodb.http.connection import MOST_RESPONSE_BYTES


def unpacked(body: bytes) -> bytes:
    """What is in the body. A few hundred KB may hold gigabytes: more than a response may have is
    not unpacked.

    :raises ValueError: it is not gzip, not all of it, or too much
    """
    gzip = zlib_ng.decompressobj(wbits=31)
    try:
        content = gzip.decompress(body, MOST_RESPONSE_BYTES)
    except zlib_ng.error as error:  # type: ignore[misc]  # its stub says a value
        raise ValueError("the response could not be unpacked") from error
    if gzip.unconsumed_tail:
        raise ValueError("the response is longer than any of the service's")
    if not gzip.eof or gzip.unused_data:
        raise ValueError("the response could not be unpacked")
    return content
