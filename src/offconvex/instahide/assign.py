"""Which private images does each encryption mix? Clusters by similarity, then decoding and assigning in turn."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.cluster.vq import kmeans2
from scipy.optimize import linear_sum_assignment

from offconvex.instahide.decode import Likelihood, Mixtures, Prior, maximize
from offconvex.instahide.scheme import Published
from offconvex.instahide.similarity import Similarity

SHARES = (0.2, 0.35, 0.5, 0.65, 0.8)  # of the first image, tried where both images have one class


@dataclass(frozen=True)
class Assigning:
    """Settings of the assignment.

    Attributes:
        rounds: of decoding and assigning again.
        sweeps: of the likelihood decoder in each round.
        restarts: of the clustering in each class.
    """

    rounds: int = 6
    sweeps: int = 20
    restarts: int = 8


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


def assign(
    published: Published, similarity: Similarity, prior: Prior, settings: Assigning, draws: np.random.Generator
) -> tuple[Mixtures, Mixtures]:
    """Owners and coefficients of every encryption, from encryptions and mixed labels alone.

    Encryptions whose label names a class are clustered by their codes into as many clusters of equal size as the class
    has images. Then images are decoded and every encryption is given the pair of images, one of each class of its
    label, whose mixture fits best; several rounds. Numbers of images are the adversary's own: which real image is
    number 7 she does not know.

    Args:
        published: the release.
        similarity: learned.
        prior: of images.
        settings: of rounds.
        draws: of the clustering's starts.

    Returns:
        The clusters as a first guess, and the last assignment.
    """
    slots = read_labels(published)
    codes = similarity.all_codes(published.images.float())
    gram = (codes @ codes.T).double().cpu().numpy()
    owners = torch.zeros_like(slots.classes)
    for label, members in enumerate(slots.members):
        if members:
            _cluster(owners, gram, slots, label, members, settings, draws)
    public = published.scheme.public
    first = mixtures = Mixtures(published.size, owners, slots.masses, public)
    for _ in range(settings.rounds):
        images = maximize(published.images, mixtures, prior, replace(Likelihood(), sweeps=settings.sweeps))
        owners, coefficients = fit_pairs(published.images, images, prior, slots)
        mixtures = Mixtures(published.size, owners, coefficients, public)
    return first, mixtures


def _cluster(owners, gram, slots: Slots, label: int, members, settings: Assigning, draws) -> None:
    """Write the clusters of one class into `owners`."""
    here = (slots.classes == label).cpu().numpy()
    rows = np.flatnonzero(here.any(1))
    both = here[rows].all(1)
    mass = slots.masses[rows].cpu().numpy()
    weight = np.where(both, mass.sum(1), (mass * here[rows]).sum(1))
    count = len(members)
    scores = _cluster_scores(gram[np.ix_(rows, rows)], weight, count, settings.restarts, draws)
    best = np.argsort(-scores, axis=1)
    first = torch.as_tensor(np.array(members)[_equal_sizes(scores)], device=owners.device)
    second = torch.as_tensor(np.array(members)[best[:, min(1, count - 1)]], device=owners.device)
    for row, one, other, double, column in zip(rows, first, second, both, here[rows].argmax(1)):
        owners[row, column] = one
        if double:
            owners[row, 1] = other


def _cluster_scores(gram: np.ndarray, weight: np.ndarray, count: int, restarts: int, draws) -> np.ndarray:
    """Scores (rows, count) of every encryption for every cluster: weighted mean similarity to its members."""
    gram = gram - np.diag(np.diag(gram))
    if count == 1:
        return np.ones((len(gram), 1))
    values, vectors = np.linalg.eigh(gram)
    places = vectors[:, -count:] * np.sqrt(np.clip(values[-count:], 0, None))
    best, best_value = None, -np.inf
    for _ in range(restarts):
        member = kmeans2(places, count, minit="++", seed=draws)[1]
        for _ in range(5):
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


def fit_pairs(
    encryptions: torch.Tensor, images: torch.Tensor, prior: Prior, slots: Slots
) -> tuple[torch.Tensor, torch.Tensor]:
    """Owners and coefficients (N, 2) whose mixture of decoded images is nearest to each encryption in absolute value.

    Candidates are all pairs of the label's classes; where both have one class, all pairs of it, and five ways to
    divide the mass.

    Args:
        encryptions: (N, height, width).
        images: (n, height, width) decoded.
        prior: its mean stands for the public part.
        slots: read from the labels.
    """
    observed, flat = encryptions.abs().flatten(1).float(), images.flatten(1).float()
    mean = prior.mean.float()
    owners, coefficients = torch.zeros_like(slots.classes), slots.masses.clone()
    for one, two in torch.unique(slots.classes, dim=0).tolist():
        rows = torch.nonzero((slots.classes == slots.classes.new_tensor([one, two])).all(1))[:, 0]
        pairs = _pairs(slots.members[one], slots.members[two], one == two, observed.device)
        for part in rows.split(64):
            masses = slots.masses[part].float()
            offset = (1 - masses.sum(1))[:, None, None] * mean
            candidates = SHARES if one == two else (None,)
            errors = []
            for share in candidates:
                first, second = _divide(masses, share)
                mixed = first[:, None, None] * flat[pairs[:, 0]] + second[:, None, None] * flat[pairs[:, 1]] + offset
                errors.append(mixed.abs_().sub_(observed[part][:, None]).square_().sum(2))
            best = torch.stack(errors, 1).flatten(1).argmin(1)
            owners[part] = pairs[best % len(pairs)]
            if one == two:
                chosen = masses.new_tensor(SHARES)[best // len(pairs)]
                total = masses.sum(1)
                coefficients[part] = torch.stack([chosen * total, (1 - chosen) * total], 1).to(coefficients.dtype)
    return owners, coefficients


def _pairs(first, second, same: bool, device) -> torch.Tensor:
    both = [(a, b) for a in first for b in second if not same or a < b]
    # A lone image of its class can only have met itself.
    return torch.tensor(both or [(first[0], first[0])], device=device)


def _divide(masses: torch.Tensor, share: float | None) -> tuple[torch.Tensor, torch.Tensor]:
    if share is None:
        return masses[:, 0], masses[:, 1]
    return share * masses.sum(1), (1 - share) * masses.sum(1)


def match(images: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """For judging only: which decoded image (n,) belongs to each true one, the pairing of least total square error."""
    a, b = images.flatten(1).double(), truth.flatten(1).double()
    distance = (a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1)
    rows, columns = linear_sum_assignment(distance.cpu().numpy())
    order = torch.empty(len(images), dtype=torch.int64, device=images.device)
    order[torch.as_tensor(columns, device=images.device)] = torch.as_tensor(rows, device=images.device)
    return order
