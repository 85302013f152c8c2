"""Opening a chapter: the only place that knows both its device and its run."""

import os
from pathlib import Path

import torch

from offconvex import claims, configs, figures, paths, run, runtime


def begin(
    chapter: str,
    *,
    seed: int,
    device: str = "auto",
    profile: str = "default",
    dtype: torch.dtype = torch.float64,
) -> runtime.Runtime:
    """Open a chapter: apply the figure style, point claims and figures to its results, return its runtime.

    Results go below `_build/`, unless the executor, which alone may replace committed files, says
    otherwise through the environment variable OFFCONVEX_OUTPUT.

    Raises:
        ValueError: if the profile is unknown, the seed is no integer from 0, or the device is not available.
    """
    if profile not in run.PROFILES:
        raise ValueError(f"`profile` must be one of {', '.join(run.PROFILES)}; got {profile!r}.")
    seed = configs.whole(seed, "seed")
    rt = runtime.resolve(device, dtype)
    output = Path(os.environ.get("OFFCONVEX_OUTPUT") or paths.live_results(chapter))
    output.mkdir(parents=True, exist_ok=True)
    run.activate(run.Run(chapter, seed, profile, output))
    claims.reset(output)
    figures.reset(output)
    return rt
