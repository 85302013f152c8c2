"""The order of descent as an integrator of the flow, and two corrections, on one small linear network."""

from dataclasses import dataclass

import numpy as np

from offconvex.descent import descend
from offconvex.files import Arrays
from offconvex.flow_vs_descent.backward_error import first_order_gap, flatten, modified_flow
from offconvex.flow_vs_descent.model import Network, images
from offconvex.flow_vs_descent.objective import network_loss
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class Corrections:
    """Descent at several steps up to one flow time.

    A linear network, because its loss is smooth: with kinks the gradient jumps, and orders are those of the jumps.

    Attributes:
        network: its shape.
        steps: step sizes, largest first, each a divisor of the time.
        time: flow time at which all are compared.
        count: images.
        side: their pixels.
    """

    network: Network = Network((49, 20, 20, 10), 1.0)
    steps: tuple[float, ...] = (4e-2, 2e-2, 1e-2, 5e-3, 2.5e-3)
    time: float = 4.0
    count: int = 200
    side: int = 7

    def __post_init__(self):
        if any(abs(self.time / step - round(self.time / step)) > 1e-6 for step in self.steps):
            raise ValueError(f"Each step must divide the time {self.time}; got {self.steps}.")


def compare(config: Corrections, rt: Runtime, seed: int) -> Arrays:
    """Distances of descent, (steps,) each.

    Returns:
        "plain" to the flow; "modified" to the flow of f + (step / 4) |grad f|^2; "corrected" to the flow plus the
        displacement of first order; "predicted", the length of that displacement; "step".
    """
    loss = network_loss(config.network, images(rt, count=config.count, side=config.side))
    start = config.network.start(rt, seed, "corrections")
    times = np.array([0.0, config.time])
    flow, displacement = (states[-1] for states in first_order_gap(loss, start, times, rtol=1e-9))
    rows: dict[str, list[float]] = {name: [] for name in ("plain", "modified", "corrected", "predicted")}
    for step in config.steps:
        count = round(config.time / step)
        run = descend(loss, start, steps=count, step_size=step, record_every=count)
        end = flatten(run.parameters)
        rows["plain"].append(np.linalg.norm(end - flow))
        rows["modified"].append(np.linalg.norm(end - modified_flow(loss, start, times, step=step)[-1]))
        rows["corrected"].append(np.linalg.norm(end - flow - step * displacement))
        rows["predicted"].append(step * np.linalg.norm(displacement))
    return {name: np.array(values) for name, values in rows.items()} | {"step": np.array(config.steps)}
