"""The command line: commands, flags, output on stderr and stdout, exit codes.

`app` declares the commands, `commands` runs them; flags pass between them. What both use is here:
flags, screen, failures, exit codes, signals. May use every other room. Begin at `main`.
"""
