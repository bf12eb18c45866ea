"""The controls of a run under way: its pause and caps, and who set them.

May use the state file, in which another process leaves what it asks for, the plan and limiters.
Begin at `effective`, the one rule; `follower` applies it a few times a second.
"""
