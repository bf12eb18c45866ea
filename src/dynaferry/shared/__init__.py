"""What every room may use of text and files that come from people.

Knows nothing but errors. `files` reads and replaces files, `urls` checks addresses as they are
typed, `arn` says what an ARN holds, `printable` is the one way on which text from elsewhere is
shown.
"""
