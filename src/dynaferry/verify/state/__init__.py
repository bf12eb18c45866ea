"""The state of a verification: its records, their SQLite schema and store, and overwritten items.

May use `state`, whose file and thread it shares. Begin at `records`.
"""
