"""A demo that needs no AWS account: two on this machine, a move of a table that is written all the
while, a check of every item.

May use `follow`, and the network edge to make clients. Its check is written apart from the copy on
purpose, and shares nothing with it. Begin at `show`.
"""
