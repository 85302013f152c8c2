"""Effective samples per second, this package against BlackJAX, on the same targets, in one run on one core.

MALA against MALA with the same step on two near modes in the plane; simulated tempering against BlackJAX's adaptive
tempered SMC (it has no simulated tempering) on two distant modes. What counts is the first coordinate, or the share of
the right mode. Times are CPU seconds; BlackJAX's come without compilation. Skipped, with a reason, when BlackJAX is not
installed: pip install "offconvex[comparison]".

    OMP_NUM_THREADS=1 python benchmarks/sampling_blackjax.py
"""

import os
import statistics
import sys
import time

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import numpy as np

from offconvex import rng, runtime
from offconvex.sampling import measure
from offconvex.sampling.experiments import on_the_right
from offconvex.sampling.langevin import mala, start
from offconvex.sampling.model import TwoModes
from offconvex.sampling.tempering import Schedule, ladder, learn, temper

try:
    import blackjax
    import blackjax.smc.resampling
    import jax
    import jax.numpy as jnp
    from blackjax.smc import extend_params
except ImportError as error:
    print(f"Skipped: BlackJAX is not installed here ({error}); pip install 'offconvex[comparison]' brings it.")
    sys.exit(0)

jax.config.update("jax_enable_x64", True)
CPU = runtime.resolve("cpu", threads=1)
NEAR, FAR = TwoModes(1.5, 2, 0.7), TwoModes(5.0, 2, 0.7)
CHAINS, STEPS, STEP, ROUNDS = 1000, 1000, 0.3, 5
PARTICLES, POPULATIONS = 4000, 100
SCHEDULE = Schedule(step=0.2, swap_rate=5.0, stage=80, refinements=2, refinement=800)


def density(modes: TwoModes):
    """Log density of one point, as BlackJAX wants it."""

    def log_density(x):
        rest = -0.5 * jnp.sum(x[1:] ** 2)
        left = jnp.log(1 - modes.right) - 0.5 * (x[0] + modes.r) ** 2
        return rest + jnp.logaddexp(left, jnp.log(modes.right) - 0.5 * (x[0] - modes.r) ** 2)

    return log_density


def report(name: str, modes: TwoModes, effective: float, seconds: float, share: float) -> None:
    """One line: effective samples, their rate, and the share of the right half space beside the true one."""
    right = statistics.NormalDist().cdf(modes.r)
    true = modes.right * right + (1 - modes.right) * (1 - right)
    rate = effective / seconds
    print(
        f"{name:38} {effective:8,.0f} effective in {seconds:6.2f} s: {rate:8,.0f} /s   right {share:.3f} ({true:.3f})"
    )


def own_mala(number: int) -> tuple[np.ndarray, float]:
    """First coordinates (chains, steps), and seconds."""
    generator = rng.numpy_generator(number, "comparison")
    state = start(NEAR.target(), NEAR.draw(CPU, generator, CHAINS))
    options = {"step": STEP, "steps": STEPS, "record": lambda x: {"x": x[:, 0].clone()}}
    begin = time.process_time()
    _, seen = mala(NEAR.target(), state, CPU, generator, **options)
    return seen.records["x"].numpy().T, time.process_time() - begin


def their_mala():
    """A function like `own_mala`, compiled."""
    kernel = blackjax.mala(density(NEAR), STEP)

    def advance(states, key):
        states, _ = jax.vmap(kernel.step)(jax.random.split(key, CHAINS), states)
        return states, states.position[:, 0]

    run = jax.jit(lambda states, keys: jax.lax.scan(advance, states, keys))

    def once(number: int) -> tuple[np.ndarray, float]:
        positions = jnp.asarray(NEAR.draw(CPU, rng.numpy_generator(number, "comparison"), CHAINS).numpy())
        states, keys = jax.vmap(kernel.init)(positions), jax.random.split(jax.random.key(number), STEPS)
        begin = time.process_time()
        path = np.asarray(jax.block_until_ready(run(states, keys))[1]).T
        return path, time.process_time() - begin

    once(0)
    return once


def compare_mala() -> None:
    """The two in turn, medians."""
    contestants, found = {"MALA": own_mala, "MALA, BlackJAX": their_mala()}, {}
    for number in range(ROUNDS):
        for name, run in contestants.items():
            path, seconds = run(number)
            found.setdefault(name, []).append((measure.effective_samples(path), seconds, (path > 0).mean()))
    for name, rows in found.items():
        report(name, NEAR, *map(statistics.median, zip(*rows)))


def own_tempering() -> None:
    """Once with the learning of the levels and the settling paid for, once without."""
    generator, target = rng.numpy_generator(0, "comparison"), FAR.target()
    options = {"step": SCHEDULE.step, "swap_rate": SCHEDULE.swap_rate}
    begin = time.process_time()
    levels, state = learn(target, ladder(FAR.r, 2), CPU, generator, (PARTICLES, 2), SCHEDULE)
    state, _ = temper(target, levels, state, CPU, generator, steps=800, **options)
    learned = time.process_time()
    _, seen = temper(target, levels, state, CPU, generator, steps=1200, mark=on_the_right, **options)
    end = time.process_time()
    share, error = measure.share(seen.marked)
    report("simulated tempering, all paid", FAR, share * (1 - share) / error**2, end - begin, share)
    report("simulated tempering, once it has learned", FAR, share * (1 - share) / error**2, end - learned, share)


def their_smc() -> None:
    """Whole populations, one after another; the spread between their shares says how many particles they are worth."""
    # Prior N(0, 25 I), as wide as the modes are apart; what multiplies it is tempered in.
    target = density(FAR)
    prior = lambda x: -0.5 * jnp.sum(x**2) / 25  # noqa: E731
    sampler = blackjax.adaptive_tempered_smc(
        prior,
        lambda x: target(x) - prior(x),
        blackjax.mala.build_kernel(),
        blackjax.mala.init,
        extend_params({"step_size": 0.2}),
        blackjax.smc.resampling.systematic,
        target_ess=0.5,
        num_mcmc_steps=10,
    )
    step = jax.jit(sampler.step)

    def once(number: int) -> float:
        key = jax.random.key(number)
        first, key = jax.random.split(key)
        state = sampler.init(5 * jax.random.normal(first, (PARTICLES, 2)))
        while float(state.tempering_param) < 1:
            draw, key = jax.random.split(key)
            state, _ = step(draw, state)
        # The last stage is mutated before it is weighted, so that the weights belong to the sample.
        return float(jnp.sum(state.weights * (state.particles[:, 0] > 0)))

    once(0)
    begin = time.process_time()
    shares = np.array([once(number) for number in range(1, POPULATIONS + 1)])
    seconds = (time.process_time() - begin) / POPULATIONS
    report("tempered SMC, BlackJAX", FAR, FAR.right * (1 - FAR.right) / shares.var(ddof=1), seconds, shares.mean())


if __name__ == "__main__":
    print(f"BlackJAX {blackjax.__version__}, jax {jax.__version__}, one core")
    compare_mala()
    own_tempering()
    their_smc()
