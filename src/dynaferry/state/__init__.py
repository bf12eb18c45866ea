"""What survives a crash: the state file of a run, its records and its lock.

Knows plan and errors; copy, control, report and verify use it through the protocols in `store`,
which take and give `records`.
Begin there; `directory` says which files there are, `sqlite` keeps them.
"""
