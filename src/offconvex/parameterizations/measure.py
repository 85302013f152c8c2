"""What the chapter reads off fields and paths; every function takes plain arrays."""

import numpy as np
from jaxtyping import Float


def relative_error(observed: Float[np.ndarray, "*any 2"], expected: Float[np.ndarray, "*any 2"]) -> float:
    """Largest |observed - expected| / |expected| over vectors."""
    error = np.linalg.norm(observed - expected, axis=-1)
    return float((error / np.linalg.norm(expected, axis=-1)).max())


def mean_relative_distance(observed: Float[np.ndarray, "*any 2"], expected: Float[np.ndarray, "*any 2"]) -> float:
    """Mean |observed - expected| / |expected| over vectors."""
    error = np.linalg.norm(observed - expected, axis=-1)
    return float((error / np.linalg.norm(expected, axis=-1)).mean())


def angle_between(
    first: Float[np.ndarray, "*#any 2"], second: Float[np.ndarray, "*#any 2"]
) -> Float[np.ndarray, "..."] | np.float64:
    """Angle in radians between vectors, accurate near zero."""
    cross = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    return np.abs(np.arctan2(cross, (first * second).sum(-1)))


def bend(paths: Float[np.ndarray, "T R 2"], goal: tuple[float, float]) -> float:
    """Largest angle in radians between the way traveled so far and the straight line to the goal."""
    traveled = paths[1:] - paths[0]
    return float(angle_between(traveled, np.asarray(goal) - paths[0]).max())


def peak_log_ratio(paths: Float[np.ndarray, "T R 2"]) -> Float[np.ndarray, " R"]:
    """Largest log(w2 / w1) on each path."""
    return np.log(paths[..., 1] / paths[..., 0]).max(axis=0)


def lowest_log_ratio(paths: Float[np.ndarray, "T R 2"]) -> Float[np.ndarray, " R"]:
    """Smallest log(w2 / w1) on each path."""
    return np.log(paths[..., 1] / paths[..., 0]).min(axis=0)


def angle_to(paths: Float[np.ndarray, "*any 2"], normal: tuple[float, float]) -> Float[np.ndarray, "*any"] | np.float64:
    """Signed angle in radians from the direction `normal` to w."""
    cross = normal[0] * paths[..., 1] - normal[1] * paths[..., 0]
    return np.arctan2(cross, paths @ np.asarray(normal))


def smallest_distance(points: Float[np.ndarray, "n 2"]) -> float:
    """Smallest distance between any two of the points."""
    gaps = np.linalg.norm(points[:, None] - points[None], axis=-1)
    return float(gaps[np.triu_indices(len(points), 1)].min())
