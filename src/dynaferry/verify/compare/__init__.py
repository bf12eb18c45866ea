"""Compares the two sides of one table, and repairs what differs.

Knows ports, limiters and the records of `verify.state`; of the network edge only how items are read
(`dynamodb.items`). Begin at `table_comparison`.
"""
