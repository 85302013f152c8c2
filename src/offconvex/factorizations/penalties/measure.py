"""From a completed matrix to numbers."""

import numpy as np
import torch

SCORES = ("train", "test", "rank")


def scores(product: torch.Tensor, target: torch.Tensor, mask: torch.Tensor) -> dict[str, np.ndarray]:
    """Mean squared errors over observed ("train") and unobserved ("test") entries, and the "rank", each (R,).

    The rank is the effective one, exp of the entropy of sigma / sum sigma (roy2007effective).
    """
    squares, unseen = (product - target).square(), 1 - mask
    return {
        "train": ((mask * squares).sum((1, 2)) / mask.sum((1, 2))).cpu().numpy(),
        "test": ((unseen * squares).sum((1, 2)) / unseen.sum((1, 2))).cpu().numpy(),
        "rank": effective_rank(product),
    }


def effective_rank(matrices: torch.Tensor) -> np.ndarray:
    """exp(- sum p log p) with p = sigma / sum sigma, of matrices (R, n, n'), (R,)."""
    values = torch.linalg.svdvals(matrices)
    shares = values / values.sum(1, keepdim=True)
    return torch.special.entr(shares).sum(1).exp().cpu().numpy()


def ratio(matrices: torch.Tensor) -> np.ndarray:
    """|W|_* / |W|_F of matrices (R, n, n'), (R,)."""
    values = torch.linalg.svdvals(matrices)
    return (values.sum(1) / values.norm(dim=1)).cpu().numpy()
