"""The network edge: only here aioboto3, botocore and aiohttp are imported."""
