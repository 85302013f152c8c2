"""How many samples each learner needs for a low-rank polynomial: learning curves and their thresholds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped

from offconvex import rng, runtime
from offconvex.files import Arrays
from offconvex.runtime import Runtime
from offconvex.stored import Stored, StoredExperiment
from offconvex.tangents import theory
from offconvex.tangents.learners import even_kernel, kernel_fit, least_nuclear, quadratic_values, tangent_kernel
from offconvex.tangents.polynomials import quadratic_features, sphere

SHARES = (0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 1.0, 1.1)
"""Samples of a kernel, as shares of the dimension of the polynomials that its rival represents."""


@dataclass(frozen=True)
class LearningCurves:
    """Learning curves for (b^T x)^2 with normal inputs and (b^T x)^4 with inputs on the sphere, without noise.

    Attributes:
        quadratic: dimensions for the quadratic model.
        kernel: dimensions for the polynomial kernel at degree two.
        tangent: the same for the tangent kernel.
        hierarchical: dimensions at degree four, for the hierarchical learner and for the kernels.
        ratios: samples of the quadratic model, over d or, at degree four, over the number of features D.
        trials: independent samples of each size.
        tests: test points.
        tolerance: duality gap at which the nuclear norm counts as least.
        iterations: most steps towards it.
        seed: of all samples.
    """

    quadratic: tuple[int, ...] = (10, 20, 40, 80)
    kernel: tuple[int, ...] = (10, 20, 40, 80)
    tangent: tuple[int, ...] = (10, 20, 40)
    hierarchical: tuple[int, ...] = (6, 8, 10, 12)
    ratios: tuple[float, ...] = (1.0, 1.5, 2.0, 2.25, 2.5, 2.75, 3.0, 3.25, 3.5, 3.75, 4.0, 4.5)
    trials: int = 9
    tests: int = 2000
    tolerance: float = 1e-3
    iterations: int = 1500
    seed: int = 0


def sizes_of(config: LearningCurves, kind: str, d: int) -> Int[np.ndarray, " sizes"]:
    """Numbers of samples of one curve, increasing."""
    if kind == "quadratic":
        return np.array([round(r * d) for r in config.ratios])
    if kind == "hierarchical":
        return np.array([round(r * d * (d + 1) / 2) for r in config.ratios])
    return np.array([round(share * dimension(kind, d)) for share in SHARES])


def dimension(kind: str, d: int) -> int:
    """Even polynomials of degree two on all space ("kernel", "tangent"), or of degree four on the sphere ("...4")."""
    return theory.even_dimension(d, 4, sphere=True) if kind.endswith("4") else theory.even_dimension(d, 2, sphere=False)


def curve(config: LearningCurves, kind: str, d: int, rt: Runtime) -> Arrays:
    """Relative test "errors" of one learner in one dimension, (sizes, trials), and its duality "gaps", shaped alike.

    A kernel's prediction is a closed form; its gaps are zero.

    Args:
        config: settings.
        kind: "quadratic" or "hierarchical", the nuclear norm on the inputs or on white features of degree two;
            "kernel" or "tangent", the even polynomial kernel or the tangent kernel of ReLU, on the task of degree two;
            "kernel4" or "tangent4", those on the task of degree four; "stacked4", a kernel of degree two on white
            features of degree two.
        d: dimension of the inputs.
        rt: device and precision.
    """
    rows = []
    for size in sizes_of(config, kind, d):
        generator = rng.generator(config.seed, "curves", kind, d, int(size))
        if kind in ("quadratic", "hierarchical"):
            learn = _quadratic if kind == "quadratic" else _hierarchical
            rows.append(learn(config, d, int(size), rt, generator))
        else:
            errors = [_kernel(config, kind, d, int(size), rt, generator) for _ in range(config.trials)]
            rows.append((errors, [0.0] * len(errors)))
    return {name: np.array(values) for name, values in zip(("errors", "gaps"), zip(*rows))}


def _quadratic(config: LearningCurves, d: int, size: int, rt: Runtime, generator: torch.Generator):
    inputs = rt.normal(generator, config.trials, size, d)
    fit = least_nuclear(inputs, inputs[..., 0].square(), tolerance=config.tolerance, iterations=config.iterations)
    wrong = fit.matrix.clone()
    wrong[:, 0, 0] -= 1
    # E (x^T D x)^2 = 2 |D|^2 + (tr D)^2 for normal x, and the labels' variance is 2: no test points are needed.
    trace = torch.diagonal(wrong, dim1=1, dim2=2).sum(1)
    return (wrong.square().sum((1, 2)) + trace.square() / 2).tolist(), fit.gap.tolist()


def _hierarchical(config: LearningCurves, d: int, size: int, rt: Runtime, generator: torch.Generator):
    points = torch.stack([sphere(rt, generator, size, d) for _ in range(config.trials)])
    features = torch.stack([quadratic_features(x) for x in points])
    fit = least_nuclear(features, points[..., 0] ** 4, tolerance=config.tolerance, iterations=config.iterations)
    tests = sphere(rt, generator, config.tests, d)
    truth = tests[:, 0] ** 4
    wrong = quadratic_values(fit.matrix, quadratic_features(tests)) - truth
    return (wrong.square().mean(1) / truth.var()).tolist(), fit.gap.tolist()


def _kernel(config: LearningCurves, kind: str, d: int, size: int, rt: Runtime, generator: torch.Generator) -> float:
    power, count = (4 if kind.endswith("4") else 2), size + config.tests
    points = sphere(rt, generator, count, d) if power == 4 else rt.normal(generator, count, d)
    seen, tests = points[:size], points[size:]
    labels, truth = seen[:, 0] ** power, tests[:, 0] ** power
    if kind.startswith("kernel"):
        kernel, across = even_kernel(seen, seen, power), even_kernel(tests, seen, power)
    elif kind == "stacked4":
        white, other = quadratic_features(seen), quadratic_features(tests)
        kernel, across = (white @ white.mT).square(), (other @ white.mT).square()
    else:
        kernel, across = tangent_kernel(seen, seen), tangent_kernel(tests, seen)
    # Labels are centered by their known mean, a help to every kernel.
    mean = 1.0 if power == 2 else 3 * d / (d + 2)
    predicted = kernel_fit(kernel[None], across[None], (labels - mean)[None])[0] + mean
    return float((predicted - truth).square().mean() / truth.var())


def crossing(sizes: Shaped[np.ndarray, " sizes"], errors: Float[np.ndarray, "sizes trials"], level: float) -> float:
    """Samples at which the median error (sizes, trials) falls below a level for good, linear between sizes.

    Raises:
        ValueError: if it never does, or always was: the grid of sizes must hold the threshold.
    """
    median = np.median(errors, axis=1)
    above = np.flatnonzero(median >= level)
    if len(above) == 0 or above[-1] == len(median) - 1:
        raise ValueError(f"The median error does not cross {level} between {sizes[0]} and {sizes[-1]} samples.")
    i = above[-1]
    share = (median[i] - level) / (median[i] - median[i + 1])
    return float(sizes[i] + share * (sizes[i + 1] - sizes[i]))


def kinds_of(config: LearningCurves) -> dict[str, tuple[int, ...]]:
    """Dimensions of every learner."""
    degree_four = {kind: config.hierarchical for kind in ("hierarchical", "kernel4", "tangent4")}
    return {"quadratic": config.quadratic, "kernel": config.kernel, "tangent": config.tangent} | degree_four


def curve_parts(config: LearningCurves) -> dict[str, tuple[str, int]]:
    """A part for each learner and dimension."""
    return {f"{kind}-{d}": (kind, d) for kind, dimensions in kinds_of(config).items() for d in dimensions}


def run_curves(config: LearningCurves, kind: str, d: int) -> Arrays:
    """One curve in double precision."""
    return curve(config, kind, d, runtime.resolve("cpu"))


def assemble_curves(config: LearningCurves, results: Mapping[tuple, Arrays]) -> Arrays:
    """Errors as "KIND-D", and gaps as "gaps KIND-D"."""
    errors = {f"{kind}-{d}": found["errors"] for (kind, d), found in results.items()}
    return errors | {f"gaps {kind}-{d}": found["gaps"] for (kind, d), found in results.items()}


def crossings(stored: Stored[LearningCurves], kind: str, level: float) -> Float[np.ndarray, " dimensions"]:
    """Thresholds of one learner over its dimensions."""
    config = stored.config
    return np.array([crossing(sizes_of(config, kind, d), stored[f"{kind}-{d}"], level) for d in kinds_of(config)[kind]])


def slice_difference(stored: Stored[LearningCurves], rt: Runtime, names: Sequence[str]) -> float:
    """Largest difference of the median errors of some curves, computed again, from the stored ones."""
    known, found = curve_parts(stored.config), []
    for name in names:
        fresh = curve(stored.config, *known[name], rt)["errors"]
        found.append(np.abs(np.median(fresh, axis=1) - np.median(stored[name], axis=1)).max())
    return float(max(found))


CURVES = StoredExperiment("ntk-curves", "beyond-ntk", LearningCurves(), curve_parts, run_curves, assemble_curves)
