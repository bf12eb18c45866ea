"""The command line: what a person types, and what comes of it on stderr, stdout and at the exit.

`app` says what can be typed, `commands` does it; flags are what passes between them. Here are what
both use: flags, screen, failures, exit codes, signals. May use every other room. Begin at `main`.
"""
