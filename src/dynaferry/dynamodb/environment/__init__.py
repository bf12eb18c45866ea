"""What was set outside of dynaferry: ~/.aws, environment variables, proxies, the service's clock.

Begin at `settings`.
"""
