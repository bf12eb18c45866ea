"""How well the pace is found: whole copies against the simulator, judged by what it saw.

    python -m benchmarks.throttle [CASE ...] [--peers] [--out DIR]

cases.py says what is tried and what must be reached, trial.py runs one copy, judge.py reads the
simulator's report, plot.py draws rate against capacity over time.
"""
