"""The encryption as published: mix k images, mix their labels, flip every pixel's sign by a one-time mask."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from offconvex.instahide.keys import Keys, SystemKeys


@dataclass(frozen=True)
class Scheme:
    """What is announced about an encryption (huang2020instahide, Section 3 and the released training scripts).

    Attributes:
        private: private images in a mixture, the encrypted one first.
        public: public images in a mixture.
        upper: no coefficient may exceed it.
        dominant: the first two coefficients must add up to at least this; 0 for no such bound.
        flip: whether signs are flipped; without, this is mixup.
    """

    private: int = 2
    public: int = 4
    upper: float = 0.65
    dominant: float = 0.3
    flip: bool = True

    def __post_init__(self):
        if self.private < 1 or self.public < 0 or self.images < 2:
            raise ValueError(
                f"A mixture needs a private image and at least two images; got {self.private} + {self.public}."
            )
        if not 1 / self.images < self.upper <= 1:
            raise ValueError(f"`upper` must lie in (1/k, 1], or no coefficients exist; got {self.upper}.")
        if not 0 <= self.dominant < 1:
            raise ValueError(f"`dominant` must lie in [0, 1); got {self.dominant}.")

    @property
    def images(self) -> int:
        """Images in a mixture, the k of the source."""
        return self.private + self.public


def inside(k: int) -> Scheme:
    """All k images private."""
    return Scheme(k, 0, dominant=0.0)


def cross(k: int) -> Scheme:
    """Two private images and k - 2 public ones, the first two coefficients at least 0.3 together."""
    return Scheme(2, k - 2)


def mixup(k: int) -> Scheme:
    """All k images private and no signs flipped."""
    return Scheme(k, 0, dominant=0.0, flip=False)


@dataclass(frozen=True)
class Key:
    """A one-time key: all random choices of one pass over the private images.

    Attributes:
        coefficients: (n, k) float64.
        partners: (n, k) int64, which private or public image fills each slot; column 0 is 0..n-1.
        mask: (n, pixels) uint8, 1 where the sign is flipped; None without flips.
        draws: rows of coefficients drawn in all, rejected ones included.
    """

    coefficients: np.ndarray
    partners: np.ndarray
    mask: np.ndarray | None
    draws: int


def draw_coefficients(scheme: Scheme, rows: int, keys: Keys) -> tuple[Float[np.ndarray, "{rows} {scheme.images}"], int]:
    """Coefficients and the number of rows drawn for them.

    A row is |z| / sum |z| with z standard normal. The released code draws all rows, then redraws those that break a
    bound, in order and one at a time, each until it keeps both. Acceptable redraws so fill the rejected rows in order;
    as many are drawn at once as are surely needed, which uses the same numbers for the same rows.
    """
    kept = _normalized(keys.normal(rows, scheme.images))
    waiting, drawn = np.flatnonzero(~acceptable(scheme, kept)), rows
    while len(waiting):
        again = _normalized(keys.normal(len(waiting), scheme.images))
        drawn += len(waiting)
        good = again[acceptable(scheme, again)]
        kept[waiting[: len(good)]] = good
        waiting = waiting[len(good) :]
    return kept, drawn


def acceptable(scheme: Scheme, coefficients: Float[np.ndarray, "n {scheme.images}"]) -> Bool[np.ndarray, " n"]:
    """Which rows of coefficients keep the scheme's bounds."""
    return (coefficients.max(1) <= scheme.upper) & (coefficients[:, :2].sum(1) >= scheme.dominant)


def draw_key(scheme: Scheme, rows: int, pool: int, pixels: int, keys: Keys) -> Key:
    """One-time key for a pass over `rows` private images with `pool` public ones.

    Slot j of the private images is filled by one permutation of them, so that each is used exactly once a slot; public
    slots by the head of a permutation of the pool.
    """
    coefficients, drawn = draw_coefficients(scheme, rows, keys)
    slots = [np.arange(rows)]
    slots += [keys.permutation(rows) for _ in range(scheme.private - 1)]
    slots += [keys.permutation(pool)[:rows] for _ in range(scheme.public)]
    mask = keys.bits(rows * pixels).reshape(rows, pixels) if scheme.flip else None
    return Key(coefficients, np.stack(slots, axis=1), mask, drawn)


def apply_key(
    images: Float[Tensor, "n height width"],
    labels: Int[Tensor, " n"],
    public: Float[Tensor, "m height width"] | None,
    scheme: Scheme,
    key: Key,
    classes: int,
) -> tuple[Float[Tensor, "n height width"], Float[Tensor, "n {classes}"]]:
    """Encryptions and mixed labels that a key makes of images.

    Mixed labels are the sum over private slots of coefficient times one-hot label, not renormalized: with public
    images they add up to less than one, as in the released code.
    """
    rows = len(images)
    slots = torch.as_tensor(key.partners, device=images.device)
    weights = torch.as_tensor(key.coefficients, dtype=images.dtype, device=images.device)
    mixed = _weighted_sums(images, slots[:, : scheme.private], weights[:, : scheme.private])
    if scheme.public:
        mixed += _weighted_sums(public, slots[:, scheme.private :], weights[:, scheme.private :])
    if key.mask is not None:
        mixed *= 1 - 2 * torch.as_tensor(key.mask, device=images.device).view(torch.int8)
    mixed_labels = torch.zeros((rows, classes), dtype=images.dtype, device=images.device)
    mixed_labels.scatter_add_(1, labels[slots[:, : scheme.private]], weights[:, : scheme.private])
    return mixed.view(images.shape), mixed_labels


