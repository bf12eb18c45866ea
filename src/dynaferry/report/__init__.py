"""A run that has ended, told in one file."""
