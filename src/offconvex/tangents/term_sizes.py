"""Random signs on the movement: sizes of the Taylor terms with and without them, and the balls where they suffice."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from offconvex import rng
from offconvex.files import Arrays
from offconvex.runtime import Runtime
from offconvex.tangents.two_layer import TwoLayer, draw


@dataclass(frozen=True)
class Scalings:
    """Sizes of the terms at |w_r| = m^(-1/4), softplus, one input of norm one.

    The movement is the input itself, at units of positive sign; so the linear term adds up.

    Attributes:
        widths: numbers of units m.
        replicas: starts of each width.
        draws: of the random signs, for each start.
        dimension: of the input.
    """

    widths: tuple[int, ...] = (100, 400, 1600, 6400, 25_600)
    replicas: int = 16
    draws: int = 100
    dimension: int = 20


def aligned(net: TwoLayer, point: Float[Tensor, " d"]) -> Float[Tensor, "R m d"]:
    """Movement (R, m, d) of size m^(-1/4) along a point (d,) of norm one, at units with a positive sign."""
    chosen = (net.signs > 0).to(point.dtype) * net.signs.shape[1] ** -0.25
    return chosen[..., None] * point


@dataclass(frozen=True)
class TermSizes:
    """Taylor terms of networks of each width.

    Attributes:
        first: (widths, R) linear term at the movement W.
        second: (widths, R) quadratic term f2 there.
        third: (widths, R).
        signed_first: (widths, R, draws) linear term at S W.
        remainder: (widths, R, draws) f at S W minus f2.
        moved: (widths, R) largest |f2(S W) - f2(W)|.
    """

    first: np.ndarray
    second: np.ndarray
    third: np.ndarray
    signed_first: np.ndarray
    remainder: np.ndarray
    moved: np.ndarray


def measure(config: Scalings, rt: Runtime, seed: int) -> TermSizes:
    """Terms of each width, at one movement and at that movement with random signs."""
    point = rt.normal(rng.generator(seed, "signs", "point"), config.dimension)
    inputs = (point / point.norm())[None]
    found: dict[str, list] = {field.name: [] for field in fields(TermSizes)}
    for width in config.widths:
        generator = rng.generator(seed, "signs", width)
        rows: dict[str, list] = {key: [] for key in found}
        for _ in range(config.replicas):
            net = draw(rt, generator, 1, width, config.dimension, "softplus")
            move = aligned(net, inputs[0])
            second = net.term(move, inputs, 2)
            signs = rt.normal(generator, config.draws, width).sign()
            # Draws take the place of replicas: f2 is computed anew from each signed movement.
            many = TwoLayer(net.weights, net.signs, "softplus")
            slope, bend = many.act.first(many.start(inputs)), many.act.second(many.start(inputs))
            along = signs * (move @ inputs[0])
            rows["first"].append(net.term(move, inputs, 1))
            rows["second"].append(second)
            rows["third"].append(net.term(move, inputs, 3))
            rows["signed_first"].append(many.read(slope * along[None]))
            rows["moved"].append((many.read(bend * along[None].square()) / 2 - second).abs().amax(1, keepdim=True))
            rows["remainder"].append(many.read(many.act.value(many.start(inputs) + along[None])) - second)
        for key, values in rows.items():
            found[key].append(torch.cat(values).squeeze(1) if values[0].shape[1] == 1 else torch.cat(values))
    return TermSizes(**{key: torch.stack(values).cpu().numpy() for key, values in found.items()})


def plane(width: int, grid: Float[np.ndarray, " G"], rt: Runtime, seed: int, *, dimension: int = 20) -> Arrays:
    """Network and its terms on a plane through the start: alpha along the aligned W, beta along S W.

    Args:
        width: number of units.
        grid: (G,) values of alpha and of beta, in units of |w_r| = m^(-1/4).
        rt: device and precision.
        seed: of start, point and signs.
        dimension: of the input.

    Returns:
        "value", "first", "second" (G, G), beta on axis 0, at one input.
    """
    generator = rng.generator(seed, "plane", width)
    net = draw(rt, generator, 1, width, dimension, "softplus")
    point = rt.normal(generator, dimension)
    inputs = (point / point.norm())[None]
    signs, along = rt.normal(generator, width).sign(), (aligned(net, inputs[0]) @ inputs[0])[0]
    start = net.start(inputs)[0, 0]
    slopes, bends = net.act.first(start), net.act.second(start)
    values = rt.tensor(grid)
    rows: dict[str, list] = {"value": [], "first": [], "second": []}
    for beta in values:
        moved = (values[:, None] + beta * signs) * along
        rows["value"].append(net.read(net.act.value(start + moved)[None])[0])
        rows["first"].append(net.read((slopes * moved)[None])[0])
        rows["second"].append(net.read((bends * moved.square())[None])[0] / 2)
    return {key: torch.stack(found).cpu().numpy() for key, found in rows.items()}


def radii(config: Scalings, rt: Runtime, seed: int, tolerance: float = 0.1) -> Arrays:
    """How far along the aligned W the linear and the quadratic model stay within a tolerance of the network.

    Returns:
        "linear" and "quadratic" (widths, R), in units of |w_r| = m^(-1/4), by bisection between 0 and 20.
    """
    found: dict[str, list] = {"linear": [], "quadratic": []}
    for width in config.widths:
        generator = rng.generator(seed, "radii", width)
        net = draw(rt, generator, config.replicas, width, config.dimension, "softplus")
        point = rt.normal(generator, config.dimension)
        inputs = (point / point.norm())[None]
        start, along = net.start(inputs), (aligned(net, inputs[0]) @ inputs[0])[:, None]
        first, second = (net.term(aligned(net, inputs[0]), inputs, k)[:, 0] for k in (1, 2))
        for name, bend in (("linear", 0.0), ("quadratic", 1.0)):
            low, high = torch.zeros_like(first), torch.full_like(first, 20.0)
            for _ in range(30):
                middle = (low + high) / 2
                value = net.read(net.act.value(start + middle[:, None, None] * along))[:, 0]
                good = (value - middle * first - bend * middle**2 * second).abs() <= tolerance
                low, high = torch.where(good, middle, low), torch.where(good, high, middle)
            found[name].append(low.cpu().numpy())
    return {name: np.stack(rows) for name, rows in found.items()}
