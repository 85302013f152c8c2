"""The growth law read off gradient descent, for the components of any factorization."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from offconvex import fits
from offconvex.descent import Gradients, Objective, Parameters, Record, descend
from offconvex.factorizations import theory


@dataclass(frozen=True)
class Window:
    """Which records count: those in which a component grows.

    Attributes:
        smallest: records with sigma below this share of `scale` are left out: what is not learned, or ruled by
            imbalance.
        scale: the target's norm; None for the largest sigma that is met.
        weakest: records with gamma below this share of its peak are left out: what is learned has no rate to compare.
        each: whether every component has its own peak, instead of one for all.
    """

    smallest: float = 0.01
    scale: float | None = None
    weakest: float = 0.05
    each: bool = False

    def keeps(self, values: Float[np.ndarray, "T R"], projections: Float[np.ndarray, "T R"]) -> Bool[np.ndarray, "T R"]:
        """Which of sigma and gamma (T, R) lie in the window, (T, R)."""
        scale = values.max() if self.scale is None else self.scale
        peak = projections.max(0) if self.each else projections.max()
        return (values > self.smallest * scale) & (projections > self.weakest * peak)


@dataclass(frozen=True)
class Rates:
    """Rates of all kept records, pooled over the components.

    Attributes:
        axes: K, the number of vectors of a component; for singular values the number L of layers.
        values: (M,) sigma.
        projections: (M,) gamma.
        rates: (M,) measured d sigma/dt.
        vectors: (M, K) norms of the component's vectors, where they were read.
    """

    axes: int
    values: np.ndarray
    projections: np.ndarray
    rates: np.ndarray
    vectors: np.ndarray | None = None

    def thinned(self, count: int) -> "Rates":
        """At most `count` of the records, those nearest to sizes that are evenly spaced on a log axis; for drawing."""
        logs = np.log(self.values)
        grid = np.linspace(logs.min(), logs.max(), count)
        rows = np.unique(np.abs(logs[:, None] - grid).argmin(0))
        vectors = None if self.vectors is None else self.vectors[rows]
        return Rates(self.axes, self.values[rows], self.projections[rows], self.rates[rows], vectors)

    @property
    def scaled(self) -> Float[np.ndarray, " {len(self.values)}"]:
        """Measured rate over K gamma, which is sigma^(2 - 2/K) by the law."""
        return self.rates / (self.axes * self.projections)

    @property
    def law(self) -> Float[np.ndarray, " {len(self.values)}"]:
        """K sigma^(2 - 2/K) gamma, (M,)."""
        return theory.growth_rate(self.values, self.projections, depth=self.axes)

    @property
    def deviation(self) -> float:
        """Median of |measured - law| / law."""
        return float(np.median(np.abs(self.rates / self.law - 1)))

    @property
    def exact_deviation(self) -> float:
        """The same with the exact law of components that need not be balanced; see `theory.unbalanced_growth`."""
        law = theory.unbalanced_growth(self.values, self.projections, self.vectors)
        return float(np.median(np.abs(self.rates / law - 1)))

    @property
    def exponent(self) -> float:
        """Of sigma in measured rate / gamma, by least squares in log-log."""
        return fits.power_law(self.values, self.rates / self.projections)[0]


def read_rates(
    make_objective: Callable[[], Objective],
    growth: Mapping[int, Record],
    start: tuple[Float[Tensor, "1 ..."], ...],
    window: Window,
    *,
    step: float,
    steps: int,
    record_every: int = 20,
    stop: Callable[[torch.Tensor], bool] | None = None,
) -> dict[int, Rates]:
    """Run gradient descent and compare each component's norm before and after a step, at the middle of the step.

    Args:
        make_objective: a fresh objective; two are used, since each owns the buffers of its gradients.
        growth: "norms" sigma and "projections" gamma of the components, each (B, R), and their "vectors", (B, R, K), if
            the exact law is wanted; by the number K of axes.
        start: parameters of one replica, each (1, ...).
        window: which records count.
        step: constant step; small enough that a vector's norm moves by a few percent at most in one of them.
        steps: most iterations.
        record_every: iterations between records; each record takes one step ahead and looks at both ends.
        stop: see `descend`.

    Raises:
        ValueError: if fewer than ten records fall into the window, because the run was too short to learn anything.
    """
    look = make_objective()

    def both_ends(parameters: Parameters, gradients: Gradients) -> dict[str, torch.Tensor]:
        ahead = tuple(p - step * g for p, g in zip(parameters, gradients))
        ends = {"before": (parameters, gradients), "after": (ahead, look(ahead)[1])}
        return {
            f"{name} {axes} {side}": value
            for axes, read in growth.items()
            for side, end in ends.items()
            for name, value in read(*end).items()
        }

    options = {"steps": steps, "step_size": step, "record_every": record_every, "stop": stop}
    run = descend(make_objective(), start, record=both_ends, **options)
    fields = {name: value[:, 0].cpu().numpy() for name, value in run.fields.items()}
    return {axes: _rates(fields, axes, step, window) for axes in growth}


def _rates(fields: Mapping[str, np.ndarray], axes: int, step: float, window: Window) -> Rates:
    norms, projections, vectors = (
        [fields[f"{name} {axes} {side}"] for side in ("before", "after") if f"{name} {axes} {side}" in fields]
        for name in ("norms", "projections", "vectors")
    )
    rates = (norms[1] - norms[0]) / step
    values, projections = sum(norms) / 2, sum(projections) / 2
    kept = window.keeps(values, projections) & (rates > 0)
    if kept.sum() < 10:
        raise ValueError(
            f"Only {kept.sum()} records with {axes} axes show a growing component; take more `steps` or a larger start."
        )
    return Rates(axes, values[kept], projections[kept], rates[kept], sum(vectors)[kept] / 2 if vectors else None)
