"""Reading the growth law off gradient descent, for components of any factorization."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from offconvex import fits
from offconvex.descent import Gradients, Objective, Parameters, Record, descend
from offconvex.factorizations import theory
from offconvex.factorizations.hierarchical import model as hierarchical
from offconvex.factorizations.tensor import measure as tensor_measure


@dataclass(frozen=True)
class Descent:
    """Plain gradient descent along which rates are read off.

    Attributes:
        step: constant step; small enough that a vector's norm moves by a few percent at most in one of them.
        steps: iterations.
        record_every: iterations between records; each record takes one step ahead and looks at both ends.
        smallest: records with sigma below this share of the largest are left out, as components that are never learned.
        weakest: records with gamma below this share of its peak are left out: what is learned has no rate to compare.
    """

    step: float
    steps: int
    record_every: int = 20
    smallest: float = 0.01
    weakest: float = 0.05

    def __post_init__(self):
        if not self.step > 0 or self.steps < 1 or self.record_every < 1:
            raise ValueError(
                "Rates need step > 0, steps >= 1 and record_every >= 1; "
                f"got {self.step}, {self.steps} and {self.record_every}."
            )


@dataclass(frozen=True)
class Rates:
    """Rates of all kept records, pooled over the components.

    Attributes:
        axes: K.
        values: (M,) sigma.
        projections: (M,) gamma.
        rates: (M,) measured d sigma/dt.
    """

    axes: int
    values: np.ndarray
    projections: np.ndarray
    rates: np.ndarray

    def thinned(self, count: int) -> "Rates":
        """At most `count` of the records, those nearest to sizes that are evenly spaced on a log axis; for drawing."""
        logs = np.log(self.values)
        grid = np.linspace(logs.min(), logs.max(), count)
        rows = np.unique(np.abs(logs[:, None] - grid).argmin(0))
        return Rates(self.axes, self.values[rows], self.projections[rows], self.rates[rows])

    @property
    def scaled(self) -> np.ndarray:
        """Measured rate over K gamma, which is sigma^(2 - 2/K) by the law."""
        return self.rates / (self.axes * self.projections)

    @property
    def deviation(self) -> float:
        """Median of |measured - law| / law."""
        return float(
            np.median(np.abs(self.rates / theory.growth_rate(self.values, self.projections, depth=self.axes) - 1))
        )

    @property
    def exponent(self) -> float:
        """Of sigma in measured rate / gamma, by least squares in log-log."""
        return fits.power_law(self.values, self.rates / self.projections)[0]


def read_rates(
    make_objective: Callable[[], Objective], growth: Mapping[int, Record], start: Parameters, config: Descent
) -> dict[int, Rates]:
    """Run gradient descent and compare each component's norm before and after a step, at the middle of the step.

    Args:
        make_objective: a fresh objective; two are used, since each owns the buffers of its gradients.
        growth: "norms" sigma and "projections" gamma of the components, each (B, R), by their number of axes K.
        start: parameters of one replica, each (1, ...).
        config: of the run.

    Raises:
        ValueError: if fewer than ten records fall into the window, because the run was too short to learn anything.
    """
    look = make_objective()

    def both_ends(parameters: Parameters, gradients: Gradients) -> dict[str, torch.Tensor]:
        ahead = tuple(p - config.step * g for p, g in zip(parameters, gradients))
        ends = (parameters, gradients), (ahead, look(ahead)[1])
        return {
            f"{name} {axes} {side}": value
            for axes, read in growth.items()
            for side, end in enumerate(ends)
            for name, value in read(*end).items()
        }

    run = descend(
        make_objective(),
        start,
        steps=config.steps,
        step_size=config.step,
        record=both_ends,
        record_every=config.record_every,
    )
    return {axes: _window(run.fields, axes, config) for axes in growth}


def _window(fields: Mapping[str, torch.Tensor], axes: int, config: Descent) -> Rates:
    norms, projections = (
        np.stack([fields[f"{name} {axes} {side}"][:, 0].cpu().numpy() for side in (0, 1)])
        for name in ("norms", "projections")
    )
    rates, values, projections = (norms[1] - norms[0]) / config.step, norms.mean(0), projections.mean(0)
    kept = (values > config.smallest * values.max()) & (projections > config.weakest * projections.max()) & (rates > 0)
    if kept.sum() < 10:
        raise ValueError(f"Only {kept.sum()} records with {axes} axes show a growing component; take more `steps`.")
    return Rates(axes, values[kept], projections[kept], rates[kept])


def local_growth(tree: hierarchical.ModeTree, positions: tuple[int, ...]) -> Record:
    """Norms and projections of the local components at nodes with one number of axes, side by side."""

    def growth(weights: Parameters, gradients: Parameters) -> dict[str, torch.Tensor]:
        nodes = [
            tensor_measure.growth_projections(
                hierarchical.local_vectors(tree, weights, i), hierarchical.local_vectors(tree, gradients, i)
            )
            for i in positions
        ]
        return {name: torch.cat([node[name] for node in nodes], dim=1) for name in ("norms", "projections")}

    return growth
