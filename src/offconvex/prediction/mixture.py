"""The simpler generator: for each class, principal components and a mixture of Gaussians on them."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from offconvex import rng
from offconvex.runtime import Runtime

FLOOR = 1e-3  # smallest variance of a mixture component, as a share of the first principal component's


@dataclass(frozen=True)
class Mixture:
    """Sizes of the class-wise model.

    Attributes:
        components: principal components of a class.
        gaussians: Gaussians with diagonal covariance in their coordinates; one is a plain Gaussian model.
        rounds: steps of expectation and maximization.
    """

    components: int = 100
    gaussians: int = 10
    rounds: int = 40

    def __post_init__(self):
        if min(self.components, self.gaussians, self.rounds) < 1:
            raise ValueError("`components`, `gaussians` and `rounds` must be positive.")


@dataclass(frozen=True)
class ClassModel:
    """The fitted model of one class.

    Attributes:
        center: (pixels,) mean image.
        basis: (pixels, d) orthonormal principal components.
        residuals: (n, pixels) what the components leave of each training image.
        weights: (k,) of the Gaussians.
        means: (k, d) in the components' coordinates.
        variances: (k, d), diagonal.
    """

    center: torch.Tensor
    basis: torch.Tensor
    residuals: torch.Tensor
    weights: torch.Tensor
    means: torch.Tensor
    variances: torch.Tensor

    def draw(self, count: int, generator: torch.Generator, rt: Runtime) -> Float[Tensor, "{count} {len(self.center)}"]:
        """Images (count, pixels): coordinates from the mixture, plus the residual of a training image at random."""
        chosen = torch.multinomial(self.weights.cpu(), count, replacement=True, generator=generator).to(rt.device)
        noise = rt.normal(generator, count, self.means.shape[1])
        coordinates = self.means[chosen] + noise * self.variances[chosen].sqrt()
        rows = torch.randint(len(self.residuals), (count,), generator=generator, device="cpu").to(rt.device)
        return self.center + coordinates @ self.basis.T + self.residuals[rows]


def fit_class(
    mixture: Mixture, images: Float[Tensor, "n height width"], generator: torch.Generator, rt: Runtime
) -> ClassModel:
    """Model of the images (n, 28, 28) of one class, by principal components and expectation-maximization.

    Raises:
        ValueError: if there are fewer images than components or Gaussians.
    """
    if len(images) < max(mixture.components, mixture.gaussians):
        raise ValueError(
            f"{len(images)} images are too few for {mixture.components} principal components and {mixture.gaussians} "
            "Gaussians; take more images or fewer of those."
        )
    flat = images.flatten(1)
    center = flat.mean(0)
    basis = torch.linalg.svd(flat - center, full_matrices=False).Vh[: mixture.components].T
    coordinates = (flat - center) @ basis
    residuals = flat - center - coordinates @ basis.T
    weights, means, variances = expectation_maximization(mixture, coordinates, generator, rt)[:3]
    return ClassModel(center, basis, residuals, weights, means, variances)


def expectation_maximization(
    mixture: Mixture, points: Float[Tensor, "n d"], generator: torch.Generator, rt: Runtime
) -> tuple[Float[Tensor, " k"], Float[Tensor, "k d"], Float[Tensor, "k d"], list[float]]:
    """Weights (k,), means (k, d) and variances (k, d) of a mixture fitted to points (n, d), and its log likelihoods.

    Means start at points drawn at random, variances at those of all points. No variance falls below FLOOR times the
    largest one of the points, or a Gaussian would collapse on one of them.
    """
    spread = points.var(0, correction=0)
    least = FLOOR * spread.max()
    means = points[rt.permutation(generator, len(points))[: mixture.gaussians]]
    variances = spread.clamp_min(least).expand_as(means)
    weights = rt.zeros(mixture.gaussians) + 1 / mixture.gaussians
    record = []
    for _ in range(mixture.rounds):
        joint = log_joint(points, weights, means, variances)
        record.append(float(joint.logsumexp(1).mean()))
        shares = joint.softmax(1)
        total = shares.sum(0).clamp_min(1e-6)
        weights = total / total.sum()
        means = shares.T @ points / total[:, None]
        variances = ((shares.T @ points.square()) / total[:, None] - means.square()).clamp_min(least)
    return weights, means, variances, record


def log_joint(
    points: Float[Tensor, "n d"],
    weights: Float[Tensor, " k"],
    means: Float[Tensor, "k d"],
    variances: Float[Tensor, "k d"],
) -> Float[Tensor, "n k"]:
    """Log of weight times density, (n, k), of points (n, d) under each Gaussian."""
    square = ((points[:, None] - means) ** 2 / variances + (2 * torch.pi * variances).log()).sum(-1)
    return weights.log() - square / 2


def sample(
    mixture: Mixture,
    images: Float[Tensor, "n height width"],
    labels: Int[Tensor, " n"],
    count: int,
    rt: Runtime,
    seed: int,
    *stream: str | int,
) -> tuple[UInt8[Tensor, "{count} height width"], Int[Tensor, " {count}"]]:
    """Fit each class of images (n, 28, 28) in [0, 1] and draw (count, 28, 28) gray levels 0..255 and labels, in turn.

    Args:
        mixture: sizes.
        images: training images.
        labels: (n,) their classes, 0..9.
        count: images to draw, a multiple of ten.
        rt: device and precision.
        seed: of the fit and the draws.
        stream: name of the use.

    Raises:
        ValueError: if the images to draw cannot be shared equally among the ten classes.
    """
    if count % 10:
        raise ValueError(f"`count` must be a multiple of the ten classes; got {count}.")
    drawn = rt.zeros(count, *images.shape[1:])
    for label in range(10):
        generator = rng.generator(seed, *stream, "mixture", label)
        model = fit_class(mixture, images[labels == label], generator, rt)
        drawn[label::10] = model.draw(count // 10, generator, rt).view(-1, *images.shape[1:])
    return (drawn * 255).round().clamp(0, 255).to(torch.uint8), torch.arange(count, device=rt.device) % 10
