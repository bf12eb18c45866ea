"""What people and scripts see of a run: counters, progress, health, metrics, logs, the summary.

The rooms that do the work write the counters, which steer nothing. May use neither plan nor ports.
Begin at `stats`; `monitor` keeps what is known of a run at a moment.
"""
