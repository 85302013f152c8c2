"""The record that every dynamics returns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Shaped
from torch import Tensor


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

    def __getitem__(self, name: str) -> Shaped[Tensor, "T R ..."]:
        """Recorded field `name`.

        Raises:
            KeyError: if it was not recorded; the message lists what was.
        """
        if name not in self.fields:
            known = ", ".join(self.fields) or "nothing"
            raise KeyError(f"`{name}` was not recorded in this trajectory; recorded: {known}.")
        return self.fields[name]


class Recorder:
    """Rows of a record, in arrays that double when they are full.

    Tens of thousands of small tensors kept between the large temporary ones of a run would fragment its memory.

    Args:
        record: what to keep of a state; or several such functions by the number of rows between two calls; or None.
    """

    def __init__(self, record: Callable[..., Mapping[str, torch.Tensor]] | Mapping[int, Callable] | None):
        self._paced = record if isinstance(record, Mapping) else {1: record} if record else {}
        self._arrays: dict[int, dict[str, torch.Tensor]] = {}
        self._shapes: dict[int, dict[str, torch.Size]] = {}
        self._count = 0

    def look(self, *state) -> None:
        """Add the row of a state.

        Raises:
            ValueError: if the names or the shapes of the values are not those of the first row.
        """
        for pace, record in self._paced.items():
            row, wait = divmod(self._count, pace)
            if wait:
                continue
            taken = record(*state)
            shapes = {name: value.shape for name, value in taken.items()}
            if row == 0:
                self._shapes[pace] = shapes
                self._arrays[pace] = {name: value.new_empty(1, *value.shape) for name, value in taken.items()}
            arrays = self._arrays[pace]
            if shapes != self._shapes[pace]:
                raise ValueError(
                    f"A record keeps the names and shapes that it begins with, {self._shapes[pace]}; got {shapes}."
                )
            for name, value in taken.items():
                if row == len(arrays[name]):
                    arrays[name] = torch.cat([arrays[name], torch.empty_like(arrays[name])])
                arrays[name][row] = value
        self._count += 1

    def fields(self) -> dict[str, Shaped[Tensor, "T ..."]]:
        """What was kept, with what is taken less often repeated in between."""
        return {
            name: rows[: -(-self._count // pace)].repeat_interleave(pace, 0)[: self._count]
            for pace, arrays in self._arrays.items()
            for name, rows in arrays.items()
        }
