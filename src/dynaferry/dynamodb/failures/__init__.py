"""What is told of a request that failed: where, why, and what to do now.

Begin at `service_errors`, which knows the service's codes.
"""
