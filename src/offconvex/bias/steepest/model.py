"""Separable data sets of matrices, labels absorbed; nothing depends on the device."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from offconvex import rng
from offconvex.bias import entries


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
        laws: names out of `entries.LAWS`, as often as wanted.
    """

    rows: int = 8
    columns: int = 8
    examples: int = 24
    laws: tuple[str, ...] = ("gaussian", "uniform", "student")

    def __post_init__(self):
        entries.require(self.laws)
        if not all(isinstance(size, int | np.integer) for size in (self.rows, self.columns, self.examples)):
            raise ValueError(
                "Data sets need whole numbers of rows, columns and examples; got "
                f"{self.rows}, {self.columns} and {self.examples}."
            )
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
            drawn.append(entries.LAWS[law](rng.numpy_generator(seed, "separable", law, place, *shape), shape))
        return np.stack(drawn)
