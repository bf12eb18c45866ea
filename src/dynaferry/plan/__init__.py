"""What to copy, from where to where, and how: settings, the plan file, caps by the hour.

Pure but for reading the file. Begin at `settings`.
"""
