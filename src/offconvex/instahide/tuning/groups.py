"""Which private images does each encryption mix, where a class has hundreds: clusters of codes, without all pairs."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from offconvex.instahide.assign import Slots, read_labels
from offconvex.instahide.decode import Mixtures
from offconvex.instahide.scheme import Published

DIMENSIONS = 512  # of the codes that are kept, those of largest variance
PLACES = 256  # of these, in each class, for the starts
REFINEMENTS = 20
PRICES = 40  # steps by which clusters are made equally large


def group(published: Published, codes: Float[Tensor, "N features"], draws: np.random.Generator) -> Mixtures:
    """Owners and coefficients of every encryption, as `assign.assign` finds them, in time linear in the encryptions.

    What `assign` reads off all pairs and an exact assignment is here read off the sums of each cluster's codes, and
    equal sizes come from prices. Rows whose label names one class have their two nearest clusters.

    Args:
        published: the release.
        codes: of its encryptions, by a learned similarity.
        draws: of the starts.
    """
    slots, places = read_labels(published), principal(codes)
    owners = torch.zeros_like(slots.classes)
    for label, members in enumerate(slots.members):
        if members:
            _group_class(owners, places, slots, label, members, draws)
    return Mixtures(published.size, owners, slots.masses, published.scheme.public)


def principal(codes: Float[Tensor, "N features"]) -> Float[Tensor, "N kept"]:
    """Codes less their mean, of length one, in the directions of largest variance."""
    moved = torch.nn.functional.normalize(codes - codes.mean(0))
    vectors = torch.linalg.eigh((moved.T @ moved).double())[1]
    return moved @ vectors[:, -DIMENSIONS:].to(moved.dtype)


def _group_class(owners, places, slots: Slots, label: int, members, draws) -> None:
    """Write the clusters of one class into `owners`."""
    here = slots.classes == label
    rows = here.any(1).nonzero()[:, 0]
    both = here[rows].all(1)
    mass = slots.masses[rows]
    weight = torch.where(both, mass.sum(1), (mass * here[rows]).sum(1)).to(places.dtype)
    own, count = places[rows], len(members)
    scores = refined(own, weight, spread(own * weight[:, None], count, draws), count)
    names = torch.as_tensor(members, device=owners.device)
    first = equal(scores)
    second = scores.scatter(1, first[:, None], -torch.inf).argmax(1) if count > 1 else first
    column = here[rows].to(torch.int64).argmax(1)
    owners[rows, column] = names[first]
    owners[rows[both], 1] = names[second[both]]


def spread(points: Float[Tensor, "rows d"], count: int, draws: np.random.Generator) -> Int[Tensor, " rows"]:
    """Clusters by Lloyd's method in the leading directions, from starts far apart (arthur2007kmeans)."""
    vectors = torch.linalg.eigh((points.T @ points).double())[1][:, -PLACES:].to(points.dtype)
    places = points @ vectors
    square = (places**2).sum(1)
    nearest, chosen = torch.full_like(square, torch.inf), [int(draws.integers(len(places)))]
    for _ in range(1, count):
        new = square + square[chosen[-1]] - 2 * places @ places[chosen[-1]]
        nearest = torch.minimum(nearest, new.clamp(min=0))
        total = nearest.double().cumsum(0)
        chosen.append(int(torch.searchsorted(total, draws.random() * total[-1]).clamp(max=len(places) - 1)))
    centers = places[torch.as_tensor(chosen, device=places.device)]
    for _ in range(8):
        member = (2 * places @ centers.T - (centers**2).sum(1)).argmax(1)
        size = torch.bincount(member, minlength=count)
        sums = torch.zeros_like(centers).index_add_(0, member, places)
        centers = torch.where(size[:, None] > 0, sums / size.clamp(min=1)[:, None], centers)
    return member


def refined(
    codes: Float[Tensor, "rows d"], weight: Float[Tensor, " rows"], member: Int[Tensor, " rows"], count: int
) -> Float[Tensor, "rows {count}"]:
    """Scores for every cluster, the weighted mean similarity to its other members, after rounds of equal clusters."""
    for _ in range(REFINEMENTS):
        scores = mean_similarity(codes, weight, member, count)
        moved = equal(scores)
        if torch.equal(moved, member):
            break
        member = moved
    return scores


def mean_similarity(
    codes: Float[Tensor, "rows d"], weight: Float[Tensor, " rows"], member: Int[Tensor, " rows"], count: int
) -> Float[Tensor, "rows {count}"]:
    """Weighted mean inner product with each cluster's members, a row itself left out."""
    sums = torch.zeros((count, codes.shape[1]), dtype=codes.dtype, device=codes.device)
    sums.index_add_(0, member, codes * weight[:, None])
    total = torch.zeros(count, dtype=codes.dtype, device=codes.device).index_add_(0, member, weight)
    scores, places = codes @ sums.T, torch.arange(len(codes), device=codes.device)
    scores[places, member] -= weight * (codes**2).sum(1)
    sizes = total.expand_as(scores).clone()
    sizes[places, member] -= weight
    return scores / sizes.clamp(min=1e-6)


def equal(scores: Float[Tensor, "rows count"]) -> Int[Tensor, " rows"]:
    """Each row's best cluster less its price; prices move until the clusters are about equally large."""
    rows, count = scores.shape
    price, unit = torch.zeros_like(scores[0]), 0.3 * scores.std()
    for step in range(PRICES):
        size = torch.bincount((scores - price).argmax(1), minlength=count).to(scores.dtype)
        price += unit * 0.92**step * (size * count / rows - 1).clamp(-1, 1)
    return (scores - price).argmax(1)
