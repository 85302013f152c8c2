"""Which card there is, asked in a process of its own, and what a Python needs to measure it."""

import importlib.util
import signal
from collections.abc import Callable, Mapping

NEEDED = ("torch", "numpy", "scipy", "matplotlib", "PIL", "jaxtyping", "yaml", "psutil", "tqdm")
"""What the parts import, by the names of modules; the rest of the pins is not needed for them."""
PATIENCE = 120
"""Seconds in which a card must answer: the first import of torch on a machine can take most of a minute."""

Card = Callable[[], Mapping[str, object]]
"""What a card is: its "card", "card_gib", "torch" and "cuda"; it raises ValueError where there is none."""


def require() -> None:
    """Ask for the packages that the parts import.

    Raises:
        ValueError: if some are not there.
    """
    absent = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        raise ValueError(
            f"`make gpu` needs {', '.join(absent)}, which this Python does not have; install the pins with "
            "`pip install -r requirements.txt`, or name a Python that has them: make gpu PYTHON=python3."
        )


def cuda() -> dict[str, object]:
    """The first CUDA device, after a small computation there.

    Raises:
        ValueError: if torch is not built for CUDA, sees no device, or cannot compute there.
    """
    import torch

    if torch.version.cuda is None:
        raise ValueError(f"`make gpu` needs a torch built for CUDA; torch {torch.__version__} is not.")
    if not torch.cuda.is_available():
        raise ValueError(
            "`make gpu` needs a CUDA device, and torch sees none here; look at its driver with `nvidia-smi`."
        )
    try:
        one = torch.eye(64, dtype=torch.float64, device="cuda")
        (one @ one).cpu()
    except RuntimeError as error:
        raise ValueError(
            f"torch {torch.__version__} sees a CUDA device and cannot use it: {first_line(error)}"
        ) from None
    about = torch.cuda.get_device_properties(0)
    return {
        "card": about.name,
        "card_gib": round(about.total_memory / 2**30, 1),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
    }


def ask(card: Card) -> dict[str, object]:
    """What the card is.

    Raises:
        ValueError: if there is none, or it does not answer in `PATIENCE` seconds.
    """
    from offconvex.book import processes  # by now what it imports is known to be there

    with processes.at_work(_answer, [(card,)], workers=1) as ended:
        ((_, _, future),) = ended
    try:
        return dict(future.result())
    except ChildProcessError:
        raise ValueError(f"The card did not answer within {PATIENCE} s, or its process was killed.") from None


def _answer(card: Card) -> Mapping[str, object]:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    return card()


def first_line(error: BaseException) -> str:
    """The first line of what an error says."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
