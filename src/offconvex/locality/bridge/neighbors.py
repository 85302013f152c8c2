"""One tensor, learned from some of its entries: its pairs of axes are neighbors in the tree, or they are not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from offconvex import configs, rng, runtime
from offconvex.descent import GroupRMSprop, Objective, Parameters, descend
from offconvex.factorizations.hierarchical import measure as hierarchical_measure
from offconvex.factorizations.hierarchical import model as hierarchical
from offconvex.factorizations.tasks import uniform_mask
from offconvex.factorizations.tensor import model as tensor
from offconvex.files import Arrays
from offconvex.runtime import Runtime
from offconvex.stored import StoredExperiment

NEAR, FAR = "near", "far"
"""M(a, b) M'(c, d) with axes a, b, c, d in this order, and the same tensor with its two middle axes exchanged."""

TREE, OTHER_TREE, COMPONENTS = "tree", "other tree", "components"
"""A tree factorization that splits 01|23, one that splits 02|13, and a sum of outer products, which has no tree."""

LearnedBy = tuple[str, str]
"""What is learned and what learns it, such as (NEAR, TREE)."""

MIDDLE = 0.4
"""Share of observed entries at which the tree is compared with its rivals, and the chapter computes."""


@dataclass(frozen=True)
class Neighbors:
    """A product of two matrices as a tensor of order four, completed by a tree factorization.

    Attributes:
        length: of each of the four axes.
        rank: of both matrices.
        largest: singular value of a matrix, before the tensor is scaled; they are evenly spaced.
        smallest: singular value.
        norm: Frobenius norm of the tensor; with `length` squared its entries have mean square one.
        width: local components at every node of the tree. The far tensor needs `rank` squared at the root.
        std: of every entry of every matrix at the start.
        rule: adaptive scalar step of the sources' code (razin2022implicit).
        steps: most iterations under that rule.
        settled: they end once this is the largest loss of all replicas, three records in a row; 0 for never.
        finish: the rule of the last iterations, which are too short to leave an error of their own.
        finish_steps: their number.
        record_every: iterations between two looks at the loss.
    """

    length: int = 8
    rank: int = 4
    largest: float = 1.25
    smallest: float = 0.75
    norm: float = 64.0
    width: int = 32
    std: float = 0.1
    rule: GroupRMSprop = field(default_factory=lambda: GroupRMSprop(rate=0.03))
    steps: int = 2000
    settled: float = 0.0
    finish: GroupRMSprop = field(default_factory=lambda: GroupRMSprop(rate=1e-3))
    finish_steps: int = 500
    record_every: int = 500

    def __post_init__(self):
        if not 1 <= self.rank <= self.length or self.rank**2 > self.width:
            raise ValueError(
                "The far tensor has rank `rank` squared at the root, which the tree must be able to express: "
                f"rank^2 <= width, and rank <= length; got rank {self.rank}, width {self.width}, length {self.length}."
            )
        if not (0 < self.smallest <= self.largest and self.norm > 0 and self.std > 0):
            raise ValueError(f"Singular values, norm and std must be positive, and ordered; got {self}.")

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Lengths of the axes."""
        return (self.length,) * 4

    @property
    def components(self) -> int:
        """Outer products of a sum with as many parameters as the tree."""
        shapes = hierarchical.weight_shapes(_TREE, self.shape, self.width)
        return sum(rows * columns for rows, columns in shapes) // sum(self.shape)


_TREE = hierarchical.mode_tree(hierarchical.BINARY_4)


@dataclass(frozen=True)
class Completed:
    """One arm at the end, one number a replica.

    Attributes:
        unseen: relative error on the entries that were not observed; on all of them if none is left.
        observed: relative error on those that were.
        tail: share of the norm beyond the largest singular value across the split 01|23.
        other_tail: the same across 02|13.
    """

    unseen: np.ndarray
    observed: np.ndarray
    tail: np.ndarray
    other_tail: np.ndarray


def middle_exchanged(tensors: Float[Tensor, "R a b c d"]) -> Float[Tensor, "R a c b d"]:
    """The same tensors with their two middle axes exchanged: near becomes far, the split 01|23 becomes 02|13."""
    return tensors.transpose(2, 3).contiguous()


def product_of_pairs(config: Neighbors, rt: Runtime, seed: int, replica: int) -> Float[Tensor, "1 d d d d"]:
    """M(a, b) M'(c, d) with random singular vectors, the near tensor: rank one across 01|23."""
    draws = rng.generator(seed, "neighbors", "tensor", replica)
    values = torch.linspace(config.largest, config.smallest, config.rank, dtype=rt.dtype, device=rt.device)
    sides = [torch.linalg.qr(rt.normal(draws, config.length, config.rank)).Q for _ in range(4)]
    whole = torch.einsum("ai,i,bi,cj,j,dj->abcd", sides[0], values, sides[1], sides[2], values, sides[3])[None]
    return whole * (config.norm / whole.norm())


