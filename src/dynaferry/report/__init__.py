"""A run told from its state file: as one HTML file, and to `status` while it runs.

May use state, control and the counters' words; never touches the network. Begin at `page`;
`stored_run` reads what is told.
"""
