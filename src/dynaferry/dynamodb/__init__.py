"""The network edge: only here aioboto3, botocore, aiohttp and awscrt are imported."""
