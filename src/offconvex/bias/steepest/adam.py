"""Adam on the exponential loss of separable data, in units in which no loss is too small; on the processor alone."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from offconvex.bias import certificate
from offconvex.bias.steepest import adam_theory, rules
from offconvex.bias.steepest.best_margin import best_margin
from offconvex.bias.steepest.model import SeparableData

SETTINGS = (
    *((x, beta2) for beta2 in (0.9, 0.99) for x in (0.3, 1.0, 3.0, 10.0, 30.0)),
    *((x, 0.999) for x in (3.0, 10.0, 30.0)),
)
"""Pairs of x = gamma eta / (1 - beta2) and beta2; at 0.999, the usual one, those that 80,000 steps suffice for."""


def adam(
    examples: Float[np.ndarray, "R N n m"],
    rates: Float[np.ndarray, "R S"],
    beta2: Float[np.ndarray, " S"],
    keep: Int[np.ndarray, "K S"],
    *,
    beta1: float = 0.9,
    epsilon: float = 0.0,
) -> Float[np.ndarray, "K R S n m"]:
    """Weights of Adam from zero on sum_i exp(-<W, X_i>), R data sets times S settings at once, each at its own K steps.

    W <- W + eta m' / (sqrt(v') + epsilon), m' = m / (1 - beta1^t), v' = v / (1 - beta2^t), constant eta. The gradient
    and m are carried in units of exp(-z), v in units of exp(-2 z), z the smallest margin now: with epsilon = 0 the
    units cancel, so the course is Adam's own at any loss, below 1e-308 as well, for one more multiplication a step.

    Args:
        examples: each times its label.
        rates: eta of each setting on each data set.
        beta2: of each setting.
        keep: of each setting the steps after which its weights are kept, increasing from 1; the last one ends it.
        beta1: of all settings.
        epsilon: as in Adam, on the loss itself.

    Raises:
        ValueError: if shapes do not fit, or numbers are out of range.
    """
    rates, beta2, keep = np.asarray(rates, float), np.asarray(beta2, float), np.asarray(keep)
    sets, count, rows, columns = examples.shape
    if rates.shape != (sets, len(beta2)) or keep.ndim != 2 or keep.shape[1] != len(beta2) or not len(keep):
        raise ValueError(
            "Adam needs one rate for each data set and setting, and for each setting one beta2 and a column of steps "
            f"to keep; got {sets} data sets, rates {rates.shape}, beta2 {beta2.shape}, keep {keep.shape}."
        )
    if not (rates > 0).all() or not (0 <= beta1 < 1 and (beta2 > 0).all() and (beta2 < 1).all() and epsilon >= 0):
        raise ValueError(
            "Adam needs rates > 0, beta1 in [0, 1), beta2 in (0, 1) and epsilon >= 0; got a least rate of "
            f"{rates.min():.3g}, beta1 = {beta1}, beta2 from {beta2.min()} to {beta2.max()}, epsilon = {epsilon}."
        )
    if keep[0].min() < 1 or (np.diff(keep, axis=0) <= 0).any():
        raise ValueError(f"Steps to keep must increase from 1 in every column; got {keep.T.tolist()}.")
    flat = np.ascontiguousarray(examples.reshape(sets, count, rows * columns), float)
    across = np.ascontiguousarray(flat.transpose(0, 2, 1))
    found = np.empty((*keep.shape, sets, rows * columns))
    wanted = {}
    for (place, setting), step in np.ndenumerate(keep):
        wanted.setdefault(int(step), []).append((place, setting))

    active = np.arange(len(beta2))  # settings that still run
    eta, decay2 = rates[..., None], beta2[:, None]
    weights = np.zeros((sets, len(beta2), rows * columns))
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    values, least = np.zeros((sets, len(beta2), count)), np.zeros((sets, len(beta2), 1))
    for step in range(1, int(keep[-1].max()) + 1):
        gradient = np.exp(least - values) @ flat
        first *= beta1
        first += (1 - beta1) * gradient
        second *= decay2
        np.square(gradient, out=gradient)
        gradient *= 1 - decay2
        second += gradient
        size = np.sqrt(second, out=gradient)
        if epsilon:
            size += epsilon * np.sqrt(1 - decay2**step) * np.exp(np.minimum(least, 700))
        np.divide(first, size, out=size)
        size *= eta * (np.sqrt(1 - decay2**step) / (1 - beta1**step))
        weights += size
        values = weights @ across
        risen = values.min(axis=-1, keepdims=True)
        fade = np.exp(risen - least)
        first *= fade
        second *= fade**2
        least = risen
        if step in wanted:
            for place, setting in wanted[step]:
                found[place, setting] = weights[:, np.flatnonzero(active == setting)[0]]
            going = keep[-1, active] > step
            if not going.all():
                active, eta, decay2 = active[going], eta[:, going], decay2[going]
                weights, first, second, values, least = (
                    part[:, going] for part in (weights, first, second, values, least)
                )
    return found.transpose(0, 2, 1, 3).reshape(len(keep), sets, len(beta2), rows, columns)


def log_loss(
    examples: Float[np.ndarray, "*#any N n m"], weights: Float[np.ndarray, "*#any n m"]
) -> Float[np.ndarray, "*any"] | float:
    """Logarithm of sum_i exp(-<W, X_i>); leading axes broadcast."""
    values = certificate.margins(examples, weights)
    least = values.min(axis=-1)
    return np.log(np.exp(least[..., None] - values).sum(axis=-1)) - least


@dataclass(frozen=True)
class AdamStudy:
    """Runs of Adam, beta1 = 0.9, of which each setting gives x = gamma eta / (1 - beta2) and beta2.

    eta follows for each data set from gamma, its best margin in the max entry norm. A run lasts until the log of the
    loss has fallen by `nats` and `memories` times the memory of the setting are over, but no more than `most` steps.

    Attributes:
        data: the data sets.
        settings: pairs of x and beta2.
        nats: natural logarithms of the loss.
        memories: multiples of `adam_theory.memory`.
        most: steps of the longest run.
        kept: how often shares are read off, at equal distances in the logarithm of the steps.
        epsilon: as in Adam.
    """

    data: SeparableData = SeparableData(laws=("gaussian", "uniform", "student") * 3)
    settings: tuple[tuple[float, float], ...] = SETTINGS
    nats: float = 110.0
    memories: float = 100.0
    most: int = 80_000
    kept: int = 80
    epsilon: float = 0.0

    def __post_init__(self):
        if not self.settings:
            raise ValueError("A study of Adam needs at least one setting (x, beta2); got none.")
        if self.kept < 2:
            raise ValueError(f"A study of Adam reads each run twice or more; got kept = {self.kept}.")
        if self.most < 2 * self.kept:
            raise ValueError(
                f"Adam is read {self.kept} times, so its longest run needs {2 * self.kept} steps or more; got most = "
                f"{self.most} (a chapter's `adam_steps` or a part of them)."
            )

    def ends(self) -> Int[np.ndarray, " S"]:
        """Steps of each setting."""
        x, beta2 = np.array(self.settings).T
        nats = self.nats / adam_theory.steady_rate(x, beta2)
        wanted = np.maximum(nats, self.memories * adam_theory.memory(x, beta2))
        return np.ceil(np.clip(wanted, 2 * self.kept, self.most)).astype(int)


@dataclass(frozen=True)
class AdamCourses:
    """What is read off the runs of a study, R data sets, S settings, K times of each setting.

    Attributes:
        x: gamma eta / (1 - beta2), (S,).
        beta2: (S,).
        rates: learning rates eta, (R, S).
        steps: (K, S).
        log_loss: (K, R, S).
        share: of the best margin in the max entry norm, (K, R, S).
        round_share: of that in the Frobenius norm, (K, R, S).
    """

    x: np.ndarray
    beta2: np.ndarray
    rates: np.ndarray
    steps: np.ndarray
    log_loss: np.ndarray
    share: np.ndarray
    round_share: np.ndarray

    def setting(self, x: float, beta2: float) -> int:
        """Place of a setting.

        Raises:
            ValueError: if it is not among them.
        """
        found = np.flatnonzero((self.x == x) & (self.beta2 == beta2))
        if not len(found):
            raise ValueError(f"The study has settings {list(zip(self.x, self.beta2))}; got x = {x}, beta2 = {beta2}.")
        return int(found[0])

    def measured_rate(self) -> Float[np.ndarray, "R S"]:
        """Fall of the log of the loss a step, over the second half of each run."""
        rate = np.empty(self.rates.shape)
        for place, steps in enumerate(self.steps.T):
            half = np.searchsorted(steps, steps[-1] / 2)
            fall = self.log_loss[half, :, place] - self.log_loss[-1, :, place]
            rate[:, place] = fall / (steps[-1] - steps[half])
        return rate

    def clock(self) -> Float[np.ndarray, "K S"]:
        """Steps over the memory of each setting."""
        return self.steps / adam_theory.memory(self.x, self.beta2)

    def shares_after(
        self, memories: float, x: float, beta2: float
    ) -> tuple[Float[np.ndarray, " R"], Float[np.ndarray, " R"]]:
        """Shares of each data set after so many memories, max entry first; in between linear in the log of the steps.

        Raises:
            ValueError: if there is no such setting, or its run was not that long.
        """
        place = self.setting(x, beta2)
        times = self.clock()[:, place]
        if not times[0] <= memories <= times[-1] * (1 + 1e-9):
            raise ValueError(
                f"This run is kept from {times[0]:.3g} to {times[-1]:.3g} memories; got {memories:.3g}: ask for less, "
                "or let the study's longest run have more steps (`most`, a chapter's `adam_steps`)."
            )
        pair = (self.share[:, :, place], self.round_share[:, :, place])
        return tuple(
            np.array([np.interp(np.log(memories), np.log(times), one) for one in columns.T]) for columns in pair
        )


def observe(study: AdamStudy, seed: int) -> AdamCourses:
    """Runs a study on the data of a seed, all data sets and settings at once."""
    examples = study.data.draw(seed)
    x, beta2 = np.array(study.settings).T
    best = {name: best_margin(name, examples).margin for name in ("max", "frobenius")}
    rates = x * (1 - beta2) / best["max"][:, None]
    ends = study.ends()
    keep = np.rint(np.geomspace(1, ends, study.kept)).astype(int)
    keep = np.maximum(keep, 1 + np.arange(study.kept)[:, None])  # increasing: a geometric sequence is convex
    weights = adam(examples, rates, beta2, keep, epsilon=study.epsilon)
    least = certificate.margins(examples[:, None], weights).min(axis=-1)
    shares = [least / certificate.norm(name, weights) / found[:, None] for name, found in best.items()]
    return AdamCourses(x, beta2, rates, keep, log_loss(examples[:, None], weights), *shares)


def sign_rates(data: SeparableData, seed: int, speeds: Float[np.ndarray, " S"], steps: int) -> Float[np.ndarray, "R S"]:
    """Fall of the log of the loss a step by sign descent with eta = speed / gamma, over the second half of the steps.

    It does not exceed the speed in the long run: no margin exceeds gamma times the largest entry, which is eta a step.
    """
    examples = data.draw(seed)
    best = best_margin("max", examples).margin
    found = []
    half, lengths = steps // 2, np.ones(steps)
    for speed in speeds:
        run = rules.follow(examples, lambda g: rules.direction("max", g), lengths, scale=speed / best, keep=[half])
        middle, end = log_loss(examples, run.weights)
        found.append((middle - end) / (steps - half))
    return np.stack(found, axis=-1)
