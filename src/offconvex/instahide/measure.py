"""How well an attack did: similarity, assignment, and pictures."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

PEAK = 2.0  # gray levels lie in [-1, 1]


def auc(scores: Float[Tensor, " n"], positive: Bool[Tensor, " n"]) -> float:
    """Chance that a positive scores above a negative, by ranks.

    Raises:
        ValueError: if all are positives, or none.
    """
    order = scores.argsort()
    ranks = torch.empty(len(scores), dtype=torch.float64, device=scores.device)
    ranks[order] = torch.arange(1, len(scores) + 1, dtype=torch.float64, device=scores.device)
    count = int(positive.sum())
    if count in (0, len(positive)):
        raise ValueError("The area under the curve needs positives and negatives; got one kind only.")
    return ((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(positive) - count))).item()


def psnr(images: Float[Tensor, "R h w"], truth: Float[Tensor, "R h w"]) -> Float[Tensor, " R"]:
    """Peak signal-to-noise ratio (n,) in dB of images (n, height, width) with gray levels in [-1, 1]."""
    error = ((images - truth) ** 2).flatten(1).mean(1)
    return 10 * torch.log10(PEAK**2 / error.clamp(min=1e-30))


def ssim(images: Float[Tensor, "R h w"], truth: Float[Tensor, "R h w"]) -> Float[Tensor, " R"]:
    """Structural similarity (n,) with the usual Gaussian window of 11 pixels and deviation 1.5 (wang2004image)."""
    place = torch.arange(-5, 6, dtype=truth.dtype, device=truth.device)
    line = torch.exp(-(place**2) / (2 * 1.5**2))
    window = (line[:, None] * line / line.sum() ** 2)[None, None]
    # The measure compares luminances, which are not negative: black is 0.
    a, b = images.to(truth.dtype)[:, None] + 1, truth[:, None] + 1
    mean_a, mean_b = functional.conv2d(a, window), functional.conv2d(b, window)
    var_a = functional.conv2d(a * a, window) - mean_a**2
    var_b = functional.conv2d(b * b, window) - mean_b**2
    both = functional.conv2d(a * b, window) - mean_a * mean_b
    first, second = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    quality = (2 * mean_a * mean_b + first) * (2 * both + second)
    return (quality / ((mean_a**2 + mean_b**2 + first) * (var_a + var_b + second))).flatten(1).mean(1)


def owners_found(found: Int[Tensor, "n 2"], truth: Int[Tensor, "n 2"]) -> float:
    """Share of the true owners (N, 2) among the owners found (N, 2), each found owner serving once."""
    straight = (found == truth).sum(1)
    crossed = (found == truth.flip(1)).sum(1)
    return (torch.maximum(straight, crossed).double().mean() / 2).item()
