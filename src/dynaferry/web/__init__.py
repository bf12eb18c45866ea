"""The live page of a run, its metrics and its health over HTTP.

Shows what `observe` knows, and asks nobody for anything; what a page may change is handed in. Begin
at `server`.
"""
