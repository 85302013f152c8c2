"""The surrogate beside the true separation rank, where the latter can be counted: hierarchical tensor models."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from offconvex import rng
from offconvex.factorizations import measure
from offconvex.factorizations.hierarchical import measure as hierarchical_measure
from offconvex.factorizations.hierarchical import model as hierarchical
from offconvex.locality.regularizer import Patch, gradient_similarity
from offconvex.runtime import Runtime

NUMERICAL_ZERO = 1e-9
"""Singular values below this share of the largest count as zero."""


@dataclass(frozen=True)
class Trees:
    """Functions f(x1, ..., x4) = <W, x1 o x2 o x3 o x4> of four pixels with several channels each.

    W is a hierarchical tensor factorization over the binary tree with Gaussian matrices, of which only the first
    `terms` local components at the root are left. The separation rank of f between the left and the right two pixels is
    the rank of the matrix that W becomes when axes 1 and 2 are its rows (cohen2017inductive).

    Attributes:
        channels: of a pixel, the length of the tensor's axes.
        terms: local components at the root.
        draws: functions for each.
        samples: Gaussian inputs on which the surrogate is averaged.
        equal: whether the root weighs its components by signs, equally, rather than by Gaussian numbers, of which some
            are so small that they count in the rank and hardly in the function.
    """

    channels: int = 8
    terms: tuple[int, ...] = (1, 2, 4, 8, 16)
    draws: int = 24
    samples: int = 256
    equal: bool = True

    def __post_init__(self):
        if min(self.terms) < 1 or max(self.terms) > self.channels**2 or self.draws < 1 or self.samples < 2:
            raise ValueError(f"`terms` lie in 1..channels^2, draws >= 1 and samples >= 2; got {self}.")


@dataclass(frozen=True)
class TreesRecord:
    """One entry per function.

    Attributes:
        terms: (M,) local components left at the root.
        ranks: (M,) counted separation ranks.
        similarity: (M,) mean surrogate between the left and the right half.
    """

    terms: np.ndarray
    ranks: np.ndarray
    similarity: np.ndarray


LEFT, RIGHT = Patch(0, 0, 1, 2), Patch(0, 2, 1, 2)


def compare(config: Trees, rt: Runtime, seed: int) -> TreesRecord:
    """Count ranks of the tensors' matrices, and measure the surrogate of the functions by differentiation."""
    tree, width = hierarchical.mode_tree(hierarchical.BINARY_4), max(config.terms)
    ranks, similarity = [], []
    for terms in config.terms:
        generators = [rng.generator(seed, "trees", terms, draw) for draw in range(config.draws)]
        weights = hierarchical.gaussian_weights(
            rt, generators, tree=tree, shape=(config.channels,) * 4, width=width, std=1.0
        )
        root = weights[-1].sign() if config.equal else weights[-1].clone()
        root[:, terms:] = 0
        tensors = hierarchical.end_tensor(tree, (*weights[:-1], root))
        values = hierarchical_measure.split_values(tensors, (0, 1))
        ranks.append(measure.counted(values.cpu().numpy(), share=NUMERICAL_ZERO))
        inputs = rt.normal(rng.generator(seed, "trees", "inputs", terms), config.samples, config.channels, 1, 4)
        inputs = inputs.expand(config.draws, *inputs.shape)
        _, similar = gradient_similarity(partial(contract, tensors), inputs, LEFT, RIGHT)
        similarity.append(similar.mean(-1).cpu().numpy())
    return TreesRecord(np.repeat(config.terms, config.draws), np.concatenate(ranks), np.concatenate(similarity))


def contract(tensors: Float[Tensor, "R d d d d"], inputs: Float[Tensor, "R N d 1 4"]) -> Float[Tensor, "R N"]:
    """Values (R, N) at inputs (R, N, d, 1, 4) of tensors (R, d, d, d, d): an axis takes the channels of its pixel."""
    pixels = inputs[..., 0, :].unbind(-1)
    halves = [torch.einsum("rni,rnj->rnij", *two).flatten(2) for two in (pixels[:2], pixels[2:])]
    matrix = tensors.flatten(1, 2).flatten(2, 3)
    return ((halves[0] @ matrix) * halves[1]).sum(-1)
