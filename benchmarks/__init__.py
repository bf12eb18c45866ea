"""Measures dynaferry against what a user would pick instead. Talks only to loopback."""
