"""What a fixed first layer must hold: half the degree rounded up; and random indicator units instead."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from offconvex import rng
from offconvex.runtime import Runtime
from offconvex.tangents import theory
from offconvex.tangents.learners import least_nuclear, quadratic_values
from offconvex.tangents.polynomials import indicators, monomials, quadratic_features, sphere, whitener


@dataclass(frozen=True)
class OddDegree:
    """Learning (b^T x)^5 on the sphere from features of degree two or three.

    Attributes:
        dimension: of the inputs.
        trials: independent samples.
        ratio: samples over the number of features of degree three.
        unlabeled: points that whiten the features.
        projection: points that find the best function of the features of degree two.
    """

    dimension: int = 6
    trials: int = 5
    ratio: float = 4.0
    unlabeled: int = 20_000
    projection: int = 20_000


def features(points: Float[Tensor, "n d"], degree: int) -> Float[Tensor, "n h"]:
    """All polynomials up to a degree on the sphere: monomials of that degree and of the one below, not white."""
    return torch.cat([monomials(points, degree), monomials(points, degree - 1)], 1)


def odd_degree(config: OddDegree, rt: Runtime, seed: int) -> dict[str, Shaped[np.ndarray, "..."]]:
    """What quadratic models on features of degree two and of degree three can do for degree five.

    Returns:
        "floor", the share of the labels' mean square that the best h^T M h leaves, h of degree two, on fresh points;
        "errors" (trials,), relative test errors of the least nuclear norm on white features of degree three; "samples",
        how many each trial has; "span", the dimension of polynomials up to degree five, which a kernel must resolve.
    """
    generator, d = rng.generator(seed, "odd degree"), config.dimension
    points = sphere(rt, generator, config.projection, d)
    fresh = sphere(rt, generator, config.projection, d)
    # All products of two features of degree two are the polynomials of degree four.
    basis, other = features(points, 4), features(fresh, 4)
    best = torch.linalg.lstsq(basis, points[:, :1] ** 5).solution
    floor = (other @ best - fresh[:, :1] ** 5).square().mean() / (fresh[:, 0] ** 5).square().mean()
    white = whitener(features(sphere(rt, generator, config.unlabeled, d), 3))
    samples = round(config.ratio * len(white))
    seen = torch.stack([sphere(rt, generator, samples, d) for _ in range(config.trials)])
    fit = least_nuclear(torch.stack([features(x, 3) @ white for x in seen]), seen[..., 0] ** 5, iterations=1000)
    tests = fresh[:2000]
    wrong = quadratic_values(fit.matrix, features(tests, 3) @ white) - tests[:, 0] ** 5
    errors = wrong.square().mean(1) / (tests[:, 0] ** 5).square().mean()
    span = theory.sphere_dimension(d, 5)
    return {
        "floor": floor.cpu().numpy(),
        "errors": errors.cpu().numpy(),
        "samples": np.array(samples),
        "span": np.array(span),
    }


def growth(degree: int, dimensions: tuple[int, int] = (100, 200)) -> float:
    """Exponent in d with which the number of features up to a degree grows, between two dimensions."""
    counts = [theory.sphere_dimension(d, degree) for d in dimensions]
    return float(np.log(counts[1] / counts[0]) / np.log(dimensions[1] / dimensions[0]))


@dataclass(frozen=True)
class Indicators:
    """Learning (b^T x)^4 on the sphere with a first layer of random indicator units, fixed and whitened.

    Attributes:
        dimension: of the inputs.
        widths: numbers of units.
        samples: training points.
        trials: independent samples and units.
        unlabeled: points that whiten the units.
    """

    dimension: int = 6
    widths: tuple[int, ...] = (40, 80, 160)
    samples: int = 84
    trials: int = 5
    unlabeled: int = 20_000


def indicator_errors(
    config: Indicators, rt: Runtime, seed: int
) -> Float[np.ndarray, "{len(config.widths)+1} {config.trials}"]:
    """Relative test errors; the last row has white polynomials of degree two instead of units."""
    d, errors = config.dimension, []
    generator = rng.generator(seed, "indicators")
    tests, unlabeled = sphere(rt, generator, 2000, d), sphere(rt, generator, config.unlabeled, d)
    truth = tests[:, 0] ** 4
    for width in (*config.widths, None):
        row = []
        for _ in range(config.trials):
            seen = sphere(rt, generator, config.samples, d)
            if width is None:
                layer = quadratic_features
            else:
                directions, offsets = rt.normal(generator, width, d), rt.normal(generator, width) * d**0.5
                white = whitener(indicators(unlabeled, directions, offsets))
                layer = lambda x, v=directions, b=offsets, w=white: indicators(x, v, b) @ w  # noqa: E731
            fit = least_nuclear(layer(seen)[None], (seen[:, 0] ** 4)[None], iterations=400, tolerance=1e-2)
            wrong = quadratic_values(fit.matrix, layer(tests))[0] - truth
            row.append(float(wrong.square().mean() / truth.var()))
        errors.append(row)
    return np.array(errors)
