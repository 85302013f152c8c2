"""Effective samples per second, this package against BlackJAX, on the same targets, in one run on one core.

MALA against MALA with the same step on two near modes in the plane; simulated tempering against BlackJAX's adaptive
tempered SMC (it has no simulated tempering) on two distant modes. What counts is the first coordinate, or the share of
the right mode. Times are CPU seconds; BlackJAX's come without compilation. Skipped, with a reason, when BlackJAX is not
installed: pip install "offconvex[comparison]".

    OMP_NUM_THREADS=1 python benchmarks/sampling_blackjax.py
"""

import os
import statistics
import time

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import numpy as np
import timing

from offconvex import rng, runtime
from offconvex.book.publication.performance import Comparison, Skipped
from offconvex.sampling import measure
from offconvex.sampling.langevin import mala, start
from offconvex.sampling.model import TwoModes
from offconvex.sampling.tempering.dynamics import LadderSchedule, ladder, learn, temper
from offconvex.sampling.tempering.experiments import on_the_right

try:
    import blackjax
    import blackjax.smc.resampling
    import jax
    import jax.numpy as jnp
    from blackjax.smc import extend_params
except ImportError:
    blackjax = None
else:
    jax.config.update("jax_enable_x64", True)

ENGINE, UNIT = "sampling against BlackJAX", "thousand effective samples"
CPU = runtime.resolve("cpu", threads=1)
NEAR, FAR = TwoModes(1.5, 2, 0.7), TwoModes(5.0, 2, 0.7)
CHAINS, STEPS, STEP, ROUNDS = 1000, 1000, 0.3, 5
PARTICLES, POPULATIONS = 4000, 100
SCHEDULE = LadderSchedule(step=0.2, swap_rate=5.0, stage=80, refinements=2, refinement=800)


def density(modes: TwoModes):
    """Log density of one point, as BlackJAX wants it."""

    def log_density(x):
        rest = -0.5 * jnp.sum(x[1:] ** 2)
        left = jnp.log(1 - modes.right) - 0.5 * (x[0] + modes.r) ** 2
        return rest + jnp.logaddexp(left, jnp.log(modes.right) - 0.5 * (x[0] - modes.r) ** 2)

    return log_density


def check(modes: TwoModes, share: float, error: float) -> str:
    """What a method found for the share of the right half space, which is known; far off, its speed means nothing."""
    right = statistics.NormalDist().cdf(modes.r)
    true = modes.right * right + (1 - modes.right) * (1 - right)
    assert abs(share - true) < 6 * error, f"share {share:.3f} +- {error:.3f} of the right half space, where {true:.3f}"
    return f"share {share:.3f} of the right half space, truly {true:.3f}"


def own_mala(number: int) -> tuple[np.ndarray, float]:
    """First coordinates (chains, steps), and seconds."""
    generator = rng.numpy_generator(number, "comparison")
    state = start(NEAR.target(), NEAR.draw(CPU, generator, CHAINS))
    options = {"step": STEP, "steps": STEPS, "record": lambda x: {"x": x[:, 0]}}
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


def compare_mala() -> Comparison:
    """The two in turn, medians of seconds per thousand effective samples."""
    contestants = {"MALA": own_mala, "MALA, BlackJAX": their_mala()}
    spent: dict[str, list[float]] = {name: [] for name in contestants}
    notes = {}
    for number in range(ROUNDS):
        for name, run in contestants.items():
            path, seconds = run(number)
            effective = measure.effective_samples(path)
            spent[name].append(1000 * seconds / effective)
            notes[name] = {"meaning": check(NEAR, (path > 0).mean(), 0.5 / effective**0.5)}
    medians = {name: statistics.median(values) for name, values in spent.items()}
    return timing.comparison(ENGINE, f"two near modes in the plane, {CHAINS:,} chains", UNIT, medians, notes)


def own_tempering() -> tuple[float, float, str]:
    """Seconds per thousand effective samples with the learning of levels and the settling, without, and the check."""
    generator, target = rng.numpy_generator(0, "comparison"), FAR.target()
    options = {"step": SCHEDULE.step, "swap_rate": SCHEDULE.swap_rate}
    begin = time.process_time()
    levels, state = learn(target, ladder(FAR.r, 2), CPU, generator, (PARTICLES, 2), SCHEDULE)
    state, _ = temper(target, levels, state, CPU, generator, steps=800, **options)
    learned = time.process_time()
    _, seen = temper(target, levels, state, CPU, generator, steps=1200, mark=on_the_right, **options)
    end = time.process_time()
    share, error = measure.share(seen.marked)
    effective = share * (1 - share) / error**2 / 1000
    return (end - begin) / effective, (end - learned) / effective, check(FAR, share, error)


def their_smc() -> tuple[float, str]:
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
    effective = FAR.right * (1 - FAR.right) / shares.var(ddof=1) / 1000
    return seconds / effective, check(FAR, shares.mean(), shares.std(ddof=1) / POPULATIONS**0.5)


def compare_distant() -> Comparison:
    """Simulated tempering and tempered SMC."""
    (paid, learned, own), (theirs, other) = own_tempering(), their_smc()
    names = ("simulated tempering, all paid", "simulated tempering, once it has learned", "tempered SMC, BlackJAX")
    spent = dict(zip(names, (paid, learned, theirs)))
    notes = {name: {"meaning": found} for name, found in zip(names, (own, own, other))}
    notes[names[1]]["reference"] = True
    return timing.comparison(ENGINE, "two distant modes in the plane", UNIT, spent, notes)


def rows() -> list[Comparison | Skipped]:
    if blackjax is None:
        return [Skipped(ENGINE, "BlackJAX is not installed here; it comes with the extra offconvex[comparison].")]
    return [compare_mala(), compare_distant()]


if __name__ == "__main__":
    timing.show(rows())
