"""Matrix completion tasks: random low-rank targets, random observations, random starts."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from offconvex import rng
from offconvex.factorizations.matrix import model as matrix
from offconvex.factorizations.tasks import Completion, Layers, low_rank_matrix
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class MatrixCompletion(Completion):
    """A matrix completion task (razin2022implicit, Fig. 1): Gaussian target of a given rank, uniform observations.

    Attributes:
        size: the matrix is size x size.
        rank: of the target.
        observed: number of entries seen.
    """

    size: int = 64
    rank: int = 5
    observed: int = 2048

    def __post_init__(self):
        freedom = self.rank * (2 * self.size - self.rank)
        if not (1 <= self.rank <= self.size and 1 <= self.observed <= self.size**2):
            raise ValueError(
                "A completion task needs 1 <= rank <= size and 1 <= observed <= size^2; "
                f"got size {self.size}, rank {self.rank}, observed {self.observed}."
            )
        if self.observed < freedom:
            raise ValueError(
                f"{self.observed} entries cannot determine a {self.size} x {self.size} matrix of rank {self.rank}, "
                f"which has {freedom} degrees of freedom; observe more entries or lower the rank."
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Lengths of the axes."""
        return self.size, self.size

    @property
    def norm(self) -> float:
        """Frobenius norm of the target, such that its entries have mean square one."""
        return self.size

    def target(
        self, rt: Runtime, seed: int, stream: str, replicas: range
    ) -> Float[Tensor, "{len(replicas)} {self.size} {self.size}"]:
        """Targets of the given replicas."""
        draws = [rng.generator(seed, stream, "target", r) for r in replicas]
        return torch.stack([low_rank_matrix(rt, draw, size=self.size, rank=self.rank) for draw in draws])

    def start(self, rt: Runtime, seed: int, stream: str, replicas: range, *, depth: int, std: float) -> Layers:
        """Gaussian layers of the given replicas."""
        generators = [rng.generator(seed, stream, "layers", r) for r in replicas]
        return matrix.gaussian_layers(rt, generators, depth=depth, size=self.size, std=std)
