"""What a property of a public function is, and how it is tested.

A case says how to draw arguments of all sizes for one function. Every case is held to the same four properties, and to
those that it names besides:

* the arguments are left as they are;
* the same arguments, and generators in the same state, give the same result, bit for bit;
* floating-point results have the precision of the arguments, and no tensor is made on an unnamed device;
* results are finite.

`each`: along its leading axis, the result for many replicas (or entries) is that of one at a time. `refuses`: arguments
that are impossible are one clear `ValueError`.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st

from offconvex import rng, runtime

Arguments = tuple[tuple, dict]


class Draw:
    """Sizes and numbers drawn by Hypothesis, and arrays of them; rewound, it gives the same ones again."""

    def __init__(self, data, dtype: torch.dtype = torch.float64):
        self.data, self.dtype, self.kept, self.place = data, dtype, [], 0

    def again(self, dtype: torch.dtype | None = None) -> Draw:
        """A copy that replays what was drawn, in another precision if one is given."""
        copy = Draw(self.data, dtype or self.dtype)
        copy.kept = self.kept
        return copy

    def _next(self, strategy):
        if self.place == len(self.kept):
            self.kept.append(self.data.draw(strategy))
        self.place += 1
        return self.kept[self.place - 1]

    @property
    def rt(self) -> runtime.Runtime:
        """Runtime on the CPU."""
        return runtime.Runtime(torch.device("cpu"), self.dtype)

    def int(self, low: int, high: int) -> int:
        """A size."""
        return self._next(st.integers(low, high))

    def float(self, low: float, high: float) -> float:
        """A number well inside the range, or one of its ends."""
        return self._next(st.floats(low, high, allow_nan=False, allow_subnormal=False))

    def one(self, *values):
        """One of several."""
        return self._next(st.sampled_from(values))

    def numpy(self) -> np.random.Generator:
        """A fresh NumPy generator, in the same state when replayed."""
        return rng.numpy_generator(self._next(st.integers(0, 2**32)), "property")

    def generator(self) -> torch.Generator:
        """A fresh torch generator, in the same state when replayed."""
        return rng.generator(self._next(st.integers(0, 2**32)), "property")

    def generators(self, count: int) -> list[torch.Generator]:
        """One per replica."""
        seed = self._next(st.integers(0, 2**32))
        return [rng.generator(seed, "property", replica) for replica in range(count)]

    def normal(self, *shape: int) -> np.ndarray:
        """Standard normal entries."""
        return self.numpy().normal(size=shape)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """Uniform entries."""
        return self.numpy().uniform(low, high, size=shape)

    def rising(self, count: int, low: float, high: float) -> np.ndarray:
        """Distinct points from low to high in rising order, the ends included."""
        inner = np.sort(self.numpy().uniform(0, 1, size=count))
        inner = np.cumsum(inner + 0.1)
        return low + (high - low) * (inner - inner[0]) / (inner[-1] - inner[0])

    def tensor(self, *shape: int, low: float | None = None, high: float = 1.0) -> torch.Tensor:
        """Standard normal entries, or uniform ones from `low` to `high`."""
        return self.rt.tensor(self.normal(*shape) if low is None else self.uniform(*shape, low=low, high=high))

    def mask(self, *shape: int) -> torch.Tensor:
        """Zeros and ones, a one in every replica."""
        flags = self.uniform(*shape) < 0.6
        flags.reshape(shape[0], -1)[:, 0] = True
        return self.rt.tensor(flags)


@dataclass(frozen=True)
class Case:
    """How one function is tested.

    Attributes:
        name: dotted, without the package.
        build: draw -> positional and named arguments.
        check: (result, arguments) -> None, with its own assertions.
        each: places of the arguments whose leading axis the result shares; None for no such property.
        loose: largest relative difference between all at once and one at a time.
        refuses: arguments that raise ValueError.
        examples: how many are drawn.
        finite: whether results are finite.
        single: whether float32 arguments give float32 results; None where there is no tensor.
    """

    name: str
    build: Callable[[Draw], Arguments]
    check: Callable[..., None] | None = None
    each: Sequence[int | str] | None = None
    loose: float = 1e-9
    refuses: Sequence[Callable[[], Arguments]] = ()
    examples: int = 5
    finite: bool = True
    single: bool = True

    @functools.cached_property
    def function(self) -> Callable:
        """The function itself."""
        module, _, name = self.name.rpartition(".")
        return getattr(importlib.import_module(f"offconvex.{module}"), name)


CASES: dict[str, Case] = {}


def case(name: str, build: Callable[[Draw], object], check=None, **options) -> None:
    """Register the property of a function; `build` may return a tuple of positional arguments alone."""

    def arguments(draw: Draw) -> Arguments:
        built = build(draw)
        if isinstance(built, tuple) and len(built) == 2 and isinstance(built[0], tuple) and isinstance(built[1], dict):
            return built
        return (built, {}) if isinstance(built, tuple) else ((built,), {})

    assert name not in CASES, f"{name} has two cases"
    CASES[name] = Case(name, arguments, check, **options)


def leaves(value, path: str = "") -> list[tuple[str, object]]:
    """Every number, array, tensor and text inside a value, with the way to it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return [leaf for name, part in fields.items() for leaf in leaves(part, f"{path}.{name}")]
    if isinstance(value, Mapping):
        return [leaf for key, part in value.items() for leaf in leaves(part, f"{path}[{key!r}]")]
    if isinstance(value, list | tuple):
        return [leaf for place, part in enumerate(value) for leaf in leaves(part, f"{path}[{place}]")]
    return [(path, value)]


def same(left, right) -> bool:
    """Whether two values are equal, bit for bit; generators and functions do not count."""
    ours, theirs = leaves(left), leaves(right)
    return len(ours) == len(theirs) and all(p == q and _equal(a, b) for (p, a), (q, b) in zip(ours, theirs))


def _equal(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        a, b = a.detach().cpu().numpy(), b.detach().cpu().numpy()
    if isinstance(a, np.ndarray | np.generic | float):
        a, b = np.asarray(a), np.asarray(b)
        equal = a.dtype.kind == "O" or np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
        return a.dtype == b.dtype and a.shape == b.shape and equal
    if isinstance(a, int | str | bool | bytes | type(None)):
        return a == b
    return True


def close(left, right, loose: float) -> bool:
    """Whether two arrays differ by at most a share of their largest entry."""
    a, b = (np.asarray(x.detach() if isinstance(x, torch.Tensor) else x, dtype=np.float64) for x in (left, right))
    if a.shape != b.shape:
        return False
    differs = ~((a == b) | (np.isnan(a) & np.isnan(b)))
    if not differs.any():
        return True
    finite = np.isfinite(a) & np.isfinite(b)
    return bool(finite[differs].all() and np.abs(a - b)[differs].max() <= loose * np.abs(b[finite]).max() + 1e-13)


def within(result, low, high) -> None:
    """Assert that all of a result lies between two numbers."""
    assert (np.asarray(result) >= low).all() and (np.asarray(result) <= high).all(), result


def shape_is(result, shape) -> None:
    """Assert the shape of a result."""
    assert tuple(np.shape(result)) == tuple(shape)
