"""Rejected items: exported from the state file, and written to the target again.

May use `run` for the sides and the outcome, and all below it. Begin at `replay`, the story; one
item is written in `replayer`, and `export` is how items leave the state file.
"""
