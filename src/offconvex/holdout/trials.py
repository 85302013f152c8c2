"""What the stored search says: how much the reused half flattered its winners, and what their descriptions promise."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from offconvex import datasets, rng
from offconvex.holdout.networks import DEVIATION, FAMILIES, MEAN, SIDE, Trial, shrink, train
from offconvex.holdout.razor.description import Expression, encode, parse
from offconvex.holdout.search import Search, reused_half, trial_at
from offconvex.runtime import Runtime
from offconvex.stored import Stored

TEST = 10_000  # images of the test set


def correctness(found: Stored) -> Bool[np.ndarray, "searches T 10000"]:
    """Whether each network of each search classifies each test image rightly, bool (searches, T, 10000)."""
    return np.unpackbits(found["right"], axis=-1, count=TEST).astype(bool)


@dataclass(frozen=True)
class Halves:
    """Errors of every network on its search's two halves.

    Attributes:
        reused: (searches, T) errors on the half that the search looked at.
        other: (searches, T) errors on the half that it did not.
        winners: (searches,) which network of each search does best on the reused half.
    """

    reused: np.ndarray
    other: np.ndarray
    winners: np.ndarray

    def gaps(self) -> Float[np.ndarray, " {len(self.winners)}"]:
        """Error on the other half minus error on the reused one, of each search's winner."""
        rows = np.arange(len(self.winners))
        return (self.other - self.reused)[rows, self.winners]

    def gap_error(self) -> float:
        """Standard error of the mean gap: binomial, each search with halves of its own."""
        rows = np.arange(len(self.winners))
        spread = [e[rows, self.winners] * (1 - e[rows, self.winners]) for e in (self.reused, self.other)]
        return float(np.sqrt(sum(spread).sum() / (TEST // 2)) / len(rows))


def halves(found: Stored[Search]) -> Halves:
    """Errors on both halves of each search."""
    config, right = found.config, correctness(found)
    masks = [reused_half(config, i, TEST) for i in range(config.searches)]
    reused, other = (
        np.stack([1 - r[:, m if same else ~m].mean(1) for r, m in zip(right, masks)]) for same in (True, False)
    )
    return Halves(reused, other, reused.argmin(1))


def resplit_gaps(
    found: Stored[Search], counts: tuple[int, ...], splits: int, seed: int
) -> Float[np.ndarray, "{splits} {len(counts)}"]:
    """Gap of the best of t networks over random halves of the test images, (splits, counts).

    Only first generations enter: they were drawn at random and saw no test image, so that any half is as good as any
    other. For each split and t the networks are drawn anew.
    """
    config = found.config
    first = correctness(found)[:, : config.groups * config.replicas].reshape(-1, TEST).astype(np.float32)
    draws = rng.numpy_generator(seed, "resplit")
    chosen = np.argsort(draws.random((TEST, splits), dtype=np.float32), axis=0) < TEST // 2
    reused = 1 - first @ chosen.astype(np.float32) / (TEST // 2)
    gap = 2 * ((1 - first.mean(1))[:, None] - reused)
    order = np.argsort(draws.random(reused.shape), axis=0)
    columns = np.arange(splits)
    result = []
    for count in counts:
        members = order[:count]
        best = members[reused[members, columns].argmin(0), columns]
        result.append(gap[best, columns])
    return np.stack(result, axis=1)


def describe(trial: Trial, stream: tuple[int, ...] = ()) -> tuple[Expression, ...]:
    """The description of a network: its graph, its pixels, its start, its training, and the stream of its draws."""
    channels = trial.width // 8
    between = f"{'batchnorm ' if trial.norm else ''}{trial.activation}"
    hidden = {
        "linear": "",
        "mlp": f"dense {trial.width} {between}",
        "deep": f"dense {trial.width} {between} dense {trial.width} {between}",
        "cnn": f"conv 3 {channels} stride 2 {between} conv 3 {2 * channels} stride 2 {between}",
    }[trial.family]
    start = "variance 2 fan_in last 1" if hidden else "variance 1"
    steps = ["sgd", f"rate {trial.rate}"]
    steps += [f"momentum {trial.momentum}"] if trial.momentum else []
    steps += ["cosine"] if trial.cosine else []
    steps += [f"decay {trial.decay:.4f}"] if trial.decay else []
    steps += [f"batch {trial.batch} epochs {trial.epochs} loss cross_entropy first 10000 images"]
    lines = [
        f"graph: input {SIDE} {SIDE} {hidden} dense 10 softmax",
        f"phrase: pixels average 2 2 subtract {MEAN} divide {DEVIATION}",
        f"phrase: init gauss {start} fan_in offset zero",
        *(["phrase: shift batch random 1 pixel"] if trial.shift else []),
        f"phrase: {' '.join(steps)}",
        *([f"phrase: seed {' '.join(map(str, stream))}"] if stream else []),
    ]
    return parse("\n".join(lines))


def stream_of(config: Search, index: int, network: int) -> tuple[int, ...]:
    """The numbers that name the random stream of a network: seed, search, generation, group, place."""
    generation, rest = divmod(network, config.groups * config.replicas)
    return (config.seed, index, generation, *divmod(rest, config.replicas))


@dataclass(frozen=True)
class Portrait:
    """A network of the book, described.

    Attributes:
        name: what the figure calls it.
        description: its expressions.
        bits: their length.
        reused: error on the half of the test set that it was chosen on.
        other: error on the other half.
    """

    name: str
    description: tuple[Expression, ...]
    bits: int
    reused: float
    other: float


def portraits(found: Stored[Search]) -> list[Portrait]:
    """The winner of each search, then of each family the best of the others over all searches, by the reused half."""
    config, errors = found.config, halves(found)
    picked = [(f"winner {i + 1}", i, int(best)) for i, best in enumerate(errors.winners)]
    for number, family in enumerate(FAMILIES):
        least = np.where(found["settings"][..., 0] == number, errors.reused, 1.0)
        for _, index, network in picked:
            least[index, network] = 1.0
        index, network = np.unravel_index(least.argmin(), least.shape)
        picked.append((family, int(index), int(network)))
    result = []
    for name, index, network in picked:
        trial = trial_at(found["settings"][index, network])
        text = describe(trial, stream_of(config, index, network))
        errors_of = (float(e[index, network]) for e in (errors.reused, errors.other))
        result.append(Portrait(name, text, len(encode(text)), *errors_of))
    return result


def retrained_difference(found: Stored[Search], groups: tuple[int, ...], rt: Runtime) -> float:
    """Share of the first 2000 test images on which a network trained again differs from the stored one, the median.

    Rounding differs between machines, and training at a large step amplifies it, so that single networks may end
    elsewhere; most do not.

    Args:
        found: the stored search.
        groups: groups of the first search's first generation that are trained again.
        rt: where; the precision is float32, as it was.
    """
    config, right = found.config, correctness(found)[0]
    single = Runtime(rt.device, torch.float32)
    seen, test = (datasets.fashion_mnist(split, rt=single) for split in ("train", "test"))
    images, test_images = shrink(seen.pixels), shrink(test.pixels)
    shares = []
    for group in groups:
        rows = slice(group * config.replicas, (group + 1) * config.replicas)
        members = [trial_at(row) for row in found["settings"][0, rows]]
        networks = train(members, images, seen.labels, single, config.seed, "search", 0, 0, group)
        again = (networks.predict(test_images) == test.labels).cpu().numpy()
        shares.append((again != right[rows, : len(test.labels)]).mean(1))
    return float(np.median(shares))
