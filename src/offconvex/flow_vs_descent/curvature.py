"""Extreme eigenvalues of a Hessian that is never formed, by SciPy's Lanczos iteration on Hessian-vector products."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from offconvex.descent import Parameters
from offconvex.flow_vs_descent.objective import HessianVector


@dataclass(frozen=True)
class Extremes:
    """Both ends of a spectrum.

    Attributes:
        least: the smallest eigenvalue; a Ritz value, so never below the true one.
        most: the largest one.
        error: the larger residual |H v - lambda v| of the two: each value is within it of an eigenvalue.
        products: Hessian-vector products spent.
    """

    least: float
    most: float
    error: float
    products: int


def extremes(
    hessian: HessianVector, like: Parameters, draws: np.random.Generator, *, tolerance: float = 1e-3
) -> Extremes:
    """Smallest and largest eigenvalue of a Hessian at one point.

    Args:
        hessian: products with it, for one replica.
        like: parameters (1, ...), for shapes only.
        draws: of the first vector.
        tolerance: relative error of an eigenvalue.

    Raises:
        ArithmeticError: if the iteration does not converge, as when an eigenvalue is much closer to zero than others.
    """
    shapes = [p.shape for p in like]
    sizes = [p.numel() for p in like]
    count = 0

    def product(vector: np.ndarray) -> np.ndarray:
        nonlocal count
        count += 1
        flat = torch.as_tensor(np.ascontiguousarray(vector), dtype=like[0].dtype, device=like[0].device)
        blocks = tuple(block.view(shape) for block, shape in zip(flat.flatten().split(sizes), shapes))
        return torch.cat([p.flatten() for p in hessian(blocks)]).cpu().numpy().astype(np.float64)

    size = sum(sizes)
    operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
    values, error = {}, 0.0
    for end in ("SA", "LA"):
        start = draws.standard_normal(size)
        try:
            # Where a Krylov space closes, as it does with units that never fire, SciPy draws a new direction; from the
            # operating system's entropy, unless it is given a generator.
            value, vector = eigsh(
                operator,
                k=1,
                which=end,
                tol=tolerance,
                v0=start,
                ncv=min(40, size),
                maxiter=300,
                rng=draws.spawn(1)[0],
            )
        except ArpackNoConvergence:
            raise ArithmeticError(
                f"Lanczos did not converge in {count} products; give a larger `tolerance` than {tolerance}."
            ) from None
        values[end] = float(value[0])
        error = max(error, float(np.linalg.norm(product(vector[:, 0]) - values[end] * vector[:, 0])))
    return Extremes(values["SA"], values["LA"], error, count)
