"""Polynomial features on the sphere, whitened: the fixed first layers of the hierarchical learner."""

import itertools

import torch
from jaxtyping import Float
from torch import Tensor

from offconvex.runtime import Runtime


def sphere(rt: Runtime, generator: torch.Generator, count: int, dimension: int) -> Float[Tensor, "{count} {dimension}"]:
    """Points uniform on the sphere of radius sqrt(d)."""
    points = rt.normal(generator, count, dimension)
    return points * (dimension**0.5 / points.norm(dim=1, keepdim=True))


def quadratic_features(points: Float[Tensor, "n d"]) -> Float[Tensor, "n d*(d+1)//2"]:
    """All d (d + 1) / 2 polynomials of degree 2 on the sphere of radius sqrt(d), exactly white.

    E x_i^2 x_j^2 = d / (d + 2) whitens the products; the squares have second moments d / (d + 2) (2 I + 1 1^T), with
    eigenvalue d along the constant and 2 d / (d + 2) elsewhere.
    """
    d = points.shape[1]
    rows, columns = torch.triu_indices(d, d, 1, device=points.device)
    products = points[:, rows] * points[:, columns] * ((d + 2) / d) ** 0.5
    squares = points.square()
    mean = squares.mean(1, keepdim=True)
    return torch.cat([products, (squares - mean) * ((d + 2) / (2 * d)) ** 0.5 + mean / d**0.5], 1)


def monomials(points: Float[Tensor, "n d"], degree: int) -> Float[Tensor, "n h"]:
    """Monomials of one degree, C(d + degree - 1, degree) of them, lower ones of its parity included."""
    choices = itertools.combinations_with_replacement(range(points.shape[1]), degree)
    return torch.stack([points[:, list(c)].prod(1) for c in choices], 1)


def whitener(features: Float[Tensor, "n h"]) -> Float[Tensor, "h h"]:
    """Matrix that makes a sample of n features white, with n well above their number.

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


def indicators(
    points: Float[Tensor, "n d"], directions: Float[Tensor, "units d"], offsets: Float[Tensor, " units"]
) -> Float[Tensor, "n units"]:
    """Random indicator units 1 [<v_j, x> + b_j >= 0], the representation of chen2020hierarchical."""
    return (points @ directions.mT + offsets >= 0).to(points.dtype)
