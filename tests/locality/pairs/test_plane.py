"""The map of the plane: its shape, and one of its points by hand."""

import numpy as np
import torch

from offconvex import configs, runtime
from offconvex.locality import networks, tangent
from offconvex.locality.pairs import plane
from offconvex.locality.pairs import setting as settings
from offconvex.locality.pairs.plane import KernelPlane
from offconvex.locality.pairs.setting import PairSetting


def test_a_map_has_the_announced_shape_and_its_first_point_is_interpolation(rt):
    config = KernelPlane(gaps=(0, 1), blocks=(1,), counts=(8, 16), seeds=2, channels=4, held_out=20)
    record = plane.map_plane(config, rt, 0)
    assert record.test.shape == (2, 1, 2, 2) and record.reach.tolist() == [7]
    network = {"channels": 4, "blocks": 1}
    setting = configs.varied(PairSetting(), task={"gap": 1}, architecture=network, count=16, held_out=20)
    train, held = settings.data(setting, rt, 0, range(2))
    weights = networks.start(setting.architecture, rt, networks.start_generators(0, range(2), "locality"))
    found = tangent.interpolate(setting.architecture, weights, train, held, setting.task.patches, (16,))
    assert np.array_equal(record.test[1, 0, 1], found.test[0])
    assert np.array_equal(record.similarity[0, 1], found.similarity)
    assert np.all((record.test >= 0) & (record.test <= 1)) and np.all(record.similarity <= 1 + 1e-12)


def test_devices_are_named(explicit_devices):
    rt = runtime.resolve("cpu", torch.float32)
    plane.map_plane(KernelPlane(gaps=(0,), blocks=(1,), counts=(8,), seeds=1, channels=2, held_out=8), rt, 0)
