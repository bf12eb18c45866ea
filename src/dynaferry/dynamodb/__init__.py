"""The network edge: only here aioboto3, botocore, aiohttp and httptools are imported.

`tables` looks at tables and makes them, over botocore; `items` reads and writes items over the data
path, which is `client`, `signing` and `http`. `account` is who calls; `environment` what was set
outside of dynaferry; `failures` what is told of a request that failed. Knows plan, ports and
errors, and nothing of limiters, state or counters. Begin at `client`.
"""
