"""What can be typed: the commands, their options and how --help shows them.

No decision is made here, and nothing is imported that --help does not need: what a command does is
loaded when it is run. Begin at `options`.
"""
