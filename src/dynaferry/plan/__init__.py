"""The plan of a copy: tables, accounts, limits. Pure but for reading the file. May use `shared`.

`settings` is the plan, `schedule` its caps by the hour. A plan file becomes one in `plan_file`;
`validation` lets only whole plans pass, and `messages` words their faults. `recorded` are the
settings that a state file keeps. Begin at `settings`.
"""
