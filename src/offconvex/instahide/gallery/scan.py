"""Candidates scored one by one against one encryption: is this image in it? Float32: scores are sums of 784 terms."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional

LEVELS = 256  # gray levels of a pixel
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
"""Coefficients that are tried: the candidate's own is unknown."""
SPREAD = 0.34  # sum of squares of the rest's coefficients, as shares of their sum: about that of three to five images
FLOOR = 1e-3  # variance of what no model of images knows


@dataclass(frozen=True)
class Rest:
    """What the adversary believes of a mixture's images but one: independent normal pixels.

    Attributes:
        mean: (pixels,) of one of them.
        variance: (pixels,) of one of them.
    """

    mean: torch.Tensor
    variance: torch.Tensor


def rest_of(
    kin: Float[Tensor, "m height width"], public: Float[Tensor, "p height width"] | None = None, *, part: float = 0.2
) -> Rest:
    """Means and variances of pixels of images that the adversary has, none of which is a candidate.

    Args:
        kin: (m, height, width) images of the candidates' kind.
        public: (p, height, width) images of the kind that is mixed in; None if it is the same.
        part: how much of the rest is of the candidates' kind, if the other is not.
    """
    own = kin.flatten(1)
    if public is None:
        return Rest(own.mean(0), own.var(0))
    other = public.flatten(1)
    return Rest(
        part * own.mean(0) + (1 - part) * other.mean(0),
        part * own.var(0) + (1 - part) * other.var(0),
    )


def gray_levels(images: Float[Tensor, "N height width"]) -> UInt8[Tensor, "N height width"]:
    """The nearest of 256 gray levels 0..255 of pixels in [-1, 1]."""
    return ((images + 1) * ((LEVELS - 1) / 2)).round().clamp(0, LEVELS - 1).to(torch.uint8)


def places(levels: UInt8[Tensor, "N height width"]) -> Int[Tensor, "N height*width"]:
    """Where each pixel of each candidate stands in the table of `scores`: made once for a gallery."""
    flat = levels.flatten(1).to(torch.int32)
    return flat + LEVELS * torch.arange(flat.shape[1], dtype=torch.int32, device=flat.device)


def table(
    encryption: Float[Tensor, "height width"], rest: Rest, shares: tuple[float, ...] = SHARES
) -> Float[Tensor, "height*width*256 {len(shares)}"]:
    """Log likelihood of every pixel for every gray level that a candidate may have there, and every coefficient.

    A pixel of an encryption is y = |M + s e| with e standard normal, M = a g + (1 - a) mean for the candidate's gray
    level g and coefficient a, and s^2 = 0.34 (1 - a)^2 variance + 0.001, so that its density is
    phi((y - M) / s) / s + phi((y + M) / s) / s. There are only 256 levels, so that a whole gallery is scored by looking
    up, exactly, at the price of one table an encryption.

    Args:
        encryption: its signs are not used.
        rest: what else is in it.
        shares: coefficients a.
    """
    observed = encryption.abs().flatten()[:, None, None]
    share = observed.new_tensor(shares)
    level = torch.linspace(-1, 1, LEVELS, dtype=observed.dtype, device=observed.device)[:, None]
    mean, variance = (part.to(observed.dtype)[:, None, None] for part in (rest.mean, rest.variance))
    middle = share * level + (1 - share) * mean
    noise = SPREAD * (1 - share) ** 2 * variance + FLOOR
    # log(phi(a - b) + phi(a + b)) = -(a^2 + b^2) / 2 + |a b| + log(1 + exp(-2 |a b|)) + constants
    slant = (observed * middle / noise).abs()
    value = slant + torch.log1p(torch.exp(-2 * slant)) - (observed**2 + middle**2) / (2 * noise) - noise.log() / 2
    return value.flatten(0, 1)


def scores(
    encryption: Float[Tensor, "height width"], gallery: Int[Tensor, "N height*width"], rest: Rest
) -> Float[Tensor, " N"]:
    """Log likelihood (N,) that each candidate is in the encryption, its coefficient being the likeliest of `SHARES`.

    Candidates are looked at one by one, none together with another, so that time grows as their number.

    Args:
        encryption: one; its signs are not used, nor has it a label.
        gallery: candidates as `places` of their gray levels.
        rest: what else is in it.
    """
    return looked_up(gallery, table(encryption, rest))


def looked_up(gallery: Int[Tensor, "N pixels"], values: Float[Tensor, "pixels*256 shares"]) -> Float[Tensor, " N"]:
    """Sums (N,) over pixels of what a table says, the largest of its columns."""
    return functional.embedding_bag(gallery, values, mode="sum").amax(1)
