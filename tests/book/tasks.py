"""What tests let processes of their own do: these find it by its name."""

import os
import signal


def die_at_one(number: int) -> int:
    """The number, but for 1: there the process is killed."""
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number
