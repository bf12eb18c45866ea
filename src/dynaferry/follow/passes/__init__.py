"""Passes: a move without a stream, for those who may not enable one.

The table is copied; then every key of both sides is compared and repaired, with the writers on,
pass after pass: each finds what was written since the one before came to its key. Once they find
few, or no fewer than before, the outage that a switch would take is told: one pass more, which runs
after the writers have stopped. `cut-over` makes that one.

Begin with `without_stream` (the story) and `convergence` (what is decided and told, pure);
`one_pass` makes a pass, `passes` makes them in turn, `last_pass` is the switch, and `answering`
does what others ask through the run's file.
"""
