"""Where numbers are made: device, precision, threads."""

import re
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from offconvex import configs

DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True)
class Runtime:
    """Device and precision that every tensor of a run is made with.

    Attributes:
        device: resolved torch device.
        dtype: floating-point type of parameters and data.
    """

    device: torch.device
    dtype: torch.dtype

    def tensor(self, data) -> Float[Tensor, "..."]:
        """`data` as a tensor of the run's type on the run's device."""
        return torch.as_tensor(data, dtype=self.dtype, device=self.device)

    def zeros(self, *shape: int) -> Float[Tensor, "..."]:
        """Zeros of the given shape."""
        return torch.zeros(shape, dtype=self.dtype, device=self.device)

    def eye(self, size: int) -> Float[Tensor, "{size} {size}"]:
        """Identity matrix."""
        return torch.eye(size, dtype=self.dtype, device=self.device)

    def normal(self, generator: torch.Generator, *shape: int) -> Float[Tensor, "..."]:
        """Standard normal draws from a CPU generator, in float64, then cast and moved.

        Drawing in one precision on one device makes a seed mean the same data in every run.
        """
        draws = torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu")
        return draws.to(device=self.device, dtype=self.dtype)

    def uniform(self, generator: torch.Generator, *shape: int) -> Float[Tensor, "..."]:
        """Uniform draws on [0, 1) from a CPU generator, in float64, then cast and moved."""
        draws = torch.rand(shape, generator=generator, dtype=torch.float64, device="cpu")
        return draws.to(device=self.device, dtype=self.dtype)

    def permutation(self, generator: torch.Generator, size: int) -> Int[Tensor, " {size}"]:
        """Random permutation of 0..size-1 from a CPU generator, moved to the run's device."""
        return torch.randperm(size, generator=generator, device="cpu").to(self.device)


def resolve(device: str = "auto", dtype: torch.dtype = torch.float64, *, threads: int = 1) -> Runtime:
    """Runtime for a device name.

    "auto" takes CUDA where there is one, else Apple's MPS if float32 suffices (MPS has no float64),
    else the CPU. One CPU thread is the default because a second one slows these matrix sizes down.

    Raises:
        ValueError: if the device is unknown or not on this machine, the type is not a floating-point
            type, or `threads` is not positive.
    """
    if not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise ValueError(f"`dtype` must be a torch floating-point type such as torch.float64; got {dtype!r}.")
    threads = configs.whole(threads, "threads", least=1)
    cuda = torch.cuda.is_available()
    mps = torch.backends.mps.is_available()
    if device == "auto":
        device = "cuda" if cuda else "mps" if mps and dtype == torch.float32 else "cpu"
    kind = str(device).split(":")[0]
    if not re.fullmatch(r"(cpu|cuda|mps)(:\d+)?", str(device)):
        raise ValueError(f"`device` must be 'auto', 'cpu', 'cuda' or 'mps'; got {device!r}.")
    if kind == "cuda" and not cuda:
        raise ValueError("`device` is 'cuda', but torch sees no CUDA device here; use 'cpu' or 'auto'.")
    if kind == "mps" and not mps:
        raise ValueError("`device` is 'mps', but torch sees no Apple GPU here; use 'cpu' or 'auto'.")
    if kind == "mps" and dtype == torch.float64:
        raise ValueError("`device` is 'mps', which has no float64; use 'cpu', or a float32 experiment.")
    torch.set_num_threads(threads)
    return Runtime(torch.device(device), dtype)
