"""HTTP/1.1 over connections that are kept: the way of a signed request to its endpoint and back.

Knows no request of DynamoDB. Begin at `pool`; `connection` is one connection, `proxied` the way
through a proxy.
"""
