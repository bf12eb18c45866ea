"""Who calls: both sides' sessions and credentials, and how secrets are kept out of messages.

Begin at `session`; `credentials` says which credentials are good now, and renews them.
"""
