"""Messages between one worker and the rest of a run, for a copy over many processes.

Only tests use them so far. May use `state` for its records.
"""
