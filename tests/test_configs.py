"""Records that hold records: varied, and told in one level."""

import dataclasses
import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from offconvex import configs


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    steps: int = 3

    def __post_init__(self):
        if self.steps < 1:
            raise ValueError(f"`steps` must be positive; got {self.steps}.")


@dataclass(frozen=True)
class Outer:
    inner: Inner = Inner()
    sizes: tuple[int, ...] = (1, 2)
    seed: int = 0


def test_a_record_is_varied_at_any_depth_and_the_rest_stays():
    found = configs.varied(Outer(seed=4), inner={"steps": 7}, sizes=[3])
    assert found == Outer(Inner(steps=7), (3,), 4)
    assert configs.varied(Outer(), inner=Inner(2.0)) == Outer(Inner(2.0))
    whole = configs.varied(Outer(), inner={"rate": 2})
    assert type(whole.inner.rate) is float and whole.inner.rate == 2
    assert configs.varied(Outer()) == Outer()


def test_numbers_of_numpy_become_pythons_own():
    changes = {
        "seed": np.int64(4),
        "sizes": [np.int32(3), 1],
        "inner": {"rate": np.float32(0.25), "steps": np.uint8(7)},
    }
    found = configs.varied(Outer(), **changes)
    assert found == Outer(Inner(0.25, 7), (3, 1), 4)
    assert json.loads(json.dumps(dataclasses.asdict(found)))["sizes"] == [3, 1]


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3), torch.tensor(3)])
def test_a_whole_number_of_any_library_is_one(value):
    assert configs.whole(value, "size", least=1) == 3 and type(configs.whole(value, "size")) is int


@pytest.mark.parametrize("value", [-1, np.int64(-1), 3.0, np.float64(3), "3", None, True, np.True_, np.array([3])])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(ValueError) as told:
        configs.whole(value, "size")
    assert str(told.value) == f"`size` must be a non-negative integer; got {value!r}."


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"size": 3}, "Outer has no 'size'; it has inner, sizes, seed."),
        ({"inner": {"pace": 3}}, "Inner has no 'pace'; it has rate, steps."),
        ({"inner": {"steps": 2.0}}, "`steps` of Inner is of the type of 3; got 2.0."),
        ({"inner": {"steps": True}}, "`steps` of Inner is of the type of 3; got True."),
        ({"inner": {"steps": np.True_}}, "`steps` of Inner is of the type of 3; got True."),
        ({"inner": 3}, "`inner` of Outer is of the type of Inner(rate=0.5, steps=3); got 3."),
        ({"seed": {"steps": 2}}, "`seed` of Outer is of the type of 0; got {'steps': 2}."),
        ({"inner": {"steps": 0}}, "`steps` must be positive; got 0."),
    ],
)
def test_what_does_not_fit_is_told(changes, sentence):
    with pytest.raises(ValueError) as told:
        configs.varied(Outer(), **changes)
    assert str(told.value) == sentence


def test_settings_in_one_level_keep_their_order_and_hide_no_departure():
    names = ("seed", "inner.rate")
    assert list(configs.flat(Outer(), names).items()) == [("seed", 0), ("rate", 0.5)]
    assert configs.flat(Outer(Inner(2.0)), names) == {"seed": 0, "rate": 2.0}
    other = configs.flat(Outer(Inner(steps=9), sizes=(1,)), names)
    assert other == {"seed": 0, "rate": 0.5, "inner.steps": 9, "sizes": (1,)}
    whole = configs.flat(Outer(Inner(steps=9), sizes=(1,)), ("seed", "inner"))
    assert list(whole.items()) == [("seed", 0), ("inner", {"rate": 0.5, "steps": 9}), ("sizes", (1,))]
