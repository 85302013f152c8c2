"""Images from encryptions whose mixtures are known up to signs: the published decoder, and the likelihood's."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

SPARSE = 500  # private images above which two entries a row are cheaper than a matrix


@dataclass(frozen=True)
class Prior:
    """What the adversary knows of images before she sees an encryption, from public ones.

    Attributes:
        mean: (pixels,) float64, of images of the private ones' kind.
        vectors: (pixels, pixels) eigenvectors of their covariance.
        values: (pixels,) its eigenvalues, at least 1e-3.
        public_mean: (pixels,) mean of the images that are mixed in.
        public_variance: average variance of their pixels.
    """

    mean: torch.Tensor
    vectors: torch.Tensor
    values: torch.Tensor
    public_mean: torch.Tensor
    public_variance: float


def prior_of(kin: Float[Tensor, "m height width"], public: Float[Tensor, "p height width"] | None = None) -> Prior:
    """Mean and covariance of images of the private ones' kind, mean and variance of the public ones mixed in.

    Args:
        kin: (m, height, width) images of the kind.
        public: (p, height, width) images that are mixed in; None if they are the same.
    """
    flat = kin.flatten(1).double()
    mixed_in = flat if public is None else public.flatten(1).double()
    values, vectors = torch.linalg.eigh(torch.cov(flat.T))
    return Prior(flat.mean(0), vectors, values.clamp(min=0) + 1e-3, mixed_in.mean(0), mixed_in.var(0).mean().item())


@dataclass(frozen=True)
class Mixtures:
    """Which images an adversary believes each encryption to mix, and how.

    Attributes:
        size: number n of private images.
        owners: (N, 2) places of the two private images.
        coefficients: (N, 2) their coefficients.
        public: number of public images in each.
    """

    size: int
    owners: torch.Tensor
    coefficients: torch.Tensor
    public: int

    def matrix(self) -> Float[Tensor, "{len(self.owners)} {self.size}"]:
        """(N, n) float64 matrix that mixes the private images."""
        weights = self.coefficients.double()
        mixing = torch.zeros((len(weights), self.size), dtype=torch.float64, device=weights.device)
        return mixing.scatter_add_(1, self.owners, weights)

    def left(self) -> Float[Tensor, " {len(self.owners)}"]:
        """(N,) total coefficient of the public images."""
        return (1 - self.coefficients.double().sum(1)).clamp(min=0)


@dataclass(frozen=True)
class PairMatrix:
    """A matrix (N, n) with two entries a row, or its transpose, as a product with dense ones needs it.

    Attributes:
        owners: (N, 2) columns of the entries; an entry named twice counts twice.
        weights: (N, 2).
        size: n.
        turned: whether this is the transpose.
    """

    owners: torch.Tensor
    weights: torch.Tensor
    size: int
    turned: bool = False

    def __matmul__(self, values: Float[Tensor, "rows pixels"]) -> Float[Tensor, "columns pixels"]:
        """Product with a dense matrix."""
        if not self.turned:
            return functional.embedding_bag(self.owners, values, mode="sum", per_sample_weights=self.weights)
        total = values.new_zeros(self.size, values.shape[1])
        for slot in (0, 1):
            total.index_add_(0, self.owners[:, slot], values * self.weights[:, slot, None])
        return total

    def square(self, factors: Float[Tensor, " N"]) -> Float[Tensor, "{self.size} {self.size}"]:
        """Its transpose, columns times factors, times itself."""
        places = self.owners[:, :, None] * self.size + self.owners[:, None]
        products = self.weights[:, :, None] * self.weights[:, None] * factors[:, None, None]
        flat = torch.zeros(self.size**2, dtype=products.dtype, device=products.device)
        return flat.index_add_(0, places.flatten(), products.flatten()).view(self.size, self.size)


def noise_variance(mixtures: Mixtures, prior: Prior) -> Float[Tensor, " {len(mixtures.owners)}"]:
    """Variance (N,) of a pixel of the public part, equal shares raised by a quarter for their spread."""
    shares = 1.25 / max(mixtures.public, 1)
    return mixtures.left() ** 2 * shares * prior.public_variance + 4e-4


@dataclass(frozen=True)
class Likelihood:
    """Settings of the likelihood decoder.

    Attributes:
        sweeps: of expectation and maximization.
        heat: standard deviation of the noise, in its own units, in the first sweep; it falls to one.
        cooling: share of the sweeps in which it falls.
        trust: factor of the prior's precision; above one because the public part is as smooth as images are, so that
            neighboring pixels tell less than independent ones would.
    """

    sweeps: int = 40
    heat: float = 3.0
    cooling: float = 0.6
    trust: float = 3.0


def maximize(
    encryptions: Float[Tensor, "N height width"], mixtures: Mixtures, prior: Prior, settings: Likelihood
) -> Float[Tensor, "{mixtures.size} height width"]:
    """Images (n, height, width), of largest posterior density when every sign is lost.

    A pixel of an encryption is |M + s e|, with M the private part plus the public mean, e standard normal. Given the
    images, the expected lost sign times the pixel y is y tanh(y M / s^2); given those, the images solve a least squares
    problem with the covariance of `prior`, exactly, in the eigenvectors of both sides. Each sweep does both: at fixed
    s the posterior density never falls (dempster1977maximum).

    Args:
        encryptions: (N, height, width); their signs are not used.
        mixtures: what they mix.
        prior: of images.
        settings: of the sweeps.
    """
    problem = Problem.of(encryptions, mixtures, prior, sparse=mixtures.size > SPARSE)
    images = problem.mean.expand(mixtures.size, -1)
    for factor in temperatures(settings):
        images = sweep(problem, images, factor, settings.trust)
    return images.clamp(-1, 1).view(-1, *encryptions.shape[1:])


def temperatures(settings: Likelihood) -> list[float]:
    """Factor of the noise variance in each sweep."""
    falling = [max(0.0, 1 - step / (settings.cooling * settings.sweeps)) for step in range(settings.sweeps)]
    return [(1 + (settings.heat - 1) * part) ** 2 for part in falling]


@dataclass(frozen=True)
class Problem:
    """What every sweep needs, in the precision of the encryptions.

    Attributes:
        observed: (N, pixels) absolute values.
        mixing: (N, n), a tensor or `PairMatrix`.
        weighted: (n, N), the transpose times typical noise variance over each encryption's.
        share: (n, 1) row sums of weighted times mixing.
        offset: (N, pixels) public mean.
        noise: (N, 1) noise variances.
        typical: their mean.
        values: (n,) eigenvalues of weighted times mixing.
        vectors: (n, n) its eigenvectors.
        mean: (pixels,) of the prior.
        spectrum: (pixels,) eigenvalues of its covariance.
        basis: (pixels, pixels) their vectors.
    """

    observed: torch.Tensor
    mixing: torch.Tensor | PairMatrix
    weighted: torch.Tensor | PairMatrix
    share: torch.Tensor
    offset: torch.Tensor
    noise: torch.Tensor
    typical: float
    values: torch.Tensor
    vectors: torch.Tensor
    mean: torch.Tensor
    spectrum: torch.Tensor
    basis: torch.Tensor

    @classmethod
    def of(
        cls, encryptions: Float[Tensor, "N height width"], mixtures: Mixtures, prior: Prior, *, sparse: bool = False
    ) -> "Problem":
        """The problem of encryptions (N, height, width) with given mixtures and prior."""
        noise, dtype = noise_variance(mixtures, prior), encryptions.dtype
        factors = noise.mean() / noise
        if sparse:
            weights = mixtures.coefficients.double()
            square = PairMatrix(mixtures.owners, weights, mixtures.size).square(factors)
            mixing = PairMatrix(mixtures.owners, weights.to(dtype), mixtures.size)
            turned = (weights * factors[:, None]).to(dtype)
            weighted, share = PairMatrix(mixtures.owners, turned, mixtures.size, turned=True), square.to(dtype)
        else:
            whole = mixtures.matrix()
            square = (whole.T * factors) @ whole
            mixing, weighted = whole.to(dtype), (whole.T * factors).to(dtype)
            share = weighted @ mixing
        values, vectors = torch.linalg.eigh(square)
        offset, column = (mixtures.left()[:, None] * prior.public_mean).to(dtype), noise[:, None].to(dtype)
        share = share.sum(1, keepdim=True)
        own = (values.clamp(min=0), vectors, prior.mean, prior.values, prior.vectors)
        parts = (part.to(dtype) for part in own)
        observed = encryptions.abs().flatten(1)
        return cls(observed, mixing, weighted, share, offset, column, noise.mean().item(), *parts)


def sweep(
    problem: Problem, images: Float[Tensor, "n pixels"], factor: float, trust: float
) -> Float[Tensor, "n pixels"]:
    """One expectation of signs and one maximization over images, (n, pixels) to (n, pixels)."""
    p = problem
    middle = p.mixing @ images + p.offset
    # The expected signed pixel, y tanh(y M / s^2).
    signed = middle.mul_(p.observed).div_(p.noise * factor).tanh_().mul_(p.observed)
    target = p.weighted @ signed.sub_(p.offset) - p.share * p.mean
    ridge = p.typical * factor * trust / p.spectrum
    solved = (p.vectors.T @ target @ p.basis) / (p.values[:, None] + ridge)
    return p.mean + p.vectors @ solved @ p.basis.T


def log_posterior(
    problem: Problem, images: Float[Tensor, "n pixels"], factor: float, trust: float
) -> Float[Tensor, ""]:
    """Log posterior density of images (n, pixels), up to a constant: what `sweep` climbs."""
    p = problem
    middle, twice = p.mixing @ images + p.offset, 2 * p.noise * factor
    fit = torch.logaddexp(-((p.observed - middle) ** 2) / twice, -((p.observed + middle) ** 2) / twice).sum()
    moved = (images - p.mean) @ p.basis
    return fit - 0.5 * trust * (moved**2 / p.spectrum).sum()


@dataclass(frozen=True)
class DecoderDescent:
    """Settings of the published decoder (carlini2020attack, Section 4.5 and released code).

    Attributes:
        steps: of Adam.
        rate: its learning rate.
        pull: weight of the term that pushes gray levels to the ends of [-1, 1].
        start: gray level of the first iterate; below zero, since at zero the sign of a mixture is undefined.
    """

    steps: int = 150
    rate: float = 0.03
    pull: float = 0.05
    start: float = -0.01


def descend(
    encryptions: Float[Tensor, "N height width"], mixtures: Mixtures, settings: DecoderDescent
) -> Float[Tensor, "{mixtures.size} height width"]:
    """Images (n, height, width) by gradient descent on mean((|y| - |m|)^2) + pull mean(1 - |x|).

    The public part counts as noise. The gradient is written by hand: a residual times the sign of the mixture, summed
    over the encryptions of each image. Each image is scaled to fill [-1, 1] at the end, as in the released code.

    Args:
        encryptions: (N, height, width); their signs are not used.
        mixtures: what they mix.
        settings: of the descent.
    """
    observed = encryptions.abs().flatten(1)
    mixing = mixtures.matrix().to(observed.dtype)
    images = torch.full(
        (mixtures.size, observed.shape[1]), settings.start, dtype=observed.dtype, device=observed.device
    )
    mean, square = torch.zeros_like(images), torch.zeros_like(images)
    for step in range(1, settings.steps + 1):
        gradient = descent_gradient(observed, images, mixing, settings.pull)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        images = images - settings.rate * (mean / (1 - 0.9**step)) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)
    low, high = images.amin(1, keepdim=True), images.amax(1, keepdim=True)
    return (2 * (images - low) / (high - low).clamp(min=1e-6) - 1).view(-1, *encryptions.shape[1:])


def descent_gradient(
    observed: Float[Tensor, "N pixels"], images: Float[Tensor, "n pixels"], mixing: Float[Tensor, "N n"], pull: float
) -> Float[Tensor, "n pixels"]:
    """Gradient (n, pixels) of the published decoder's loss, by hand."""
    mixed = mixing @ images
    slope = 2 / observed.numel() * (mixed - observed.copysign(mixed))
    return mixing.T @ slope - pull / images.numel() * images.sign()


def descent_loss(
    observed: Float[Tensor, "N pixels"], images: Float[Tensor, "n pixels"], mixing: Float[Tensor, "N n"], pull: float
) -> Float[Tensor, ""]:
    """Loss of the published decoder."""
    return ((observed - (mixing @ images).abs()) ** 2).mean() + pull * (1 - images.abs()).mean()
