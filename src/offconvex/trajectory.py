"""The record that every dynamics returns."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Trajectory:
    """One recorded run of R independent replicas; axis 0 of every array is time, axis 1 the replica.

    Attributes:
        iterations: (T,) number of steps taken at each record; for a flow, the index of the record.
        times: (T, R) flow time, the sum of the step sizes taken so far, in units of 1 / (loss curvature).
        loss: (T, R) objective at each record.
        fields: what the caller asked to record; each (T, R, ...).
        parameters: final parameters, each (R, ...).
        steps: number of steps, or of field evaluations of an adaptive integrator.
    """

    iterations: torch.Tensor
    times: torch.Tensor
    loss: torch.Tensor
    fields: Mapping[str, torch.Tensor]
    parameters: tuple[torch.Tensor, ...]
    steps: int

    def __getitem__(self, name: str) -> torch.Tensor:
        """Recorded field `name`, (T, R, ...).

        Raises:
            KeyError: if it was not recorded; the message lists what was.
        """
        if name not in self.fields:
            known = ", ".join(self.fields) or "nothing"
            raise KeyError(f"`{name}` was not recorded in this trajectory; recorded: {known}.")
        return self.fields[name]
