"""Fixtures that every test may use."""

import os
import sys

import matplotlib
import pytest
import shapes
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

shapes.install()

from offconvex import chapter, run, runtime  # noqa: E402  (the hook comes before what it hooks)

matplotlib.use("Agg")


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


@pytest.fixture
def explicit_devices():
    """Runs the test under `ExplicitDevices`."""
    with ExplicitDevices():
        yield


@pytest.fixture
def rt():
    """Runtime of float64 on the CPU."""
    return runtime.resolve("cpu")


@pytest.fixture
def open_chapter(tmp_path, monkeypatch):
    """Opens a chapter whose results go to a temporary folder: (name, seed, profile) -> that folder."""
    monkeypatch.setattr(run, "_active", None)
    monkeypatch.setenv("OFFCONVEX_OUTPUT", str(tmp_path / "results"))

    def begin(name="room", seed=0, profile="default"):
        chapter.begin(name, seed=seed, device="cpu", profile=profile)
        return run.active_run().output

    with matplotlib.rc_context():
        yield begin
    matplotlib.pyplot.close("all")
