"""Posteriors of matrices, p(X) proportional to exp(-beta |A(X X^T) - b|^2): factorization, sensing and completion."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from offconvex import rng
from offconvex.runtime import Runtime
from offconvex.sampling.manifolds import theory
from offconvex.sampling.model import Target

OPERATORS = ("factorization", "sensing", "completion")


@dataclass(frozen=True)
class Posterior:
    """A posterior of d x k matrices whose data come from X0 without noise: b = A(X0 X0^T) (lee2021post3).

    Attributes:
        rows: d.
        values: singular values of X0, as many as columns k <= d.
        beta: inverse temperature, positive.
        operator: "factorization" (all entries), "sensing" (Gaussian measurements of mean norm one) or "completion"
            (a symmetric random part of the entries, diagonal included).
        measurements: of sensing.
        observed: share of the off-diagonal entries of completion.
        seed: of the operator and of the singular vectors of X0; factorization has neither.
    """

    rows: int
    values: tuple[float, ...]
    beta: float
    operator: str = "factorization"
    measurements: int = 40
    observed: float = 0.8
    seed: int = 0

    def __post_init__(self):
        if not (1 <= len(self.values) <= self.rows and min(self.values) > 0 and self.beta > 0):
            raise ValueError(
                "A posterior needs 1 <= columns <= rows, positive singular values and beta > 0; "
                f"got {self.rows} rows, values {self.values}, beta {self.beta}."
            )
        if self.operator not in OPERATORS:
            raise ValueError(f"`operator` must be one of {', '.join(OPERATORS)}; got {self.operator!r}.")

    @property
    def columns(self) -> int:
        """k, the number of columns."""
        return len(self.values)

    def minimizer(self) -> Float[np.ndarray, "{self.rows} {self.columns}"]:
        """X0: diag(values) over zeros for factorization, else with random left singular vectors."""
        if self.operator == "factorization":
            return np.eye(self.rows, self.columns) * self.values
        draws = rng.numpy_generator(self.seed, "minimizer", self.operator).normal(size=(self.rows, self.columns))
        basis, upper = np.linalg.qr(draws)
        return basis * np.sign(np.diag(upper)) * self.values

    def measurement(self) -> Float[np.ndarray, "m {self.rows} {self.rows}"] | None:
        """A as m symmetric slices; None for the identity."""
        if self.operator == "factorization":
            return None
        generator = rng.numpy_generator(self.seed, "operator", self.operator)
        d = self.rows
        if self.operator == "sensing":
            draws = generator.normal(size=(self.measurements, d, d)) / self.measurements**0.5
            return (draws + draws.transpose(0, 2, 1)) / 2
        pairs = np.argwhere(np.triu(np.ones((d, d)), 1))
        seen = generator.permutation(len(pairs))[: round(self.observed * len(pairs))]
        slices = []
        for i, j in [*np.repeat(np.arange(d), 2).reshape(d, 2), *pairs[seen]]:
            one = np.zeros((d, d))
            # An entry off the diagonal is seen twice, above and below.
            one[i, j] = one[j, i] = 1.0 if i == j else 0.5**0.5
            slices.append(one)
        return np.array(slices)

    def curvatures(self) -> Float[np.ndarray, " curvatures"]:
        """Curvatures of the loss across the fiber at X0, ascending."""
        return theory.normal_curvatures(self.minimizer(), self.measurement())

    def step(self, share: float) -> float:
        """The step at which step * beta * largest curvature is `share`; unadjusted steps are stable below two."""
        return share / (self.beta * self.curvatures()[-1])

    def target(self, rt: Runtime) -> Target:
        """Log density -beta |A(X X^T) - b|^2 and its gradient, for positions (N, d, k)."""
        truth = rt.tensor(self.minimizer() @ self.minimizer().T)
        operator = self.measurement()
        if operator is None:
            return _factorization(truth, self.beta)
        flat = rt.tensor(operator.reshape(len(operator), -1))
        return _measured(flat, flat @ truth.reshape(-1), self.beta)


def _inside(position: torch.Tensor) -> torch.Tensor:
    """Positions (N, d, k) as (d, k, N), a view if the replica axis is innermost."""
    return position.movedim(0, -1).contiguous()


def _factorization(truth: torch.Tensor, beta: float) -> Target:
    # X X^T X - M X with the k x k products X^T X: columns of length N throughout, no small matrix products.
    def parts(position: torch.Tensor):
        x = _inside(position)
        rows, columns, count = x.shape
        pulled = torch.matmul(truth, x.reshape(rows, -1)).reshape(rows, columns, count)
        return x, pulled

    def push(x: torch.Tensor, force: torch.Tensor) -> torch.Tensor:
        """Add -X (X^T X) to the force in place; return |X^T X|^2."""
        square = 0.0
        for a in range(x.shape[1]):
            for b in range(a, x.shape[1]):
                gram = (x[:, a] * x[:, b]).sum(0)
                force[:, a].addcmul_(x[:, b], gram, value=-1)
                if a != b:
                    force[:, b].addcmul_(x[:, a], gram, value=-1)
                square = square + (1 if a == b else 2) * gram * gram
        return square

    def gradient(position: torch.Tensor) -> torch.Tensor:
        x, force = parts(position)
        push(x, force)
        return force.mul_(4 * beta).movedim(-1, 0)

    def both(position: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, force = parts(position)
        cross = (x * force).sum((0, 1))
        loss = push(x, force) - 2 * cross + (truth * truth).sum()
        return -beta * loss, force.mul_(4 * beta).movedim(-1, 0)

    return Target(both, gradient)


def _measured(operator: torch.Tensor, data: torch.Tensor, beta: float) -> Target:
    def both(position: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = _inside(position)
        rows, _, count = x.shape
        product = (x[:, None] * x[None, :]).sum(2)
        residual = operator @ product.reshape(-1, count) - data[:, None]
        pull = (operator.T @ residual).reshape(rows, rows, count)
        force = (pull[:, :, None] * x[None]).sum(1)
        return -beta * (residual * residual).sum(0), force.mul_(-4 * beta).movedim(-1, 0)

    return Target(both)
