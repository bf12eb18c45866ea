"""The report of a run from its state file: one HTML file; `status` reads the run in the same way.

May use state, control and the counters' words; never touches the network. Begin at `page`;
`stored_run` reads the state file.
"""
