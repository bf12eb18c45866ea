"""What the design of a move assumes of the service, measured where it will run.

In scratch tables that are made and dropped. Each module measures one thing and returns plain
figures; `verdicts` says what they mean, and is pure; `run` puts the file together. What cannot be
measured, for want of a right or since a stand-in does not offer it, is said, and the rest goes on.

May use what `bench` may. Begin at `run`.
"""
