"""Laws by which entries of data are drawn in this part, all with mean zero and variance one."""

import numpy as np

LAWS = {
    "gaussian": lambda generator, shape: generator.standard_normal(shape),
    "uniform": lambda generator, shape: generator.uniform(-np.sqrt(3), np.sqrt(3), shape),
    "student": lambda generator, shape: generator.standard_t(4, shape) / np.sqrt(2),
}
"""How an entry is drawn: Gaussian, uniform, or Student with 4 degrees of freedom, whose fourth moment is infinite."""


def require(laws: tuple[str, ...]) -> None:
    """Nothing, if all names are in `LAWS` and there is at least one.

    Raises:
        ValueError: if there is none, or one that is unknown.
    """
    if unknown := set(laws) - set(LAWS) or (not laws and {"none"}):
        raise ValueError(f"Laws are out of {', '.join(LAWS)}; got {', '.join(sorted(unknown))}.")
