"""Follow: what changes in the source while its table is copied, and after.

Changes are captured from the source's stream into a spool of the run's own from before the first
Scan on, and applied to the target once the copy's last write is acknowledged: per key the newest
state, never an older one after it. Begin with `capture` (stream to spool) and `applier` (spool to
target); `lineage` decides which shards may be read, `spool` is what survives a crash.

The switch: `cut_over` decides its steps, on what `quiet` and `readiness` say; `switching` takes
them in the process of the move, `asking` asks for them from another.

The room stands above `verify`, which compares every key after a gap (`resync`): it may use that,
`run`, `copy` and everything below.
"""
