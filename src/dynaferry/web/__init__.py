"""The live page of a run, its metrics and its health over HTTP.

May use `observe` and `errors`; makes no request of its own, and what a page may change is passed
in. Begin at `server`.
"""
