"""Tables as the service describes them, and the calls that look at, create and warm them.

Begin at `description`, the records; `describe` gets them.
"""
