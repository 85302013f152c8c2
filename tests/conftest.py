"""Fixtures that every test may use."""

import explicit
import matplotlib
import pytest
import shapes

shapes.install()

from offconvex import chapter, run, runtime  # noqa: E402  (the hook comes before what it hooks)

matplotlib.use("Agg")


@pytest.fixture
def explicit_devices():
    """Runs the test under `explicit.ExplicitDevices`."""
    with explicit.ExplicitDevices():
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
