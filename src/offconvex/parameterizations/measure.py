"""What the chapter reads off fields and paths; every function takes plain arrays."""

import numpy as np


def relative_error(observed: np.ndarray, expected: np.ndarray) -> float:
    """Largest |observed - expected| / |expected| over vectors (..., 2)."""
    error = np.linalg.norm(observed - expected, axis=-1)
    return float((error / np.linalg.norm(expected, axis=-1)).max())


def mean_relative_distance(observed: np.ndarray, expected: np.ndarray) -> float:
    """Mean |observed - expected| / |expected| over vectors (..., 2)."""
    error = np.linalg.norm(observed - expected, axis=-1)
    return float((error / np.linalg.norm(expected, axis=-1)).mean())


def angle_between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angle in radians between vectors (..., 2), accurate near zero."""
    cross = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    return np.abs(np.arctan2(cross, (first * second).sum(-1)))


def bend(paths: np.ndarray, goal: tuple[float, float]) -> float:
    """Largest angle in radians between the way traveled so far and the straight line to the goal, paths (T, R, 2)."""
    traveled = paths[1:] - paths[0]
    return float(angle_between(traveled, np.asarray(goal) - paths[0]).max())


def peak_log_ratio(paths: np.ndarray) -> np.ndarray:
    """Largest log(w2 / w1) on each path, (T, R, 2) -> (R,)."""
    return np.log(paths[..., 1] / paths[..., 0]).max(axis=0)


def lowest_log_ratio(paths: np.ndarray) -> np.ndarray:
    """Smallest log(w2 / w1) on each path, (T, R, 2) -> (R,)."""
    return np.log(paths[..., 1] / paths[..., 0]).min(axis=0)


def angle_to(paths: np.ndarray, normal: tuple[float, float]) -> np.ndarray:
    """Signed angle in radians from the direction `normal` to w, (..., 2) -> (...,)."""
    cross = normal[0] * paths[..., 1] - normal[1] * paths[..., 0]
    return np.arctan2(cross, paths @ np.asarray(normal))


def smallest_distance(points: np.ndarray) -> float:
    """Smallest distance between any two of the points (n, 2)."""
    gaps = np.linalg.norm(points[:, None] - points[None], axis=-1)
    return float(gaps[np.triu_indices(len(points), 1)].min())
