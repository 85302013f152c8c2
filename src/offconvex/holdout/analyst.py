"""Analysts who never look at the data, only at the leaderboard, and still climb it."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from jaxtyping import Bool, Float

from offconvex import rng
from offconvex.holdout import bits, leaderboard

BLOCK = 2**19  # words drawn at a time, 4 MB: they stay in the cache while they are counted


@dataclass(frozen=True)
class Boosting:
    """Wacky boosting: submit coin flips, then the majority of those that did no worse than chance.

    Attributes:
        size: n, labels in the held-out set.
        checkpoints: numbers of queries after which the vote is looked at, rising.
        repetitions: independent repetitions.
        flip: turn the bad vectors around instead of dropping them.
        noise: standard deviation of Gaussian noise added to each answer.
        digits: decimals of an answer without noise.
        fresh: score the vote on as many labels that were never in the set, too.
    """

    size: int = 4000
    checkpoints: tuple[int, ...] = (400,)
    repetitions: int = 200
    flip: bool = False
    noise: float = 0.0
    digits: int = 5
    fresh: bool = False

    def __post_init__(self):
        if self.size < 2 or self.repetitions < 1 or self.noise < 0:
            raise ValueError("Boosting needs two labels, one repetition and noise that is not negative.")
        if not self.checkpoints or self.checkpoints[0] < 1 or list(self.checkpoints) != sorted({*self.checkpoints}):
            raise ValueError(f"Checkpoints must be positive and rise; got {self.checkpoints}.")


def boost(
    config: Boosting,
    seed: int,
    *stream: str | int,
    labels: Sequence[Bool[np.ndarray, " {config.size}"]] | None = None,
) -> dict[str, Float[np.ndarray, "{config.repetitions} {len(config.checkpoints)}"]]:
    """The vote's loss, and the least loss of a single submission, at each checkpoint.

    Queries are drawn, scored and added to the vote in blocks of whole machine words, all repetitions at once.

    Args:
        config: sizes.
        seed: of labels, vectors and noise.
        stream: name of the use.
        labels: of the held-out set and of the fresh one, for every repetition; fair coins by default.

    Returns:
        "loss" and "least", and with `config.fresh` also "fresh".
    """
    draws, n, repetitions = rng.numpy_generator(seed, *stream), config.size, config.repetitions
    if labels is None:
        truth, new = bits.random(draws, 2, repetitions, size=n)
    else:
        truth, new = np.repeat(bits.pack(np.stack(labels))[:, None], repetitions, axis=1)
    targets, unseen = (bits.unpack(packed, n).astype(bool) for packed in (truth, new))
    width = bits.words(n)
    sums = np.zeros((2 if config.fresh else 1, repetitions, n), dtype=np.int32)
    votes, least = np.zeros(repetitions, dtype=np.int64), np.ones(repetitions)
    found = {name: [] for name in ("loss", "least", *(["fresh"] if config.fresh else []))}
    block = max(1, BLOCK // (repetitions * width))
    done = 0
    for stop in config.checkpoints:
        while done < stop:
            count = min(block, stop - done)
            submitted = bits.random(draws, repetitions, count, size=n)
            losses = bits.ones(submitted ^ truth[:, None]) / n
            answers = leaderboard.naive(losses, config.digits)
            if config.noise:
                answers = losses + config.noise * draws.normal(size=losses.shape)
            good = answers <= 0.5
            np.minimum(least, losses.min(1), out=least)
            votes += count if config.flip else good.sum(1)
            halves = [submitted] + ([bits.random(draws, repetitions, count, size=n)] if config.fresh else [])
            for total, half in zip(sums, halves):
                total += bits.column_sums(_counted(half, good, config.flip, n), n)
            done += count
        # A tie is a one, as in the source; labels are balanced, so it is right half of the time.
        verdict = 2 * sums >= votes[:, None]
        found["loss"].append((verdict[0] != targets).mean(1))
        found["least"].append(least.copy())
        if config.fresh:
            found["fresh"].append((verdict[1] != unseen).mean(1))
    return {name: np.stack(rows, axis=1) for name, rows in found.items()}


def _counted(vectors: np.ndarray, good: np.ndarray, flip: bool, size: int) -> np.ndarray:
    """Vectors (R, K, words) as they enter the vote: the bad ones turned around, or made zero."""
    if not flip:
        return vectors * good[..., None]
    everywhere = bits.pack(np.ones(size, dtype=bool))
    return vectors ^ (everywhere * ~good[..., None])


@dataclass(frozen=True)
class Leaderboards:
    """The boosting analyst on three leaderboards at once: naive, the Ladder, the parameter-free Ladder.

    Attributes:
        size: n.
        checkpoints: numbers of queries after which the votes are looked at; the last is all.
        repetitions: independent repetitions.
        step: of the fixed Ladder.
    """

    size: int = 4000
    checkpoints: tuple[int, ...] = (10_000,)
    repetitions: int = 100
    step: float = 0.05


@dataclass(frozen=True)
class Climb:
    """How R analysts climbed one leaderboard.

    Attributes:
        vote: (R, checkpoints) loss on the held-out set of the vote of what the board praised.
        report: (R,) of the board, after the last vote was submitted, too.
        changes: (R,) how often a Ladder changed its report; zero on the naive board, which has none to keep.
    """

    vote: np.ndarray
    report: np.ndarray
    changes: np.ndarray


def climb(config: Leaderboards, seed: int, *stream: str | int) -> dict[str, Climb]:
    """Climb the boards "naive", "fixed" and "free" by the votes of what each praised.

    On the naive one, the analyst keeps what is answered with 1/2 or less; on a Ladder, what lowers the report.
    """
    draws, n, total = rng.numpy_generator(seed, *stream), config.size, config.checkpoints[-1]
    at_once = max(1, 2**23 // (total * bits.words(n)))
    blocks = []
    for start in range(0, config.repetitions, at_once):
        count = min(at_once, config.repetitions - start)
        labels = bits.random(draws, count, size=n)
        submitted = bits.random(draws, count, total, size=n)
        blocks.append(_climb_block(config, labels, submitted))
    together = {name: zip(*(astuple(block[name]) for block in blocks)) for name in blocks[0]}
    return {name: Climb(*map(np.concatenate, columns)) for name, columns in together.items()}


def _climb_block(config: Leaderboards, labels: np.ndarray, submitted: np.ndarray) -> dict[str, Climb]:
    n, losses = config.size, bits.ones(submitted ^ labels[:, None]) / config.size
    praised = {
        "naive": leaderboard.naive(losses) <= 0.5,
        "fixed": leaderboard.ladder(losses, config.step)[1],
        "free": leaderboard.free_ladder(submitted, labels, n)[1],
    }
    for name in ("fixed", "free"):
        # The first submission has nothing to improve on: it counts, as in the source, if it beats chance.
        praised[name][:, 0] &= losses[:, 0] < 0.5
    targets, climbs = bits.unpack(labels, n).astype(bool), {}
    for name, kept in praised.items():
        sums, votes, last = 0, 0, 0
        curve = []
        for stop in config.checkpoints:
            chosen = kept[:, last:stop]
            sums = sums + bits.column_sums(submitted[:, last:stop] * chosen[..., None], n)
            votes, last = votes + chosen.sum(1), stop
            verdict = 2 * sums >= votes[:, None]
            curve.append((verdict != targets).mean(1))
        finals = np.concatenate([losses, curve[-1][:, None]], axis=1)
        if name == "naive":
            reports = np.minimum.accumulate(leaderboard.naive(finals), axis=1)
            accepted = np.zeros_like(reports, dtype=bool)
        elif name == "fixed":
            reports, accepted = leaderboard.ladder(finals, config.step)
        else:
            every = np.concatenate([submitted, bits.pack(verdict)[:, None]], axis=1)
            reports, accepted = leaderboard.free_ladder(every, labels, n)
        climbs[name] = Climb(np.stack(curve, axis=1), reports[:, -1], accepted.sum(1))
    return climbs


def pairs_attack(
    size: int, checkpoints: tuple[int, ...], repetitions: int, seed: int, *, step: float | None = None
) -> Float[np.ndarray, "{repetitions} {len(checkpoints)}"]:
    """Reports to an analyst who changes two labels of its best vector at a time, at each checkpoint.

    Args:
        size: n.
        checkpoints: numbers of queries, rising.
        repetitions: independent repetitions.
        seed: of labels and pairs.
        step: of a fixed Ladder; by default the Ladder is the parameter-free one.
    """
    draws = rng.numpy_generator(seed, "pairs")
    wrong = draws.integers(0, 2, size=(repetitions, size)).astype(bool)
    loss = wrong.mean(1)
    best = loss.copy() if step is None else np.round(loss / step) * step
    rows, found = np.arange(repetitions), []
    for t in range(1, checkpoints[-1] + 1):
        first = draws.integers(size, size=repetitions)
        second = (first + draws.integers(1, size, size=repetitions)) % size
        change = (2 - 2.0 * wrong[rows, first] - 2.0 * wrong[rows, second]) / size
        margin = step if step is not None else leaderboard.paired_deviation(2, change, size) / np.sqrt(size)
        accepted = loss + change < best - margin
        wrong[rows[accepted], first[accepted]] ^= True
        wrong[rows[accepted], second[accepted]] ^= True
        loss = np.where(accepted, loss + change, loss)
        best = np.where(accepted, loss if step is None else np.round(loss / step) * step, best)
        if t in checkpoints:
            found.append(best.copy())
    return np.stack(found, axis=1)
