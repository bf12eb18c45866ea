"""Preflight: inspects every table of a plan before anything is written, and refuses early.

May use the descriptions of the network edge and the plan. Begin at `inspection`; `checks` are the
pure refusals, `estimate` says what a copy takes, `bottleneck` what limits it, `notices` what a
person should know.
"""
