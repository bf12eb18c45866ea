"""A demo without an AWS account: two accounts on this machine, a copy, and a check of every item."""
