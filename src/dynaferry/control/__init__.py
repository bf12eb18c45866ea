"""Pause and caps of a run while it is under way: what holds at a moment, and who says so.

May use the state file, in which another process leaves what it asks for, the plan and limiters.
Begin at `effective`, the one rule; `follower` applies it a few times a second.
"""
