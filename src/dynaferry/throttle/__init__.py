"""How fast, and how patiently: limiters in capacity units, and the one retry layer.

Pure where it decides, with the clock passed in; knows neither plan nor ports. Begin at `limiter`,
the question that readers and writers ask; `rate_controller` finds the rate, `attribution` and
`key_ranges` say what a throttle is about, `retry` when to try again.
"""
