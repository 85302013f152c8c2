"""The numbers that the chapter on explicit penalties judges."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from offconvex import rng
from offconvex.descent import autograd_objective
from offconvex.factorizations.penalties import measure as penalties_measure
from offconvex.factorizations.penalties import theory as penalties_theory
from offconvex.factorizations.penalties.experiments import Cell, SpectrumSweep, Tasks
from offconvex.factorizations.penalties.model import PENALTIES
from offconvex.factorizations.penalties.stored import row
from offconvex.runtime import Runtime
from offconvex.stored import Stored


def ratio_identities(rt: Runtime, seed: int) -> dict[str, float]:
    """How far the ratio is from its gradient formula, its scale invariance and its bounds, on random matrices.

    Matrices are 40 x 30 and Gaussian, so that singular values are apart from zero, and of rank 1 to 30 for the bounds.
    """
    matrix = rt.normal(rng.generator(seed, "penalties identities"), 8, 40, 30)
    scaled = [penalties_measure.ratio(factor * matrix) / penalties_measure.ratio(matrix) - 1 for factor in (1e-3, 1e3)]
    low = np.stack([penalties_measure.ratio(matrix[:, :, :rank] @ matrix[:, :rank, :]) for rank in range(1, 31)])
    ranks = np.arange(1, 31)[:, None]
    return {
        "gradient": max(_gradient_error(name, matrix) for name in PENALTIES),
        "scale": float(np.abs(scaled).max()),
        "lower": float(low.min()),
        "upper": float((low / np.sqrt(ranks)).max()),
    }


def broken_identities(rt: Runtime, seed: int) -> dict[str, float]:
    """The same gradient error at matrices of rank 29, and the change of the nuclear norm when they are doubled."""
    matrix = rt.normal(rng.generator(seed, "penalties identities"), 8, 40, 30)
    matrix[:, :, 0] = matrix[:, :, 1]
    plain = PENALTIES["nuclear"].value_and_gradient
    return {
        "gradient": _gradient_error("ratio", matrix),
        "scale": float((plain(2 * matrix)[0] / plain(matrix)[0] - 1).min()),
    }


def _gradient_error(name: str, matrix: torch.Tensor) -> float:
    """Largest error of a penalty's gradient against automatic differentiation of its singular values, relative."""
    penalty = PENALTIES[name]

    def value(parameters: tuple[torch.Tensor, ...]) -> torch.Tensor:
        values = torch.linalg.svdvals(parameters[0])
        values = values / (values.norm(dim=1, keepdim=True) if penalty.normalized else penalty.scale)
        if penalty.power == 0:
            return torch.special.entr(values / values.sum(1, keepdim=True)).sum(1).exp()
        return values.pow(penalty.power).sum(1)

    _, (oracle,) = autograd_objective(value)((matrix,))
    _, gradient = penalty.value_and_gradient(matrix, smoothing=0.0)
    return float((torch.linalg.matrix_norm(gradient - oracle) / torch.linalg.matrix_norm(oracle)).max())


def target_ranks(tasks: Tasks, rt: Runtime, seed: int) -> Float[np.ndarray, " {tasks.replicas}"]:
    """Effective ranks of the targets, (R,)."""
    return penalties_measure.effective_rank(tasks.draw(rt, seed)[0])


def local(
    tasks: Tasks, rt: Runtime, seed: int, *, normalized: bool
) -> dict[str, Float[np.ndarray, " {tasks.replicas}"]]:
    """First-order theory of the ratio, or of the plain nuclear norm, at each target: "test" and "certificate", (R,)."""
    grids = (x.cpu().numpy() for x in tasks.draw(rt, seed))
    found = [
        penalties_theory.local_theory(
            target, mask, tasks.task.rank, 1.0, normalized=normalized, scale=PENALTIES["nuclear"].scale
        )
        for target, mask in zip(*grids)
    ]
    return {name: np.array([getattr(one, name) for one in found]) for name in ("test", "certificate")}


def spectrum_certificates(swept: SpectrumSweep, rank: int) -> dict[str, Float[np.ndarray, "K R"]]:
    """Certificates (K, R) of nuclear norm and ratio at the targets of a sweep over spectra."""
    shape = swept.targets.shape[:2]
    return {
        name: np.array(
            [
                [
                    penalties_theory.local_theory(
                        swept.targets[k, r], swept.masks[k, r], rank, 1.0, normalized=normalized
                    ).certificate
                    for r in range(shape[1])
                ]
                for k in range(shape[0])
            ]
        )
        for name, normalized in (("nuclear norm", False), ("ratio", True))
    }


def medians(table: Stored, cell: Cell) -> Float[np.ndarray, " columns"]:
    """Median test errors of one row of the table, (columns,)."""
    return np.median(row(table, cell), -1)


@dataclass(frozen=True)
class Reach:
    """What the step sweep shows: best medians, and the range of steps whose median error is good.

    Attributes:
        descent_best: least median over steps, of descent from the observed start.
        small_best: the same of both optimizers from the small start.
        adam_range: largest over smallest good step of Adam from the observed start; zero if there is none.
        descent_range: the same of descent.
    """

    descent_best: float
    small_best: float
    adam_range: float
    descent_range: float


def reach(sweep: Stored, level: float) -> Reach:
    """How far both optimizers come; good is a median error of at most `level`."""
    middle = {
        (optimizer, start): np.median(sweep[f"test {optimizer}-{start}"], -1)
        for optimizer in ("Adam", "descent")
        for start in ("observed", "small")
    }
    good = [sweep[name][middle[name, "observed"] <= level] for name in ("Adam", "descent")]
    return Reach(
        float(middle["descent", "observed"].min()),
        float(min(middle[name, "small"].min() for name in ("Adam", "descent"))),
        *(float(steps.max() / steps.min()) if len(steps) else 0.0 for steps in good),
    )
