"""A demo that needs no AWS account: two on this machine, a copy, a check of every item."""
