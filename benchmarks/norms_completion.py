"""Time of the chapter's order-3 completion sweep, against the loop one would write first, on one core.

Ten numbers of observations, five starts of one size, and the estimated rank of every end tensor, as in the chapter. The
loop trains each start by itself with automatic differentiation and the same adaptive step; `SLICE` of its steps are
timed at every number of observations and multiplied by the number that the whole takes. Ranks are estimated alike.
CPU time is printed, so that a busy machine changes little.

    OMP_NUM_THREADS=1 python benchmarks/norms_completion.py
"""

import timing
import torch

from offconvex import rng, runtime
from offconvex.book.publication.performance import Comparison
from offconvex.factorizations.norms import tensor as norms_tensor
from offconvex.factorizations.tensor.model import gaussian_factors

SLICE = 200
CPU = runtime.resolve("cpu", threads=1)
CONFIG = norms_tensor.RankOneCompletion(stds=(1e-3,))


def loop(count: int) -> None:
    """A slice of the steps of one start trained alone by automatic differentiation."""
    target, order = norms_tensor.draw_target(CONFIG, CPU, 0)
    seen = order[:count]
    values = target.flatten()[seen]
    start = gaussian_factors(
        CPU, [rng.generator(0, "benchmark")], shape=CONFIG.shape, components=CONFIG.components, std=CONFIG.stds[0]
    )
    factors = [factor[0].clone().requires_grad_() for factor in start]
    mean = 0.0
    for step in range(1, SLICE + 1):
        tensor = torch.einsum("ar,br,cr->abc", *factors)
        gradients = torch.autograd.grad((tensor.flatten()[seen] - values).square().mean(), factors)
        mean = 0.99 * mean + 0.01 * sum(float(g.square().sum()) for g in gradients)
        size = CONFIG.rate / ((mean / (1 - 0.99**step)) ** 0.5 + CONFIG.floor)
        with torch.no_grad():
            for factor, gradient in zip(factors, gradients, strict=True):
                factor -= size * gradient


def fit(count: int) -> int:
    """Steps that the starts take together, until all have converged."""
    return int(norms_tensor.complete(CONFIG, CPU, 0, count=count, std=CONFIG.stds[0]).steps)


def rows() -> list[Comparison]:
    spent = {"all starts at once": 0.0, "one by one, autograd": 0.0}
    for count in CONFIG.observed:
        spent["all starts at once"] += timing.seconds(fit, count)
        spent["one by one, autograd"] += timing.seconds(loop, count) / SLICE * fit(count) * CONFIG.starts
    spent["fits and ranks, as in the chapter"] = timing.seconds(norms_tensor.sweep, CONFIG, CPU, 0)
    problem = f"order 3, {len(CONFIG.observed)} numbers of observations, {CONFIG.starts} starts each, float64"
    notes = {"fits and ranks, as in the chapter": {"reference": True, "meaning": "more than the fits"}}
    return [timing.comparison("tensor completion", problem, "sweep", spent, notes)]


if __name__ == "__main__":
    timing.show(rows())
