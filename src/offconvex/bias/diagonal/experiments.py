"""What the chapter runs: the flow's end, the exact law, large steps and minibatches, and label noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from offconvex import rng
from offconvex.bias import mirror
from offconvex.bias.diagonal import descent, model, theory
from offconvex.bias.diagonal.descent import StepRule


def require_sizes(
    counts: Mapping[str, int],
    noise_steps: int,
    grok_starts: Sequence[float],
    grok_decays: Sequence[float],
    small_starts: Sequence[float],
) -> None:
    """Nothing, if the chapter can be run with these sizes and its bounds speak of what is run.

    Args:
        counts: problems, by what is done with them.
        noise_steps: steps with label noise.
        grok_starts: alpha, rising; claims are about 1, the first, and 30.
        grok_decays: lambda, falling; claims are about 0.01, the first, 0.002, and 0.001, the last.
        small_starts: ln(1/alpha), rising; claims are about 1, the first, 100, and 1000, the last.

    Raises:
        ValueError: in one sentence that says which of these is not so.
    """
    faults = {
        f"problems are one or more of each kind, at most four to grok, not {dict(counts)}": min(counts.values()) < 1
        or counts.get("grokking", 1) > 4,
        f"noise_steps is a multiple of 40, not {noise_steps}": noise_steps < 40 or noise_steps % 40,
        f"grok_starts begin with 1 and have 30, not {[*grok_starts]}": [*grok_starts[:1]] != [1]
        or 30 not in grok_starts,
        f"grok_decays lead from 0.01 over 0.002 to 0.001, not {[*grok_decays]}": [*grok_decays[:1]] != [0.01]
        or grok_decays[-1] != 0.001
        or 0.002 not in grok_decays,
        f"small_starts lead from 1 over less than 100, and 100, to 1000, not {[*small_starts]}": [*small_starts[:1]]
        != [1]
        or small_starts[-1] != 1000
        or 100 not in small_starts
        or small_starts[1] >= 100,
    }
    if said := [fault for fault, there in faults.items() if there]:
        raise ValueError(f"Sizes of this chapter: {'; '.join(said)}.")


def distances(w: Float[np.ndarray, "B d"], other: Float[np.ndarray, "B d"]) -> Float[np.ndarray, " B"]:
    """|w - other| / |other| of each run."""
    return np.linalg.norm(w - other, axis=-1) / np.linalg.norm(other, axis=-1)


@dataclass(frozen=True)
class FlowEnds:
    """How far descent with small steps ends from the minimizer of the potential, for each problem.

    Attributes:
        distance: at the smaller step.
        ratio: distance at the step twice as large over this one.
        control: of the minimizer for twice the start.
    """

    distance: Float[np.ndarray, " B"]
    ratio: Float[np.ndarray, " B"]
    control: Float[np.ndarray, " B"]


def flow_ends(law: model.SparseLaw, seed: int, count: int, *, alpha: float, share: float = 0.2) -> FlowEnds:
    """Descent at `share` of `theory.stable_rate` and at half of it, until it fits to ten digits."""
    problem = law.draw(seed, "flow ends", count)
    predicted, _ = mirror.dual(problem.X, problem.y, 2 * np.log(alpha))
    other, _ = mirror.dual(problem.X, problem.y, 2 * np.log(2 * alpha))
    ends = []
    for part in (share, share / 2):
        steps = StepRule(part * theory.stable_rate(problem.X))
        end = descent.settle(problem, steps, descent.start(problem, alpha), within=1e-10, most=2_000_000)
        ends.append(distances(end.weights, predicted))
    return FlowEnds(ends[1], ends[0] / ends[1], distances(other, predicted))


KINDS = ("steps", "larger steps", "one example", "a fifth", "label noise", "decay")
"""Kinds of runs under which the exact law is tried."""


def kind_of_steps(kind: str, X: Float[np.ndarray, "B n d"]) -> StepRule:
    """The steps of one of `KINDS`, in units of `theory.stable_rate`; single examples are steeper, and take an eighth.

    Raises:
        ValueError: if there is no such kind.
    """
    unit, n = theory.stable_rate(X), X.shape[-2]
    kinds = {
        "steps": StepRule(0.9 * unit),
        "larger steps": StepRule(1.5 * unit),
        "one example": StepRule(0.9 / 8 * unit, batch=1),
        "a fifth": StepRule(0.45 * unit, batch=max(1, n // 5)),
        "label noise": StepRule(0.2 * unit, noise=1.0),
        "decay": StepRule(0.9 * unit, decay=0.02),
    }
    if kind not in kinds:
        raise ValueError(f"A kind of steps is one of {', '.join(KINDS)}; got {kind!r}.")
    return kinds[kind]


@dataclass(frozen=True)
class ExactLawErrors:
    """Distance of runs from the exact law, and from that of the flow, both at the fitted values of that moment.

    Attributes:
        identity: (kinds, B) of w from exp(log_plus + s) - exp(log_minus - s), largest over the times.
        exact: (kinds, B) of w from the weights of this form with some s in the row space, largest over the times.
        flow: (kinds, B) at the last time.
    """

    identity: Float[np.ndarray, "kinds B"]
    exact: Float[np.ndarray, "kinds B"]
    flow: Float[np.ndarray, "kinds B"]


def law_errors(
    laws: Sequence[model.SparseLaw],
    seed: int,
    *,
    alpha: float,
    times: int = 12,
    block: int = 400,
    kinds: Sequence[str] = KINDS,
) -> ExactLawErrors:
    """Every kind of run on one problem of each law, looked at `times` times, `block` steps apart.

    At each of them the weights are found anew, by Newton's method, from their fitted values Xw and alpha_+-; a run
    need not have converged.
    """
    identity, exact, flow = np.zeros((3, len(kinds), len(laws)))
    for column, law in enumerate(laws):
        problem = law.draw(seed, "exact law", column + 1)[column : column + 1]
        for row, kind in enumerate(kinds):
            generator = rng.numpy_generator(seed, "exact law", kind, column)
            steps, place = kind_of_steps(kind, problem.X), descent.start(problem, alpha)
            for _ in range(times):
                place = descent.descend(problem, steps, place, block, generator)
                fitted = (problem.X @ place.weights[..., None])[..., 0]
                anew, _ = mirror.dual(problem.X, fitted, place.log_plus, place.log_minus)
                formed = mirror.primal(place.s, place.log_plus, place.log_minus)
                identity[row, column] = max(identity[row, column], distances(formed, place.weights)[0])
                exact[row, column] = max(exact[row, column], distances(anew, place.weights)[0])
            flowing, _ = mirror.dual(problem.X, fitted, 2 * np.log(alpha))
            flow[row, column] = distances(flowing, place.weights)[0]
    return ExactLawErrors(identity, exact, flow)


@dataclass(frozen=True)
class LargeSteps:
    """What steps of one size do to B problems.

    Attributes:
        excess: ln of |w - w*| over that of the flow's end; not a number where the run diverged.
        spent: (B, d) ln(alpha / alpha_eff) of every weight, with alpha_eff^2 = |u v|.
        support: (B, d) where w* is not zero.
    """

    excess: Float[np.ndarray, " B"]
    spent: Float[np.ndarray, "B d"]
    support: Bool[np.ndarray, "B d"]

    @property
    def concentration(self) -> Float[np.ndarray, " B"]:
        """Logarithm of the mean of what is spent on the support over the mean off it."""
        on = np.sum(self.spent * self.support, axis=-1) / np.sum(self.support, axis=-1)
        off = np.sum(self.spent * ~self.support, axis=-1) / np.sum(~self.support, axis=-1)
        return np.log(on / off)


def large_steps(
    problem: model.SparseProblem, share: float, seed: int, *, alpha: float, single: bool, within: float = 1e-4
) -> LargeSteps:
    """Descent at a share of `theory.support_rate`, or on single examples at one of `theory.single_rate`, to its end."""
    if single:
        steps = StepRule(share * theory.single_rate(problem.X, problem.support), batch=1)
    else:
        steps = StepRule(share * theory.support_rate(problem.X, problem.support))
    generator = rng.numpy_generator(seed, "minibatches", int(single), round(1000 * share))
    place = descent.settle(
        problem,
        steps,
        descent.start(problem, alpha),
        within=within,
        most=4_000_000,
        generator=generator,
        keep_lost=True,
    )
    flow, _ = mirror.dual(problem.X, problem.y, 2 * np.log(alpha))
    errors = [np.linalg.norm(w - problem.target, axis=-1) for w in (place.weights, flow)]
    return LargeSteps(np.log(errors[0] / errors[1]), np.log(alpha) - place.log_product / 2, problem.support)


@dataclass(frozen=True)
class NoisyWalk:
    """ln |u v| under label noise, and what theory makes of it.

    Attributes:
        steps: (T,) at which it was looked at.
        walked: (T, B, d) ln |u v|.
        predicted: (T, B, d) the same with the drift of `theory.noise_drift` from the second quarter on.
    """

    steps: Float[np.ndarray, " T"]
    walked: Float[np.ndarray, "T B d"]
    predicted: Float[np.ndarray, "T B d"]

    @property
    def drift_ratio(self) -> Float[np.ndarray, " B"]:
        """Drift over predicted drift in the last three quarters, mean over weights."""
        first = len(self.steps) // 4
        return ((self.walked[-1] - self.walked[first]) / (self.predicted[-1] - self.predicted[first])).mean(axis=-1)


def noisy_walk(
    problem: model.SparseProblem, seed: int, *, alpha: float, share: float, noise: float, count: int, looks: int = 40
) -> NoisyWalk:
    """Descent with label noise at `share` of four times `theory.stable_rate`, and the drift that theory has for it.

    Raises:
        ValueError: if the steps cannot be shared out among the looks.
    """
    if looks < 4 or count < looks or count % looks:
        raise ValueError(f"A walk needs four looks or more, and a multiple of them as steps; got {looks} and {count}.")
    rate = 4 * share * theory.stable_rate(problem.X)
    generator = rng.numpy_generator(seed, "label noise", problem.X.shape[-2])
    place, walked, drifts = descent.start(problem, alpha), [], []
    block = count // looks
    for look in range(looks + 1):
        walked.append(place.log_product)
        if look >= looks // 4:
            drifts.append(theory.noise_drift(problem.X, place.u**2 + place.v**2, rate, max(noise, 1e-300)))
        if look < looks:
            place = descent.descend(problem, StepRule(rate, noise=noise), place, block, generator)
    first = looks // 4
    # Between two looks the drift is the mean of both, times the steps.
    gained = block * np.cumsum([(a + b) / 2 for a, b in zip(drifts, drifts[1:], strict=False)], axis=0)
    predicted = np.concatenate([walked[: first + 1], walked[first] + gained])
    return NoisyWalk(block * np.arange(looks + 1.0), np.array(walked), predicted)


def solution_curve(
    problem: model.SparseProblem, alphas: Float[np.ndarray, " A"]
) -> tuple[Float[np.ndarray, " A"], Float[np.ndarray, "A d"]]:
    """Error |w - w*| / |w*| of the potential's minimizer for every start alpha, and the minimizers, of one problem."""
    repeated = [np.broadcast_to(part, (len(alphas), *part.shape)) for part in (problem.X, problem.y)]
    w, _ = mirror.dual(*repeated, np.log(alphas**2)[:, None])
    return np.linalg.norm(w - problem.target, axis=-1) / np.linalg.norm(problem.target), w


