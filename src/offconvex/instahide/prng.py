"""The seed search: which of many seeds of the released generators made these labels, and what follows from it."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse
import torch
from jaxtyping import Float
from torch import Tensor

from offconvex.instahide.keys import BreakableReleasedKeys
from offconvex.instahide.scheme import Key, Published, draw_coefficients, draw_key

ROWS = 16  # first rows tried; nearly half are useless, rejected at first or with one class in their label
TIE = 3e-7  # sums nearer than this may be out of order after rounding to single precision
TOLERANCE = 1e-6  # agreement of coefficients; labels are single precision


def search(published: Published, seeds: range, *, chunk: int = 4096) -> list[int]:
    """Seeds whose first coefficients appear among the mixed labels.

    A seed starts the released code's own NumPy generator, which draws the coefficients of all rows in order. A row
    whose first draw broke a bound was drawn again much later, and one with two images of a class shows only their sum,
    so that several rows are tried; one matches if some label has its two private coefficients. A match by accident is
    dropped when all of the first epoch's coefficients are compared.

    Args:
        published: the release, in any order.
        seeds: to try.
        chunk: seeds handled together.
    """
    top = published.labels.double().topk(2, dim=1)[0].cpu().numpy()
    sums, order = np.unique(top.sum(1), return_index=True)
    largest, k, count = top[order, 0], published.scheme.images, min(ROWS, published.size)
    generator, found = np.random.RandomState(0), []
    for begin in range(seeds.start, seeds.stop, chunk):
        tried = range(begin, min(begin + chunk, seeds.stop))
        draws = np.empty((len(tried), count * k))
        for place, seed in enumerate(tried):
            # Seeding again costs a twentieth of a new generator.
            generator.seed(seed)
            draws[place] = generator.normal(0.0, 1.0, count * k)
        size = np.abs(draws).reshape(len(tried), count, k)
        pair = size[:, :, :2] / size.sum(2, keepdims=True)
        total = pair.sum(2)
        # The first label whose sum is not below by more than the tolerance.
        near = np.clip(np.searchsorted(sums, total - TOLERANCE), 0, len(sums) - 1)
        close = np.abs(sums[near] - total) <= TOLERANCE
        hit = (close & (np.abs(largest[near] - pair.max(2)) <= TOLERANCE)).any(1)
        found += _confirmed(published, [seed for seed, good in zip(tried, hit) if good], sums)
    return found


def _confirmed(published: Published, seeds: list[int], totals: np.ndarray) -> list[int]:
    """Those of a few seeds whose whole first epoch appears among the sorted sums of labels."""
    good = []
    for seed in seeds:
        rows = draw_coefficients(published.scheme, published.size, BreakableReleasedKeys(seed))[0]
        if _nearest(totals, rows[:, : published.scheme.private].sum(1)).max() <= TOLERANCE:
            good.append(seed)
    return good


def _nearest(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Distance of each value to the nearest of ordered ones."""
    place = np.clip(np.searchsorted(ordered, values), 1, len(ordered) - 1)
    return np.minimum(np.abs(ordered[place] - values), np.abs(ordered[place - 1] - values))


def regenerate(published: Published, seed: int, pool: int) -> list[Key]:
    """All one-time keys of a release, from its seed and the size of the public pool."""
    keys = BreakableReleasedKeys(seed)
    epochs, pixels = len(published.images) // published.size, published.images[0].numel()
    return [draw_key(published.scheme, published.size, pool, pixels, keys) for _ in range(epochs)]


@dataclass(frozen=True)
class Opened:
    """A release with its masks undone.

    Attributes:
        images: (N, pixels) float64 mixtures, signs restored, N counting those not left out.
        mixing: (N, n) float64 coefficients of the private images.
        partners: (N, public) which public images were mixed in.
        shares: (N, public) their coefficients.
    """

    images: torch.Tensor
    mixing: torch.Tensor
    partners: torch.Tensor
    shares: torch.Tensor


