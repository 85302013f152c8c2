"""Sparse regression with more weights than examples, and the network w = u^2 - v^2; nothing depends on the device."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from offconvex import rng
from offconvex.bias import entries


@dataclass(frozen=True)
class SparseProblem:
    """One problem of regression without noise, or a batch of them: labels are Xw* for a sparse w*.

    Attributes:
        X: (..., n, d) examples as rows.
        y: (..., n) labels.
        target: (..., d) w*.
    """

    X: Float[np.ndarray, "*batch n d"]
    y: Float[np.ndarray, "*batch n"]
    target: Float[np.ndarray, "*batch d"]

    def __getitem__(self, place: int | slice | None | np.ndarray) -> "SparseProblem":
        """One problem of a batch, or several; with None, a batch of this one."""
        return SparseProblem(self.X[place], self.y[place], self.target[place])

    @property
    def support(self) -> Bool[np.ndarray, "*batch d"]:
        """Where w* is not zero."""
        return self.target != 0


def join(problems: Sequence[SparseProblem]) -> SparseProblem:
    """Batches of problems of one size, as one batch."""
    parts = [(p.X, p.y, p.target) for p in problems]
    return SparseProblem(*(np.concatenate(part) for part in zip(*parts, strict=True)))


@dataclass(frozen=True)
class SparseLaw:
    """How problems are drawn: entries of X by `law`, w* with `nonzero` entries +-1 at random places.

    Attributes:
        examples: n.
        weights: d, at least n, so that all labels can be fitted.
        nonzero: number of entries of w* that are not zero.
        law: a name out of `entries.LAWS`.
    """

    examples: int = 20
    weights: int = 40
    nonzero: int = 3
    law: str = "gaussian"

    def __post_init__(self):
        entries.require((self.law,))
        if not 1 <= self.nonzero <= self.weights or not 1 <= self.examples <= self.weights:
            raise ValueError(
                "Problems need 1 <= examples <= weights and 1 <= nonzero <= weights; got "
                f"{self.examples} examples, {self.weights} weights, {self.nonzero} nonzero."
            )

    def draw(self, seed: int, stream: str, count: int) -> SparseProblem:
        """`count` problems on a batch axis; each has its own stream, so that the first ones stay if more are drawn.

        Raises:
            ValueError: if there is to be none.
        """
        if count < 1:
            raise ValueError(f"Problems are drawn one or more at a time; got {count}.")
        drawn = [self._one(rng.numpy_generator(seed, stream, self.law, place)) for place in range(count)]
        X, target = (np.stack(part) for part in zip(*drawn, strict=True))
        return SparseProblem(X, (X @ target[..., None])[..., 0], target)

    def _one(self, generator: np.random.Generator) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " d"]]:
        X = entries.LAWS[self.law](generator, (self.examples, self.weights))
        target = np.zeros(self.weights)
        target[generator.permutation(self.weights)[: self.nonzero]] = generator.choice([-1.0, 1.0], self.nonzero)
        return X, target
