"""Numbers read off chains: shares with their standard errors, distances of laws, correlations, effective samples."""

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor


def share(marked: Shaped[Tensor, "N 2"]) -> tuple[float, float]:
    """Share of the marked set and its standard error, from counts of independent chains: all, marked.

    The ratio of the two means; its error from the spread over chains, so that correlations within a chain count.
    """
    total, inside = marked[:, 0], marked[:, 1]
    value = float(inside.sum() / total.sum())
    return value, float((inside - value * total).std() / total.mean() / len(total) ** 0.5)


def scaled_ks(
    samples: Float[np.ndarray, " n"], x: Float[np.ndarray, " grid"], cumulative: Float[np.ndarray, " grid"]
) -> float:
    """sqrt(n) times the largest distance between the samples' distribution and a law given on a grid.

    Kolmogorov: the chance that independent samples of the law exceed c is about 2 exp(-2 c^2).
    """
    ordered = np.interp(np.sort(samples), x, cumulative)
    count = len(ordered)
    steps = np.arange(count + 1) / count
    return float(np.sqrt(count) * max(np.abs(ordered - steps[:-1]).max(), np.abs(ordered - steps[1:]).max()))


def binned_variation(
    samples: Float[np.ndarray, " n"],
    x: Float[np.ndarray, " grid"],
    cumulative: Float[np.ndarray, " grid"],
    edges: Float[np.ndarray, " edges"],
) -> float:
    """Total variation between samples and a law, both put into bins; never above the true one but for noise."""
    counts = np.histogram(samples, np.concatenate([[-np.inf], edges, [np.inf]]))[0] / len(samples)
    law = np.diff(np.concatenate([[0.0], np.interp(edges, x, cumulative), [1.0]]))
    return float(np.abs(counts - law).sum() / 2)


def relaxation_rate(signs: Float[Tensor, "2 N"], first: Float[Tensor, " N"], gap: float) -> tuple[float, float]:
    """Rate at which a stationary chain forgets its side, and its standard error.

    Args:
        signs: side, +1 or -1, of independent chains at two times, `gap` apart.
        first: side at time zero, where the chains are stationary.
        gap: time between the two.

    The correlation with the start falls like exp(-rate t) once faster modes have gone: rate = log(C_1 / C_2) / gap.
    """
    products = signs * first
    means = products.mean(1)
    # Delta method on log C_1 - log C_2, chains independent.
    parts = products[0] / means[0] - products[1] / means[1]
    error = float(parts.std() / len(first) ** 0.5)
    return float(torch.log(means[0] / means[1])) / gap, error / gap


def effective_samples(chains: Float[np.ndarray, "N T"]) -> float:
    """Effective number of independent samples in chains, Geyer's initial positive sequence on the pooled
    autocorrelation, with the spread between chains counted (geyer1992practical).

    Raises:
        ValueError: if there are fewer than two chains or four times.
    """
    count, length = chains.shape
    if count < 2 or length < 4:
        raise ValueError(f"Effective samples need 2 chains and 4 times or more; got {chains.shape}.")
    centered = chains - chains.mean()
    size = 1 << (2 * length - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(centered, size, axis=1)) ** 2
    covariance = np.fft.irfft(spectrum, size, axis=1)[:, :length].mean(0) / np.arange(length, 0, -1)
    correlation = covariance / covariance[0]
    pairs = correlation[: length // 2 * 2].reshape(-1, 2).sum(1)
    negative = np.flatnonzero(pairs < 0)
    pairs = pairs[: negative[0]] if len(negative) else pairs
    return float(count * length / max(2 * pairs.sum() - 1, 1.0))
