"""The commands: each reads its flags, runs the room that does the work, and prints the outcome.

One module per command; `*_text` are the words at its end, `monitoring` is what a run shows to the
outside meanwhile. May use every other room but `cli.app`. Begin at `copy`.
"""
