"""What the chapter's moving figures show: a cloud that stays in a mode, and one tempered chain that changes modes."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Shaped

from offconvex import rng
from offconvex.runtime import Runtime
from offconvex.sampling.langevin import start, ula
from offconvex.sampling.model import TwoModes
from offconvex.sampling.tempering.dynamics import temper
from offconvex.sampling.tempering.experiments import Tempered, TemperedRun


@dataclass(frozen=True)
class Cloud:
    """Langevin chains released in the left of two equal modes.

    Attributes:
        r: half distance of the means.
        chains: how many.
        step: time per step.
        every: steps between frames.
        frames: how many.
    """

    r: float = 4.0
    chains: int = 2000
    step: float = 0.05
    every: int = 30
    frames: int = 41


def cloud(config: Cloud, rt: Runtime, seed: int) -> dict[str, Float[np.ndarray, "{config.frames} ..."]]:
    """The cloud over time: "time" (T,) and "position" (T, N), beginning with the start."""
    generator, modes = rng.numpy_generator(seed, "cloud"), TwoModes(config.r)
    begin = start(modes.target(), modes.left(rt, generator, config.chains))
    _, seen = ula(
        modes.target(),
        begin,
        rt,
        generator,
        step=config.step,
        steps=config.every * (config.frames - 1),
        record=lambda x: {"position": x[:, 0]},
        record_every=config.every,
    )
    path = torch.cat([begin.position[None, :, 0], seen.records["position"]]).cpu().numpy()
    return {"time": np.arange(config.frames) * config.every * config.step, "position": path}


def typical_crossing(
    config: Tempered, run: TemperedRun, rt: Runtime, seed: int, *, frames: int = 56, every: int = 1, steps: int = 400
) -> dict[str, Shaped[np.ndarray, " {frames}"]]:
    """One chain on its way from the coldest level's left mode to its right: "time", "level" and "position", (frames,).

    All chains of a finished run go on for `steps` steps. A mode is what lies within one standard deviation of its mean,
    or beyond it. Taken is the way from the last visit of the one to the first of the other whose length is closest to
    three quarters of the frames; it ends with its arrival.

    Raises:
        ValueError: if no chain crosses in that time; let the chains go on for longer.
    """
    _, seen = temper(
        config.modes.target(),
        run.levels,
        run.state,
        rt,
        rng.numpy_generator(seed, "crossing"),
        step=config.schedule.step,
        steps=steps,
        swap_rate=config.schedule.swap_rate,
        path_every=every,
    )
    level, position = (seen.path[name].cpu().numpy() for name in ("level", "position"))
    position, coldest = position[..., 0], len(run.levels.betas) - 1
    r = config.modes.r
    at_left, at_right = ((level == coldest) & side for side in (position < 1 - r, position > r - 1))
    rows = np.arange(len(level))[:, None]
    last_left = np.maximum.accumulate(np.where(at_left, rows, -1), axis=0)
    last_right = np.maximum.accumulate(np.where(at_right, rows, -1), axis=0)
    before = np.vstack([np.full((1, last_right.shape[1]), -1), last_right[:-1]])
    arrives = at_right & (last_left >= 0) & (before < last_left)
    if not arrives.any():
        raise ValueError(f"No chain crossed from mode to mode within {steps} steps; let the chains go on for longer.")
    length = np.where(arrives, rows - last_left, np.iinfo(np.int64).max // 2)
    row, chain = np.unravel_index(np.abs(length - 3 * frames // 4).argmin(), length.shape)
    first = int(np.clip(row + 1 - frames, 0, len(level) - frames))
    window = slice(first, first + frames)
    time = np.arange(frames) * every * config.schedule.step
    return {"time": time, "level": level[window, chain], "position": position[window, chain]}