@dataclass(frozen=True)
class WayEnd:
    """Where one run on one problem ends.

    Attributes:
        alpha: alpha_eff, the root of the geometric mean of |u v|.
        error: |w - w*| / |w*|.
    """

    alpha: float
    error: float


def five_ways(problem: model.SparseProblem, seed: int, *, alpha: float) -> dict[str, WayEnd]:
    """Ends of runs from one start: as it is, a third of it, large steps, single examples, label noise, decay.

    Large steps, label noise and decay are switched off after a while, so that all runs settle at small ones.
    """
    batch, unit = problem[None], float(theory.stable_rate(problem.X))
    calm = StepRule(0.5 * unit)
    full, single = (float(rate(problem.X, problem.support)) for rate in (theory.support_rate, theory.single_rate))
    phases = {
        "start": (alpha, calm, 0),
        "a third of it": (alpha / 3, calm, 0),
        "large steps": (alpha, StepRule(0.95 * full), 4000),
        "single examples": (alpha, StepRule(0.5 * single, batch=1), 20_000),
        "label noise": (alpha, StepRule(0.4 * unit, noise=1.0), 20_000),
        "decay": (alpha, StepRule(calm.rate, decay=1e-3), round(np.log(6) / (1e-3 * calm.rate))),
    }
    reached = []
    for name, (first, steps, count) in phases.items():
        generator = rng.numpy_generator(seed, "five ways", name)
        reached.append(descent.descend(batch, steps, descent.start(batch, first), count, generator))
    place = descent.RunPlace(*(np.concatenate(part) for part in zip(*(one.parts for one in reached), strict=True)))
    place = descent.settle(model.join([batch] * len(phases)), calm, place, within=1e-3, most=4_000_000)
    errors = np.linalg.norm(place.weights - problem.target, axis=-1) / np.linalg.norm(problem.target)
    left = np.exp(place.log_product.mean(axis=-1) / 2)
    return {name: WayEnd(*map(float, end)) for name, *end in zip(phases, left, errors, strict=True)}