def draw(
    config: Neighbors, rt: Runtime, seed: int, data: str, fraction: float, replicas: range
) -> tuple[Float[Tensor, "R d d d d"], Float[Tensor, "R d d d d"]]:
    """Tensors of one kind, and masks of the given share of their entries; a smaller share is part of a larger one.

    Raises:
        ValueError: for another kind than near and far, or a share that is not in (0, 1].
    """
    if data not in (NEAR, FAR) or not 0 < fraction <= 1:
        raise ValueError(f"Tensors are {NEAR!r} or {FAR!r}, the fraction lies in (0, 1]; got {data!r}, {fraction}.")
    targets = torch.cat([product_of_pairs(config, rt, seed, r) for r in replicas])
    seen = round(fraction * config.length**4)
    draws = [rng.generator(seed, "neighbors", "mask", data, r) for r in replicas]
    masks = torch.stack([uniform_mask(rt, each, shape=config.shape, observed=seen) for each in draws])
    return targets if data == NEAR else middle_exchanged(targets), masks


def complete(
    config: Neighbors,
    targets: Float[Tensor, "R d d d d"],
    masks: Float[Tensor, "R d d d d"],
    start: hierarchical.Weights,
) -> Float[Tensor, "R d d d d"]:
    """Tensors that a tree factorization ends with: descent with the rule, then with that of the finish."""
    objective = hierarchical.HierarchicalObjective(_TREE, tensor.completion_loss(targets, masks))
    return hierarchical.end_tensor(_TREE, _descended(config, objective, start))


def _descended(config: Neighbors, objective: Objective, start: Parameters) -> Parameters:
    run = descend(
        objective,
        start,
        steps=config.steps,
        step_size=config.rule,
        record_every=config.record_every,
        stop=lambda loss: float(loss.max()) <= config.settled,
        patience=3,
    )
    last = {"steps": config.finish_steps, "record_every": max(1, config.finish_steps)}
    return descend(objective, run.parameters, step_size=config.finish, **last).parameters


def gaussian_start(
    config: Neighbors, rt: Runtime, seed: int, stream: tuple[str, ...], replicas: range, *, std: float
) -> hierarchical.Weights:
    """Matrices of the tree with independent entries, one stream a replica."""
    draws = [rng.generator(seed, "neighbors", "start", *stream, r) for r in replicas]
    return hierarchical.gaussian_weights(rt, draws, tree=_TREE, shape=config.shape, width=config.width, std=std)


def measured(
    found: Float[Tensor, "R d d d d"], targets: Float[Tensor, "R d d d d"], masks: Float[Tensor, "R d d d d"]
) -> Completed:
    """Errors and tails of what was found, replica by replica."""
    hidden = 1 - masks
    hidden = torch.where(hidden.flatten(1).sum(1).view(-1, 1, 1, 1, 1) > 0, hidden, masks)
    errors = [((found - targets) * part).flatten(1).norm(dim=1) for part in (hidden, masks)]
    sizes = [(targets * part).flatten(1).norm(dim=1) for part in (hidden, masks)]
    unseen, observed = ((error / size).cpu().numpy() for error, size in zip(errors, sizes))
    return Completed(unseen, observed, tail(found, (0, 1)), tail(found, (0, 2)))


def tail(tensors: Float[Tensor, "R d d d d"], axes: tuple[int, ...]) -> Float[np.ndarray, " R"]:
    """Share of the norm beyond the largest singular value across a split: 0 for a product of two functions."""
    values = hierarchical_measure.split_values(tensors, axes)
    return (values[:, 1:].norm(dim=1) / values.norm(dim=1)).cpu().numpy()


def learn(
    config: Neighbors, rt: Runtime, seed: int, arms: Sequence[LearnedBy], fraction: float, replicas: range
) -> list[Completed]:
    """Every arm from the same share of entries; all arms with a tree advance together, and all without."""
    trees = [arm for arm in arms if arm[1] != COMPONENTS]
    sums = [arm for arm in arms if arm[1] == COMPONENTS]
    found = {arm: data for arm, data in zip(trees, _learn_trees(config, rt, seed, trees, fraction, replicas))}
    found |= {arm: data for arm, data in zip(sums, _learn_sums(config, rt, seed, sums, fraction, replicas))}
    return [measured(found[arm], *draw(config, rt, seed, arm[0], fraction, replicas)) for arm in arms]


