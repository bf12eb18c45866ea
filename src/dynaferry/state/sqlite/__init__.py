"""One SQLite file for one run: the store of `state.store`, on a thread of its own.

Begin at `store`; `run_file` is all that blocks, `schema` turns records into rows, `ownership` and
`damage` say which files are not gone on with.
"""
