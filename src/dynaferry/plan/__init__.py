"""What to copy, from where to where, and how. Pure but for reading the file.

`settings` is the plan, `schedule` its caps by the hour. A plan file becomes one in `plan_file`;
`validation` lets only whole plans out, and `messages` has the words for what is wrong with others.
`recorded` is what of it a state file keeps. Begin at `settings`.
"""
