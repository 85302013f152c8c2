"""What minimizing a norm would choose, and tasks on which gradient descent agrees or does not."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped
from scipy.optimize import minimize_scalar

from offconvex import rng
from offconvex.descent import descend
from offconvex.factorizations.matrix.model import end_to_end, gaussian_layers, matrix_objective, squared_loss
from offconvex.factorizations.norms import theory as norms_theory
from offconvex.factorizations.norms.measure import schatten
from offconvex.factorizations.norms.task import CornerCompletion
from offconvex.runtime import Runtime


def completion_norm(
    free: Float[np.ndarray, "*any"] | float, task: CornerCompletion, power: float
) -> Float[np.ndarray, "*any"] | float:
    """Schatten (quasi-)norm of the fits of a 2 x 2 task with W11 = free (n,), (n,)."""
    fits = np.empty((*np.shape(free), 2, 2))
    fits[..., 0, 0], fits[..., 0, 1] = free, task.right
    fits[..., 1, 0], fits[..., 1, 1] = task.below, task.corner
    return schatten(np.log(np.linalg.svd(fits, compute_uv=False)), power)


def least_norm_entry(task: CornerCompletion, power: float, *, extent: float = 10.0) -> float:
    """W11 of the fit with least Schatten (quasi-)norm, by SciPy: a grid on [-extent, extent], then golden section."""
    grid = np.linspace(-extent, extent, 1002)
    best = grid[completion_norm(grid, task, power).argmin()]
    step = grid[1] - grid[0]
    bounds = (best - step, best + step)
    options = {"xatol": 1e-9}
    found = minimize_scalar(
        lambda w: float(completion_norm(w, task, power)), bounds=bounds, method="bounded", options=options
    )
    return float(found.x)


@dataclass(frozen=True)
class Regression:
    """Linear regression with more coefficients than samples.

    Attributes:
        samples: n.
        coefficients: d > n.
        problems: independent problems.
        steps: gradient descent steps of size 1 / (largest squared singular value of the features).
    """

    samples: int = 20
    coefficients: int = 60
    problems: int = 8
    steps: int = 1000

    def __post_init__(self):
        if not 1 <= self.samples < self.coefficients or self.problems < 1 or self.steps < 1:
            raise ValueError(
                "Need more coefficients than samples, and at least one problem and step; "
                f"got {self.coefficients}, {self.samples}, {self.problems}, {self.steps}."
            )


def regress(config: Regression, rt: Runtime, seed: int) -> dict[str, Shaped[np.ndarray, "..."]]:
    """Relative distance of gradient descent to the solution of least Euclidean norm.

    Returns:
        "iterations" (T,); "from zero" and "from Gaussian", (T, problems): by where the run started.
    """
    stream = rng.generator(seed, "norms", "regression")
    features = rt.normal(stream, config.problems, config.samples, config.coefficients)
    labels = rt.normal(stream, config.problems, config.samples, 1)
    elsewhere = rt.normal(stream, config.problems, config.coefficients, 1)
    pairs = zip(features.cpu().numpy(), labels.cpu().numpy())
    wanted = rt.tensor(np.stack([norms_theory.least_norm_solution(*pair) for pair in pairs]))
    step = 1 / np.linalg.norm(features.cpu().numpy(), 2, axis=(1, 2)) ** 2

    def objective(parameters):
        residual = features @ parameters[0] - labels
        return 0.5 * (residual**2).sum((1, 2)), (features.mT @ residual,)

    distances = {}
    for name, start in {"from zero": 0 * elsewhere, "from Gaussian": elsewhere}.items():
        run = descend(
            objective,
            (start,),
            steps=config.steps,
            step_size=rt.tensor(step),
            record=lambda p, _: {"distance": (p[0] - wanted).norm(dim=1)[:, 0] / wanted.norm(dim=1)[:, 0]},
            record_every=max(1, config.steps // 100),
        )
        distances[name] = run["distance"].cpu().numpy()
    return {"iterations": run.iterations.numpy()} | distances


@dataclass(frozen=True)
class SpikedCompletion:
    """Completion of (k, b)(k, b)^T, all observed but k^2: least nuclear norm puts |b|^2 there, rank one k^2.

    Attributes:
        spike: k.
        size: side of the matrix; b has size - 1 entries, drawn from [0.8, 1.2].
        replicas: independent b and starts.
        depths: numbers of layers.
        std: standard deviation of the layers' entries at the start.
        rate: step size of gradient descent.
        steps: its steps.
    """

    spike: float = 4.0
    size: int = 5
    replicas: int = 16
    depths: tuple[int, ...] = (2, 3)
    std: float = 1e-3
    rate: float = 5e-3
    steps: int = 10_000

    def __post_init__(self):
        if self.size < 2 or 1.2 * (self.size - 1) ** 0.5 > self.spike or min(self.depths) < 2:
            raise ValueError(
                "Need size >= 2, depths >= 2 and spike >= 1.2 (size - 1)^(1/2), so that |b| <= spike; "
                f"got size {self.size}, depths {self.depths}, spike {self.spike}."
            )


def complete_spiked(config: SpikedCompletion, rt: Runtime, seed: int) -> dict[str, Float[np.ndarray, "..."]]:
    """The unobserved entry that each method chooses, and the nuclear norms.

    Returns:
        "free" (n,) and "profile" (n,), entries and nuclear norms of the first task's fits; "flat" (R, size - 1), b;
        "nuclear" (R,), W11 of least nuclear norm, by SciPy; "nuclear norm" (R,), of that fit;
        "factorization" (depths, R), W11 after gradient descent; "factorization norm" (depths, R), nuclear norm there;
        "second" (depths, R), sigma_2 / sigma_1 there; "nuclear second" (R,), sigma_2 / sigma_1 of the nuclear fit.
    """
    generators = [rng.generator(seed, "norms", "spiked", replica) for replica in range(config.replicas)]
    flat = np.stack([0.8 + 0.4 * rt.uniform(g, config.size - 1).cpu().numpy() for g in generators])
    vectors = np.concatenate([np.full((config.replicas, 1), config.spike), flat], 1)
    targets = vectors[:, :, None] * vectors[:, None, :]
    mask = np.ones_like(targets)
    mask[:, 0, 0] = 0

    def filled(target: np.ndarray, free: float) -> np.ndarray:
        fit = target.copy()
        fit[0, 0] = free
        return np.linalg.svd(fit, compute_uv=False)

    minima = [
        minimize_scalar(
            lambda w, t=t: filled(t, w).sum(),
            bounds=(-2 * config.spike**2, 2 * config.spike**2),
            method="bounded",
            options={"xatol": 1e-9},
        )
        for t in targets
    ]
    spectra = np.stack([filled(t, float(m.x)) for t, m in zip(targets, minima)])
    out = {"factorization": [], "factorization norm": [], "second": []}
    objective = matrix_objective(squared_loss(rt.tensor(targets), rt.tensor(mask)))
    for depth in config.depths:
        starts = [rng.generator(seed, "norms", "spiked start", depth, replica) for replica in range(config.replicas)]
        layers = gaussian_layers(rt, starts, depth=depth, size=config.size, std=config.std ** (2 / depth))
        run = descend(objective, layers, steps=config.steps, step_size=config.rate, record_every=config.steps)
        end = end_to_end(run.parameters).cpu().numpy()
        values = np.linalg.svd(end, compute_uv=False)
        out["factorization"].append(end[:, 0, 0])
        out["factorization norm"].append(values.sum(-1))
        out["second"].append(values[:, 1] / values[:, 0])
    free = np.linspace(0, 1.2 * config.spike**2, 101)
    return {
        "free": free,
        "profile": np.array([filled(targets[0], w).sum() for w in free]),
        "flat": flat,
        "nuclear": np.array([float(m.x) for m in minima]),
        "nuclear norm": spectra.sum(-1),
        "nuclear second": spectra[:, 1] / spectra[:, 0],
    } | {name: np.array(values) for name, values in out.items()}
