"""The record that every dynamics returns."""

import dataclasses

import pytest
import torch

from offconvex.trajectory import Trajectory


@pytest.fixture
def trajectory(rt):
    time = torch.arange(3, device="cpu")
    return Trajectory(time, rt.zeros(3, 2), rt.zeros(3, 2), {"norm": rt.eye(3)[:, :2]}, (rt.zeros(2, 4),), 2)


def test_fields_are_read_by_name(trajectory, rt):
    assert torch.equal(trajectory["norm"], rt.eye(3)[:, :2])


def test_an_unknown_field_names_those_that_were_recorded(trajectory):
    with pytest.raises(KeyError, match="`rank` was not recorded in this trajectory; recorded: norm"):
        trajectory["rank"]
    with pytest.raises(KeyError, match="recorded: nothing"):
        dataclasses.replace(trajectory, fields={})["rank"]


def test_a_trajectory_cannot_be_changed(trajectory):
    with pytest.raises(dataclasses.FrozenInstanceError):
        trajectory.steps = 3
