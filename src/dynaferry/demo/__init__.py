"""A demo that needs no AWS account: two on this machine, a copy, a check of every item.

May use `run`, and the network edge to make clients. Its check is written apart from the copy on
purpose, and shares nothing with it. Begin at `show`.
"""