def _learn_trees(
    config: Neighbors, rt: Runtime, seed: int, arms: Sequence[LearnedBy], fraction: float, replicas: range
) -> list[torch.Tensor]:
    """Tensors by arm. The engine's tree splits 01|23; the other one is that tree on tensors with axes exchanged."""
    if not arms:
        return []
    turned = [middle_exchanged if learner == OTHER_TREE else torch.clone for _, learner in arms]
    drawn = [draw(config, rt, seed, data, fraction, replicas) for data, _ in arms]
    targets, masks = (torch.cat([turn(d[part]) for turn, d in zip(turned, drawn)]) for part in (0, 1))
    starts = [gaussian_start(config, rt, seed, arm, replicas, std=config.std) for arm in arms]
    found = complete(config, targets, masks, tuple(torch.cat(weights) for weights in zip(*starts)))
    return [turn(part) for turn, part in zip(turned, found.split(len(replicas)))]


def _learn_sums(
    config: Neighbors, rt: Runtime, seed: int, arms: Sequence[LearnedBy], fraction: float, replicas: range
) -> list[torch.Tensor]:
    if not arms:
        return []
    drawn = [draw(config, rt, seed, data, fraction, replicas) for data, _ in arms]
    targets, masks = (torch.cat([d[part] for d in drawn]) for part in (0, 1))
    draws = [rng.generator(seed, "neighbors", "start", *arm, r) for arm in arms for r in replicas]
    sizes = {"shape": config.shape, "components": config.components, "std": config.std}
    objective = tensor.TensorObjective(tensor.completion_loss(targets, masks))
    factors = _descended(config, objective, tensor.gaussian_factors(rt, draws, **sizes))
    return list(tensor.end_tensor(factors).split(len(replicas)))


@dataclass(frozen=True)
class NeighborsMap:
    """The stored map: every arm at every share of entries.

    Attributes:
        base: one run. Far tensors take tens of thousands of iterations to fit.
        fractions: of the entries that are observed; at 1 nothing is left to predict, and only fitting counts.
        replicas: tensors, each with masks and starts of its own.
        precision: of weights and gradients, "float32" or "float64", which takes twice as long.
        seed: of everything.
        device: where to run.
    """

    base: Neighbors = field(default_factory=lambda: Neighbors(steps=60_000, settled=5e-4, finish_steps=2000))
    fractions: tuple[float, ...] = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
    replicas: int = 5
    precision: str = "float32"
    seed: int = 600
    device: str = "cpu"

    def __post_init__(self):
        if self.precision not in ("float32", "float64"):
            raise ValueError(f"`precision` must be 'float32' or 'float64'; got {self.precision!r}.")
        if MIDDLE not in self.fractions or self.replicas < 1:
            raise ValueError(f"The controls need the fraction {MIDDLE}, and a replica at least; got {self.fractions}.")

    def settings(self) -> dict[str, object]:
        """What the stored result is known by."""
        rules = ("base.std", "base.rule.rate", "base.steps", "base.settled", "base.finish_steps")
        sizes = ("base.length", "base.rank", "base.norm", "base.width", "fractions", "replicas")
        where = ("precision", "seed", "device")
        return configs.flat(self, (*rules, *sizes, *where))


def parts(config: NeighborsMap) -> dict[str, tuple[str, str, float]]:
    """One part for each arm and share: the tree at every one of them, its rivals at one."""
    arms = [(data, TREE, fraction) for data in (NEAR, FAR) for fraction in config.fractions]
    arms += [(data, learner, MIDDLE) for data in (NEAR, FAR) for learner in (OTHER_TREE, COMPONENTS)]
    return {
        "-".join((data, learner.replace(" ", "-"), f"{share:g}")): (data, learner, share)
        for data, learner, share in arms
    }


def run_part(config: NeighborsMap, data: str, learner: str, fraction: float) -> Arrays:
    """Errors and tails of one arm at one share, all replicas."""
    rt = runtime.resolve(config.device, getattr(torch, config.precision))
    (learned,) = learn(config.base, rt, config.seed, [(data, learner)], fraction, range(config.replicas))
    return dict(vars(learned))


def assemble(config: NeighborsMap, results: Mapping[tuple, Arrays]) -> Arrays:
    """Arrays (2, fractions, R) of the tree, near and far; those of its rivals, (2, R), have their name before them."""
    kinds, found = (NEAR, FAR), {}
    for name in ("unseen", "observed", "tail", "other_tail"):
        found[name] = np.array([[results[data, TREE, f][name] for f in config.fractions] for data in kinds])
        for learner in (OTHER_TREE, COMPONENTS):
            found[f"{learner} {name}"] = np.array([results[data, learner, MIDDLE][name] for data in kinds])
    return found


NEIGHBORS = StoredExperiment("locality-neighbors", "locality", NeighborsMap(), parts, run_part, assemble)
