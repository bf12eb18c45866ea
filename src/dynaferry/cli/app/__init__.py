"""The declarations of the commands, of their options, and of how --help shows them.

No decision is made here, and nothing is imported that --help does not need: what a command does is
loaded when it is run. May use the flags. Begin at `options`.
"""
