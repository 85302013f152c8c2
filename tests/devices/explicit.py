"""A guard against tensors whose device is nobody's choice."""

import os
import sys

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors


class ExplicitDevices(TorchFunctionMode):
    """Fails on a tensor made from nothing, or from Python data, without an explicit `device=`.

    Such a tensor lands on the default device: right on a CPU, and wrong on the first GPU that the code meets.
    """

    torch_folder = os.path.dirname(torch.__file__) + os.sep
    factories = frozenset(_device_constructors())

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in self.factories and kwargs.get("device") is None and not _keeps_device(function, args):
            caller = sys._getframe(1)
            # torch's own functions look after their devices themselves.
            if not caller.f_code.co_filename.startswith(self.torch_folder):
                raise AssertionError(
                    f"torch.{function.__name__} without `device=` in {caller.f_code.co_filename}:{caller.f_lineno}"
                )
        return function(*args, **kwargs)


def _keeps_device(function, args) -> bool:
    return function in (torch.as_tensor, torch.asarray) and bool(args) and isinstance(args[0], torch.Tensor)
