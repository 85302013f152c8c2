"""Separable data sets of matrices, labels absorbed; nothing depends on the device."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from offconvex import rng

LAWS = {
    "gaussian": lambda generator, shape: generator.standard_normal(shape),
    "uniform": lambda generator, shape: generator.uniform(-np.sqrt(3), np.sqrt(3), shape),
    "student": lambda generator, shape: generator.standard_t(4, shape) / np.sqrt(2),
}
"""How an entry is drawn, always with mean zero and variance one: Gaussian, uniform, Student with 4 degrees."""


@dataclass(frozen=True)
class SeparableData:
    """Several data sets of one size, one for each law of `laws`, in this order.

    A label of either sign times an example of a symmetric law has the law of the example, so only products are drawn.
    Any N <= rows * columns examples of a law with a density are linearly independent, hence separable by weights of
    which every margin is one.

    Attributes:
        rows: of a matrix.
        columns: of a matrix.
        examples: N of a data set.
        laws: names out of `LAWS`, as often as wanted.
    """

    rows: int = 8
    columns: int = 8
    examples: int = 24
    laws: tuple[str, ...] = ("gaussian", "uniform", "student")

    def __post_init__(self):
        if unknown := set(self.laws) - set(LAWS) or (not self.laws and {"none"}):
            raise ValueError(f"Laws are out of {', '.join(LAWS)}; got {', '.join(sorted(unknown))}.")
        if min(self.rows, self.columns, self.examples) < 1 or self.examples > self.rows * self.columns:
            raise ValueError(
                "Data sets need at least one example, and at most as many as a matrix has entries, so that they are "
                f"certainly separable; got {self.examples} examples of {self.rows} x {self.columns} matrices."
            )

    def draw(self, seed: int) -> Float[np.ndarray, "R N n m"]:
        """Examples times their labels, one data set for each law; each has its own stream."""
        shape = (self.examples, self.rows, self.columns)
        drawn = []
        for place, law in enumerate(self.laws):
            drawn.append(LAWS[law](rng.numpy_generator(seed, "separable", law, place, *shape), shape))
        return np.stack(drawn)
