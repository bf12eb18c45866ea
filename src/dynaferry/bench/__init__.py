"""Measures people's own tables: how fast they take writes or give pages, and what a copy costs."""
