"""The life of a run: sides opened, tables looked at, new or resumed state, copy, summary.

May use preflight, copy and control, and all below them; it is the one place that joins the copy
with the network edge. Begin at `copy_tables`, the whole story. An attempt lives as `lifecycle`
says, and that of a copy is `attempt`; `table_copy` is how one table is copied, and `assembly` puts
its pipeline together.
"""
