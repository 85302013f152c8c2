"""Stored experiment: the distance between two steps in single and in double precision."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from offconvex import runtime
from offconvex.descent import descend
from offconvex.files import Arrays
from offconvex.flow_vs_descent.model import Network, images
from offconvex.flow_vs_descent.objective import network_loss
from offconvex.stored import Stored, StoredExperiment


@dataclass(frozen=True)
class Precision:
    """A small network at steps eta and eta / ratio, in single and in double precision, layer by layer.

    Attributes:
        widths: of the network.
        slope: of its activation.
        rate: eta.
        ratio: of the smaller step.
        iterations: steps of size eta.
        records: times recorded after the start.
        count: images.
        side: their pixels.
        seed: of the start.
        device: where it runs.
    """

    widths: tuple[int, ...] = (49, 20, 20, 10)
    slope: float = 1.0
    rate: float = 1e-3
    ratio: int = 20
    iterations: int = 5000
    records: int = 50
    count: int = 200
    side: int = 7
    seed: int = 0
    device: str = "cpu"


PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


def precision_parts(config: Precision) -> dict[str, tuple[str, int]]:
    """One part per precision and step."""
    return {f"{name}-{ratio}": (name, ratio) for name in PRECISIONS for ratio in (config.ratio, 1)}


def run_precision(config: Precision, name: str, ratio: int, *, iterations: int | None = None) -> Arrays:
    """Weights (T, P) at the recorded times, in double precision, up to `iterations`."""
    rt = runtime.resolve(config.device, PRECISIONS[name])
    network = Network(config.widths, config.slope)
    loss = network_loss(network, images(rt, count=config.count, side=config.side), layerwise=True)
    start = network.start(rt, config.seed, "precision")
    run = descend(
        loss,
        start,
        steps=(iterations or config.iterations) * ratio,
        step_size=config.rate / ratio,
        record=lambda layers, _: {"weights": torch.cat([layer.flatten(1) for layer in layers], 1)},
        record_every=config.iterations // config.records * ratio,
    )
    return {"weights": run["weights"][:, 0].double().cpu().numpy()}


def assemble_precision(config: Precision, results: Mapping[tuple, Arrays]) -> Arrays:
    """Distances (T,): "gap PRECISION" between the two steps, "rounding RATIO" between the precisions, "travel"."""
    weights = {run: arrays["weights"] for run, arrays in results.items()}
    arrays = {"times": config.rate * np.linspace(0, config.iterations, config.records + 1)}
    for name in PRECISIONS:
        arrays[f"gap {name}"] = np.linalg.norm(weights[name, 1] - weights[name, config.ratio], axis=1)
    for ratio in (1, config.ratio):
        arrays[f"rounding {ratio}"] = np.linalg.norm(weights["float32", ratio] - weights["float64", ratio], axis=1)
    return arrays | {"travel": np.linalg.norm(weights["float64", 1] - weights["float64", 1][0], axis=1)}


def precision_slice(stored: Stored[Precision], iterations: int) -> float:
    """Largest relative difference, over the first iterations, of the gap in double precision from the stored one."""
    config = stored.config
    runs = [run_precision(config, "float64", r, iterations=iterations)["weights"] for r in (1, config.ratio)]
    gap = np.linalg.norm(runs[0] - runs[1], axis=1)
    return float(np.abs(gap[1:] / stored["gap float64"][1 : len(gap)] - 1).max())


PRECISION = StoredExperiment(
    "flow-precision", "flow-vs-descent", Precision(), precision_parts, run_precision, assemble_precision
)
