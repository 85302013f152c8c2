"""Time of the chapter's order-3 completion sweep, against the loop one would write first, on one core.

Ten numbers of observations, five starts of one size, and the estimated rank of every end tensor, as in the chapter. The
loop trains each start by itself with automatic differentiation and the same adaptive step; `SLICE` of its steps are
timed at every number of observations and multiplied by the number that the whole takes. Ranks are estimated alike.
CPU time is printed, so that a busy machine changes little.

    OMP_NUM_THREADS=1 python benchmarks/norms_completion.py
"""

import time

import torch

from offconvex import rng, runtime
from offconvex.factorizations import norms_tensor
from offconvex.factorizations.tensor import gaussian_factors

SLICE = 200
CPU = runtime.resolve("cpu", threads=1)
CONFIG = norms_tensor.TensorCompletion(stds=(1e-3,))


def loop_step(count: int) -> float:
    """Seconds per step of one start trained alone by automatic differentiation."""
    target, order = norms_tensor.draw_target(CONFIG, CPU, 0)
    seen = order[:count]
    values = target.flatten()[seen]
    start = gaussian_factors(
        CPU, [rng.generator(0, "benchmark")], shape=CONFIG.shape, components=CONFIG.components, std=CONFIG.stds[0]
    )
    factors = [factor[0].clone().requires_grad_() for factor in start]
    mean, begin = 0.0, time.process_time()
    for step in range(1, SLICE + 1):
        tensor = torch.einsum("ar,br,cr->abc", *factors)
        gradients = torch.autograd.grad((tensor.flatten()[seen] - values).square().mean(), factors)
        mean = 0.99 * mean + 0.01 * sum(float(g.square().sum()) for g in gradients)
        size = CONFIG.rate / ((mean / (1 - 0.99**step)) ** 0.5 + CONFIG.floor)
        with torch.no_grad():
            for factor, gradient in zip(factors, gradients, strict=True):
                factor -= size * gradient
    return (time.process_time() - begin) / SLICE


def main() -> None:
    fits, loop = 0.0, 0.0
    for count in CONFIG.observed:
        begin = time.process_time()
        run = norms_tensor.complete(CONFIG, CPU, 0, count=count, std=CONFIG.stds[0])
        fits += time.process_time() - begin
        loop += loop_step(count) * int(run["steps"]) * CONFIG.starts
    begin = time.process_time()
    norms_tensor.sweep(CONFIG, CPU, 0)
    whole = time.process_time() - begin
    print(f"sweep, fits and ranks            {whole:8.1f} s")
    print(f"of these, the fits               {fits:8.1f} s")
    print(f"fits one by one, autograd        {loop:8.1f} s   {loop / fits:.1f} times the fits")


if __name__ == "__main__":
    main()
