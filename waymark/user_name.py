"""Who works at the command, for histories and audits."""

import getpass
import os


def user_name() -> str:
    """Return the name of the operating system's user, or its number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have a number and no name
        return f"uid {os.getuid()}"
