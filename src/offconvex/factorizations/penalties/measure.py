"""From a completed matrix to numbers."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

SCORES = ("train", "test", "rank")


def scores(
    product: Float[Tensor, "R n m"], target: Float[Tensor, "#R n m"], mask: Float[Tensor, "#R n m"]
) -> dict[str, Float[np.ndarray, " R"]]:
    """Mean squared errors over observed ("train") and unobserved ("test") entries, and the "rank", each (R,).

    The rank is the effective one, exp of the entropy of sigma / sum sigma (roy2007effective).
    """
    squares, unseen = (product - target).square(), 1 - mask
    return {
        "train": ((mask * squares).sum((1, 2)) / mask.sum((1, 2))).cpu().numpy(),
        "test": ((unseen * squares).sum((1, 2)) / unseen.sum((1, 2))).cpu().numpy(),
        "rank": effective_rank(product),
    }


def effective_rank(matrices: Float[Tensor, "*R n m"]) -> Float[np.ndarray, "*R"]:
    """exp(- sum p log p) with p = sigma / sum sigma, of matrices (R, n, n'), (R,)."""
    values = torch.linalg.svdvals(matrices)
    shares = values / values.sum(1, keepdim=True)
    return torch.special.entr(shares).sum(1).exp().cpu().numpy()


def ratio(matrices: Float[Tensor, "*R n m"]) -> Float[np.ndarray, "*R"]:
    """|W|_* / |W|_F of matrices (R, n, n'), (R,)."""
    values = torch.linalg.svdvals(matrices)
    return (values.sum(1) / values.norm(dim=1)).cpu().numpy()
