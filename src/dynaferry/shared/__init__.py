"""Text and files that come from people, for every room.

May use nothing but errors. `files` reads and replaces files, `urls` checks addresses as they are
typed, `arn` says what an ARN holds, `printable` is the one way on which text from elsewhere is
shown. Begin at `files`.
"""
