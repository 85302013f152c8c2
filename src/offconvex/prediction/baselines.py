"""What else has been said to predict generalization, measured on a trained classifier and its training set."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from offconvex import rng
from offconvex.prediction.classifiers import Classifier, forward
from offconvex.runtime import Runtime

MOVE = (2, 1)  # pixels down and right, of the shift under which predictions are compared
PERTURBATION = 0.05  # of the weights, for sharpness, as a share of each weight's root mean square
DIRECTIONS = 5  # random perturbations
PAIRS_OF_A_CLASS = 200  # for mixup
QUANTILE = 0.1  # of the margins over the training set


def measure(
    classifier: Classifier, images: Float[Tensor, "n 28 28"], labels: Int[Tensor, " n"], rt: Runtime, seed: int
) -> dict[str, float]:
    """All baselines of one classifier on its clean training images; more is always a promise of a better test score.

    Args:
        classifier: trained.
        images: (n, 28, 28) standardized training images.
        labels: (n,) their classes.
        rt: device and precision.
        seed: of perturbations and pairs, the same for every classifier.

    Returns:
        By name, in the order of `BASELINES`: "training accuracy"; "training loss", minus the cross-entropy; "output
        margin" and "input margin", the QUANTILE of the margins of `margins`; "norm", minus the sum of squared weights;
        "sharpness", minus the loss's increase under random perturbations; "mixup", accuracy on midpoints of images of a
        class; "shift agreement", share of predictions that a move of the image keeps; "shift accuracy", accuracy on
        moved images.
    """
    logits = classifier.logits(images)
    loss = float(functional.cross_entropy(logits, labels))
    moved = moved_images(images)
    predicted, on_moved = logits.argmax(1), classifier.predict(moved)
    output, inner = margins(classifier, images, labels)
    mixed, mixed_labels = midpoints(images, labels, seed)
    found = (
        share(predicted == labels),
        -loss,
        float(output.quantile(QUANTILE)),
        float(inner.quantile(QUANTILE)),
        -float(sum(w.square().sum() for w in classifier.weights)),
        -sharpness(classifier, images, labels, rt, seed),
        share(classifier.predict(mixed) == mixed_labels),
        share(predicted == on_moved),
        share(on_moved == labels),
    )
    return dict(zip(BASELINES, found, strict=True))


BASELINES = (
    "training accuracy",
    "training loss",
    "output margin",
    "input margin",
    "norm",
    "sharpness",
    "mixup",
    "shift agreement",
    "shift accuracy",
)
"""Names of what `measure` returns, in its order."""


def share(flags: Bool[Tensor, " n"]) -> float:
    """Share of true flags."""
    return float(flags.double().mean())


def margins(
    classifier: Classifier, images: Float[Tensor, "n 28 28"], labels: Int[Tensor, " n"], chunk: int = 1000
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Margins (n,) of images: the label's logit minus the largest other one, negative for a wrong prediction.

    The first is over the standard deviation of all logits; the second over the norm of the difference's gradient by the
    image, a distance to the decision boundary to first order (jiang2019predicting).
    """
    output, distance = [], []
    deviation = classifier.logits(images).std()
    for part, truth in zip(images.split(chunk), labels.split(chunk)):
        part = part.clone().requires_grad_()
        logits = forward(classifier.member, classifier.weights, part)
        own = logits.gather(1, truth[:, None])[:, 0]
        other = logits.scatter(1, truth[:, None], -torch.inf).max(1).values
        (gradient,) = torch.autograd.grad((own - other).sum(), part)
        gap = (own - other).detach()
        output.append(gap / deviation)
        distance.append(gap / gradient.flatten(1).norm(dim=1).clamp_min(1e-12))
    return torch.cat(output), torch.cat(distance)


def sharpness(
    classifier: Classifier,
    images: Float[Tensor, "n 28 28"],
    labels: Int[Tensor, " n"],
    rt: Runtime,
    seed: int,
    count: int = 1000,
) -> float:
    """Mean increase of the loss on `count` images under Gaussian noise in proportion to each layer's weights."""
    part, truth = images[:count], labels[:count]
    base = functional.cross_entropy(classifier.logits(part), truth)
    draws = rng.generator(seed, "sharpness")
    total = 0.0
    for _ in range(DIRECTIONS):
        noisy = [
            w + PERTURBATION * w.square().mean().sqrt() * rt.normal(draws, *w.shape) for w in classifier.weights
        ]  # fmt: skip
        total += float(functional.cross_entropy(Classifier(classifier.member, noisy).logits(part), truth) - base)
    return total / DIRECTIONS


def midpoints(
    images: Float[Tensor, "n height width"], labels: Int[Tensor, " n"], seed: int
) -> tuple[Float[Tensor, "m height width"], Int[Tensor, " m"]]:
    """Means of random pairs of images of one class, and their classes: label-wise mixup (natekar2020representation)."""
    draws = rng.generator(seed, "mixup")
    mixed, classes = [], []
    for label in range(10):
        own = images[labels == label]
        pairs = torch.randint(len(own), (2, PAIRS_OF_A_CLASS), generator=draws, device="cpu").to(images.device)
        mixed.append((own[pairs[0]] + own[pairs[1]]) / 2)
        classes.append(torch.full((PAIRS_OF_A_CLASS,), label, device=images.device))
    return torch.cat(mixed), torch.cat(classes)


def moved_images(images: Float[Tensor, "n height width"]) -> Float[Tensor, "n height width"]:
    """Images (n, 28, 28) moved by MOVE, their darkest value coming in."""
    down, right = MOVE
    padded = functional.pad(images, (right, 0, down, 0), value=float(images.min()))
    return padded[:, : images.shape[1], : images.shape[2]]
