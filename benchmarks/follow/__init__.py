"""`python -m benchmarks.follow`: what it takes to follow a table that is written.

Real `dynaferry move` processes, over HTTP on loopback, against an endpoint in a process of its own
that has a stream of synthetic changes and takes everything. It knows when each change was written
and sees when it arrives: the lag is measured there, outside of what is measured.

    lag      changes at a steady rate: from the write on the source to the arrival on the target
    capture  a stream that is full from the start, while the scan is held: how fast it is kept
    drain    a spool that is full from the start: how fast it is applied
    deep     the same with millions of rows: with how much memory, and what its size costs
    beside   a copy with the capture beside it and a copy without, in turn
"""
