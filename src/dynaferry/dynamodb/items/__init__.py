"""Items over the data path: one module per operation, each behind a Protocol of `ports`.

Items stay the bytes that they are: `keys` finds the attributes of a key in them, `canonical`
compares them. Begin at `scan` and `batch_write`.
"""
