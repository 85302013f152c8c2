"""Polynomial features on the sphere, whitened: the fixed first layers of the hierarchical learner."""

import itertools

import torch

from offconvex.runtime import Runtime


def sphere(rt: Runtime, generator: torch.Generator, count: int, dimension: int) -> torch.Tensor:
    """Points (count, d) uniform on the sphere of radius sqrt(d)."""
    points = rt.normal(generator, count, dimension)
    return points * (dimension**0.5 / points.norm(dim=1, keepdim=True))


def quadratic_features(points: torch.Tensor) -> torch.Tensor:
    """All d (d + 1) / 2 polynomials of degree 2 on the sphere of radius sqrt(d), exactly white, (n, D).

    E x_i^2 x_j^2 = d / (d + 2) whitens the products; the squares have second moments d / (d + 2) (2 I + 1 1^T), with
    eigenvalue d along the constant and 2 d / (d + 2) elsewhere.
    """
    d = points.shape[1]
    rows, columns = torch.triu_indices(d, d, 1, device=points.device)
    products = points[:, rows] * points[:, columns] * ((d + 2) / d) ** 0.5
    squares = points.square()
    mean = squares.mean(1, keepdim=True)
    return torch.cat([products, (squares - mean) * ((d + 2) / (2 * d)) ** 0.5 + mean / d**0.5], 1)


def monomials(points: torch.Tensor, degree: int) -> torch.Tensor:
    """Monomials of one degree, (n, C(d + degree - 1, degree)), lower ones of its parity included."""
    choices = itertools.combinations_with_replacement(range(points.shape[1]), degree)
    return torch.stack([points[:, list(c)].prod(1) for c in choices], 1)


def whitener(features: torch.Tensor) -> torch.Tensor:
    """(D, D) matrix that makes a sample (n, D) of features white, n well above D.

    Raises:
        ValueError: if there are fewer samples than features: their second moments have no inverse.
    """
    count, size = features.shape
    if count < size:
        raise ValueError(
            f"Whitening {size} features needs at least as many samples; got {count}. Use an unlabeled set."
        )
    values, vectors = torch.linalg.eigh(features.mT @ features / count)
    return vectors / values.clamp_min(1e-12 * values[-1]).sqrt()


def indicators(points: torch.Tensor, directions: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """Random indicator units 1 [<v_j, x> + b_j >= 0], (n, D), the representation of chen2020hierarchical."""
    return (points @ directions.mT + offsets >= 0).to(points.dtype)
