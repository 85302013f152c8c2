"""Which private images does each encryption mix? Clusters of equal size by learned similarity, class by class."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.cluster.vq import kmeans2
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from offconvex.instahide.decode import Mixtures
from offconvex.instahide.scheme import Published
from offconvex.instahide.similarity import Similarity

RESTARTS = 4  # of the clustering in each class
REFINEMENTS = 4  # of the clusters after each


@dataclass(frozen=True)
class Slots:
    """What the mixed labels give away.

    Attributes:
        classes: (N, 2) classes of the two private images, equal if the label names one only.
        masses: (N, 2) their coefficients; if the classes are equal, half of the mass each.
        members: for each class, the numbers of its private images.
    """

    classes: torch.Tensor
    masses: torch.Tensor
    members: tuple[tuple[int, ...], ...]


def read_labels(published: Published) -> Slots:
    """Classes, coefficients and the number of private images of each class, from mixed labels alone.

    Each private image fills 2 T slots of the T epochs, so that a class with s slots has s / (2 T) images.

    Raises:
        ValueError: if the encryptions are no whole number of epochs, or do not mix two private images.
    """
    if published.scheme.private != 2 or len(published.images) % published.size:
        raise ValueError(
            f"The attack needs two private images a mixture and whole epochs; got {published.scheme.private} private "
            f"and {len(published.images)} encryptions of {published.size} images."
        )
    epochs = len(published.images) // published.size
    masses, classes = published.labels.topk(2, dim=1)
    alone = masses[:, 1] <= 0
    classes, masses = classes.clone(), masses.clone()
    classes[alone, 1], masses[alone] = classes[alone, 0], masses[alone, :1] / 2
    count = torch.bincount(classes.flatten(), minlength=published.labels.shape[1])
    sizes = (count.double() / (2 * epochs)).round().long().tolist()
    ends = np.cumsum(sizes)
    return Slots(classes, masses, tuple(tuple(range(end - size, end)) for end, size in zip(ends, sizes)))


def assign(published: Published, similarity: Similarity, draws: np.random.Generator) -> Mixtures:
    """Owners and coefficients of every encryption, from encryptions and mixed labels alone.

    Encryptions whose label names a class are clustered by their codes into as many clusters of equal size as the class
    has images; the coefficient of an owner is its class's mass. If a label names one class, its two nearest clusters
    share the mass. Numbers of images are the adversary's own: which real image is her number 7 she does not know.

    Args:
        published: the release.
        similarity: learned.
        draws: of the clustering's starts.
    """
    slots = read_labels(published)
    codes = similarity.all_codes(published.images)
    owners = torch.zeros_like(slots.classes)
    for label, members in enumerate(slots.members):
        if members:
            _cluster(owners, codes, slots, label, members, draws)
    return Mixtures(published.size, owners, slots.masses, published.scheme.public)


def _cluster(owners, codes, slots: Slots, label: int, members, draws) -> None:
    """Write the clusters of one class into `owners`."""
    here = (slots.classes == label).cpu().numpy()
    rows = np.flatnonzero(here.any(1))
    both = here[rows].all(1)
    mass = slots.masses[rows].cpu().numpy()
    weight = np.where(both, mass.sum(1), (mass * here[rows]).sum(1))
    count = len(members)
    own = codes[torch.as_tensor(rows, device=codes.device)]
    scores = _cluster_scores((own @ own.T).double().cpu().numpy(), weight, count, draws)
    best = np.argsort(-scores, axis=1)
    first = torch.as_tensor(np.array(members)[_equal_sizes(scores)], device=owners.device)
    second = torch.as_tensor(np.array(members)[best[:, min(1, count - 1)]], device=owners.device)
    for row, one, other, double, column in zip(rows, first, second, both, here[rows].argmax(1)):
        owners[row, column] = one
        if double:
            owners[row, 1] = other


def _cluster_scores(gram: np.ndarray, weight: np.ndarray, count: int, draws) -> np.ndarray:
    """Scores (rows, count) of every encryption for every cluster: weighted mean similarity to its members."""
    gram = gram - np.diag(np.diag(gram))
    if count == 1:
        return np.ones((len(gram), 1))
    values, vectors = np.linalg.eigh(gram)
    places = vectors[:, -count:] * np.sqrt(np.clip(values[-count:], 0, None))
    best, best_value = None, -np.inf
    for _ in range(RESTARTS):
        member = kmeans2(places, count, minit="++", seed=draws)[1]
        for _ in range(REFINEMENTS):
            scores = _mean_similarity(gram, weight, member, count)
            member = _equal_sizes(scores)
        value = (scores[np.arange(len(member)), member] * weight).sum()
        if value > best_value:
            best, best_value = _mean_similarity(gram, weight, member, count), value
    return best


def _mean_similarity(gram: np.ndarray, weight: np.ndarray, member: np.ndarray, count: int) -> np.ndarray:
    one_hot = (member[:, None] == np.arange(count)) * weight[:, None]
    return gram @ one_hot / np.maximum(one_hot.sum(0), 1e-9)


def _equal_sizes(scores: np.ndarray) -> np.ndarray:
    """Clusters (rows,) of largest total score among those of equal sizes, up to rounding up."""
    rows, count = scores.shape
    columns = np.tile(np.arange(count), -(-rows // count))
    return columns[linear_sum_assignment(-scores[:, columns])[1]]


def names(images: Float[Tensor, "n height width"], truth: Float[Tensor, "n height width"]) -> Int[Tensor, " n"]:
    """For judging only: which true image (n,) each decoded one is called, the pairing of least total square error."""
    a, b = images.flatten(1).double(), truth.flatten(1).double()
    distance = (a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1)
    return torch.as_tensor(linear_sum_assignment(distance.cpu().numpy())[1], device=images.device)
