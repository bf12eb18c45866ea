"""How well the pace is found: whole copies against the simulator, judged by what it saw.

    python -m benchmarks.throttle [CASE ...] [--real] [--peer] [--grid N] [--out FILE]

cases.py says what is tried and what must be reached. virtual.py runs one copy in virtual time,
trial.py one over HTTP in real time, peer.py what one would write oneself. judge.py reads the
simulator's report, grid.py says which other shapes of a target are tried, over_grid.py tries them;
tried.py keeps what came of it, table.py and plot.py show it.
"""
