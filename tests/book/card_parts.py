"""Small parts of a measurement on a card, for processes that find them by name; each notes that it was called."""

import functools
import os
import re
import signal
import time

from offconvex import paths
from offconvex.book.card.parts import Part


def card() -> dict[str, object]:
    """A card as the session describes it."""
    return {"card": "a simulated card", "card_gib": 1.5, "torch": "none", "cuda": "none"}


def other_card() -> dict[str, object]:
    """Another one."""
    return card() | {"card": "another card"}


def silent_card() -> dict[str, object]:
    """One whose driver takes the process with it."""
    os.kill(os.getpid(), signal.SIGKILL)


def note(device: str, name: str) -> dict[str, object]:
    """Write down that the part was called, and by which process."""
    with open(paths.build_folder() / "called.txt", "a") as file:
        file.write(f"{name} {os.getpid()}\n")
    return {"device": device}


def calls(name: str) -> int:
    """How many calls were noted of parts whose names begin like this."""
    return sum(line.startswith(name) for line in (paths.build_folder() / "called.txt").read_text().splitlines())


class OutOfMemoryError(RuntimeError):
    """Named like torch's."""


def fail(device: str, name: str) -> dict[str, object]:
    """Fail with an error of two lines, as an allocation that does not fit does."""
    note(device, name)
    raise OutOfMemoryError(f"CUDA out of memory in {paths.build_folder()}/kernel.\nTry less.")


def fail_once(device: str, name: str) -> dict[str, object]:
    """Fail the first time."""
    note(device, name)
    if calls(name) == 1:
        raise ValueError("not yet")
    return {}


def wait(device: str, name: str) -> dict[str, object]:
    """Take a minute the first time."""
    note(device, name)
    if calls(name) == 1:
        time.sleep(60)
    return {}


def meet(device: str, name: str) -> dict[str, object]:
    """Come to an end when two parts have been called."""
    note(device, name)
    while calls("") < 2:
        time.sleep(0.05)
    return {}


def hold(device: str, name: str) -> dict[str, object]:
    """Hold all threads of the process for hours, in C."""
    note(device, name)
    re.match("(a+)+$", "a" * 60 + "b")


def die(device: str, name: str) -> dict[str, object]:
    """Be killed, as by a machine without memory."""
    note(device, name)
    os.kill(os.getpid(), signal.SIGKILL)


def chapter(device: str, profile: str = "default") -> dict[str, object]:
    """The tiny project's chapter on the simulated device."""
    import simulated

    from offconvex.book.card import chapters

    with simulated.installed():
        return chapters.run(device, "tiny", profile)


def engine(device: str) -> dict[str, object]:
    """Engines of a few entries on the simulated device."""
    import simulated

    from offconvex.book.card import engines

    with simulated.installed():
        return {
            "engine": "all engines",
            "problems": [engines.compare(p, device, least=1e-3, rounds=1) for p in problems()],
        }


def problems() -> list:
    """What `engine` compares."""
    from offconvex.book.card import engines as e

    return [
        e.matrix_problem(3, 2),
        e.tensor_problem((2, 3, 2), 3, 2),
        e.hierarchical_problem(3, 2, length=2),
        e.network_problem(20, 2),
        e.network_problem(20, dual=True),
        e.langevin_problem(5),
    ]


def part(function, name: str, *, seconds: float = 500, together: bool = False) -> Part:
    """A part of one of the functions above that notes its name."""
    return Part(name, functools.partial(function, name=name), seconds, together=together)