def undo(published: Published, keys: list[Key]) -> Opened:
    """Take the masks off, matching encryptions to keys by the sum of their private coefficients.

    Encryptions whose sums agree in single precision could be exchanged, and are left out: a few of thousands.

    Raises:
        ValueError: if some key's coefficients appear in no label: the seed is wrong.
    """
    coefficients = np.concatenate([key.coefficients for key in keys])
    partners = np.concatenate([key.partners for key in keys])
    mask = np.concatenate([key.mask for key in keys])
    own = published.scheme.private
    totals, seen = coefficients[:, :own].sum(1), published.labels.double().sum(1).cpu().numpy()
    # Both sides hold the same numbers up to rounding, so that equal ranks belong together.
    place = np.empty(len(seen), dtype=np.int64)
    place[np.argsort(seen)] = np.argsort(totals)
    if np.abs(totals[place] - seen).max() > 4 * TOLERANCE:
        raise ValueError("Some key's coefficients appear in no label: expected the seed that made this release.")
    order = np.argsort(totals)
    tied = np.diff(totals[order]) <= TIE
    keep = np.ones(len(seen), dtype=bool)
    keep[np.isin(place, order[np.concatenate([tied, [False]]) | np.concatenate([[False], tied])])] = False
    coefficients, partners, mask = coefficients[place][keep], partners[place][keep], mask[place][keep]
    device = published.images.device
    mixing = np.zeros((len(partners), published.size))
    for slot in range(own):
        np.add.at(mixing, (np.arange(len(partners)), partners[:, slot]), coefficients[:, slot])
    signs = 1 - 2 * torch.as_tensor(mask, device=device).view(torch.int8).double()
    return Opened(
        published.images[torch.as_tensor(keep, device=device)].flatten(1).double() * signs,
        torch.as_tensor(mixing, device=device),
        torch.as_tensor(partners[:, own:], device=device),
        torch.as_tensor(coefficients[:, own:], device=device),
    )


def solve(opened: Opened, public: Float[Tensor, "m height width"]) -> Float[Tensor, "n height*width"]:
    """Private images (n, pixels) by least squares when the public pool (m, height, width) is known in order."""
    flat = public.flatten(1).double()
    part = sum(opened.shares[:, [j]] * flat[opened.partners[:, j]] for j in range(opened.shares.shape[1]))
    return torch.linalg.lstsq(opened.mixing, opened.images - part).solution


def solve_blind(opened: Opened, mean: Float[Tensor, " pixels"], pool: int) -> Float[Tensor, "n pixels"]:
    """Private images (n, pixels) when only the seed is known, and of the public pool its size.

    The keys name the public images by number, and each is used again in other epochs. So all images, private and
    public, are unknowns of exact linear equations A x = y; of their solutions the one nearest to the mean,
    x = mean + A^T (A A^T)^-1 (y - A mean), is the posterior mean if images are independent, of one normal law.

    Args:
        opened: the release without its masks.
        mean: (pixels,) mean of images.
        pool: number m of public images.
    """
    rows, own = opened.mixing.shape
    places = (torch.arange(rows, device=mean.device)[:, None].expand_as(opened.partners), opened.partners + own)
    private = scipy.sparse.csr_array(opened.mixing.cpu().numpy())
    index = tuple(part.flatten().cpu().numpy() for part in places)
    public = scipy.sparse.coo_array((opened.shares.flatten().cpu().numpy(), index), shape=(rows, own + pool)).tocsr()
    private.resize(rows, own + pool)
    matrix = private + public
    gram = (matrix @ matrix.T).toarray()
    gram[np.diag_indices(rows)] += 1e-7  # rounding of single-precision encryptions
    moved = opened.images.cpu().numpy() - matrix.sum(1)[:, None] * mean.cpu().numpy()
    dual = scipy.linalg.cho_solve(scipy.linalg.cho_factor(gram, lower=True, overwrite_a=True), moved)
    return mean + opened.mixing.T @ torch.as_tensor(dual, device=mean.device)
