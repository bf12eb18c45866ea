"""Who works at this machine, for a list of what people asked of a run."""

import getpass


def user_name() -> str:
    """The name of the user; `somebody` where the machine has none for them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container with a number for a user
        return "somebody"
