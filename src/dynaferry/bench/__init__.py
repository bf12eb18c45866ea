"""Measures people's own tables: how fast they take writes or give pages, and what a copy costs.

May use the network edge, and of a copy the order of segments. Begin at `run`.
"""