def _weighted_sums(
    images: Float[Tensor, "m height width"], slots: Int[Tensor, "n s"], weights: Float[Tensor, "n s"]
) -> Float[Tensor, "n height*width"]:
    """Weighted sums over the slots of rows of images, one pass over the data."""
    table = images.reshape(len(images), -1)
    return functional.embedding_bag(slots, table, mode="sum", per_sample_weights=weights.contiguous())


def encrypt(
    images: Float[Tensor, "n height width"],
    labels: Int[Tensor, " n"],
    scheme: Scheme,
    public: Float[Tensor, "m height width"] | None = None,
    *,
    keys: Keys | None = None,
    classes: int = 10,
) -> tuple[Float[Tensor, "n height width"], Float[Tensor, "n {classes}"], Key]:
    """Encrypt each image once with a fresh key.

    Args:
        images: private images, pixels centered at zero, such as gray levels in [-1, 1].
        labels: their classes.
        scheme: what is announced.
        public: public images, m at least n; needed if the scheme uses any.
        keys: source of the key; by default the operating system's generator.
        classes: number of classes.

    Returns:
        Encryptions, mixed labels, and the key, which its owner must throw away.

    Raises:
        ValueError: if images and labels do not fit, or public images are missing or too few.
    """
    if images.dim() != 3 or labels.shape != images.shape[:1]:
        raise ValueError(
            f"Expected images (n, height, width) and labels (n,); got {tuple(images.shape)} and {tuple(labels.shape)}."
        )
    pool = 0 if public is None else len(public)
    if scheme.public and (pool < len(images) or public.shape[1:] != images.shape[1:]):
        raise ValueError(
            f"The scheme mixes in public images, at least {len(images)} of the private images' shape; got {pool}. "
            "Give more, or encrypt in smaller groups."
        )
    source = SystemKeys() if keys is None else keys
    key = draw_key(scheme, len(images), pool, images[0].numel(), source)
    return *apply_key(images, labels, public, scheme, key, classes), key


@dataclass(frozen=True)
class Published:
    """All that an adversary sees.

    Attributes:
        images: (N, height, width) encryptions, in random order.
        labels: (N, classes) their mixed labels.
        scheme: announced.
        size: number n of private images, announced.
    """

    images: torch.Tensor
    labels: torch.Tensor
    scheme: Scheme
    size: int


@dataclass(frozen=True)
class Truth:
    """What the owner knows about a release, in the release's order: for judging an attack, never for running one.

    Attributes:
        images: (n, height, width) private images.
        owners: (N, private) which private images each encryption mixes.
        coefficients: (N, k).
        first: (N,) the place of each encryption before shuffling: epoch times n plus image.
    """

    images: torch.Tensor
    owners: torch.Tensor
    coefficients: torch.Tensor
    first: torch.Tensor


def release(
    images: Float[Tensor, "n height width"],
    labels: Int[Tensor, " n"],
    scheme: Scheme,
    public: Float[Tensor, "m height width"] | None,
    epochs: int,
    order: torch.Generator,
    *,
    keys: Keys | None = None,
    classes: int = 10,
) -> tuple[Published, Truth]:
    """Encryptions of `epochs` epochs of training, a fresh key each, shuffled together.

    Args:
        images: private images.
        labels: their classes.
        scheme: what is announced.
        public: public images, or None.
        epochs: encryptions T of each image as the first of its mixture.
        order: generator of the shuffle, which is no part of any key.
        keys: source of all keys; by default the operating system's generator.
        classes: number of classes.

    Raises:
        ValueError: as `encrypt`, or if there is no epoch.
    """
    if epochs < 1:
        raise ValueError(f"A release needs at least one epoch; got {epochs}.")
    source = SystemKeys() if keys is None else keys
    passes = [encrypt(images, labels, scheme, public, keys=source, classes=classes) for _ in range(epochs)]
    shuffle = torch.randperm(epochs * len(images), generator=order, device="cpu").to(images.device)
    encrypted, mixed = (torch.cat(parts)[shuffle] for parts in list(zip(*passes))[:2])
    owners = np.concatenate([key.partners[:, : scheme.private] for *_, key in passes])
    coefficients = np.concatenate([key.coefficients for *_, key in passes])
    device = images.device
    truth = Truth(
        images,
        torch.as_tensor(owners, device=device)[shuffle],
        torch.as_tensor(coefficients, dtype=images.dtype, device=device)[shuffle],
        shuffle,
    )
    return Published(encrypted, mixed, scheme, len(images)), truth


def _normalized(normal: np.ndarray) -> np.ndarray:
    size = np.abs(normal)
    return size / size.sum(1, keepdims=True)
