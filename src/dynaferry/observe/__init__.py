"""What people and scripts see of a run: counters, progress, health, metrics, logs, the summary.

Counters are written by those who do the work and steer nothing; knows neither plan nor ports. Begin
at `stats`; `monitor` holds what is known of a run at a moment.
"""
